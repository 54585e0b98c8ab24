"""The limit of open files follows the limits on connections."""

import subprocess
import sys

import pytest

from opcws.config.settings import Limits, Listen
from opcws.operations import open_files

pytest.importorskip("resource", reason="not run: this system has no such limit")

SCRIPT = """
import logging, resource, sys
from opcws.operations import open_files
logging.basicConfig(format="%(message)s")
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
print(open_files.allow(int(sys.argv[3])), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def _allowed(soft: int, hard: int, count: int) -> "subprocess.CompletedProcess[str]":
    """What a process with these limits says when *count* are asked for."""
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, str(soft), str(hard), str(count)],
        capture_output=True,
        text=True,
        check=True,
    )


def test_the_limit_is_raised_to_what_is_needed() -> None:
    ended = _allowed(100, 400, 300)
    assert (ended.stdout.split(), ended.stderr) == (["300", "300", "400"], "")


def test_it_is_raised_no_further_than_the_system_allows_which_is_told_with_a_remedy() -> None:
    ended = _allowed(100, 200, 300)
    assert ended.stdout.split() == ["200", "200", "200"]
    assert "200" in ended.stderr and "300" in ended.stderr and "LimitNOFILE" in ended.stderr


def test_it_is_never_lowered() -> None:
    ended = _allowed(300, 400, 100)
    assert (ended.stdout.split(), ended.stderr) == (["300", "300", "400"], "")


def test_every_listener_needs_its_share_as_far_as_threads_can_serve_it() -> None:
    listen = [
        Listen(limits=Limits(max_connections=5, max_handshakes=7)),
        Listen(limits=Limits(max_connections=11, max_handshakes=13)),
    ]
    assert open_files.needed(listen) == open_files.OTHERS + 36
    assert open_files.needed([Listen(limits=Limits(max_connections=10**6))]) == open_files.MOST
