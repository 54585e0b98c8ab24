"""The audit log's file on disks that refuse, beside people who move files."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import List

import pytest

from opcws.gateway.audit_file import AuditFile

from ..support import PATIENCE


def lines(*paths: Path) -> List[str]:
    return [line for path in paths for line in path.read_text(encoding="ascii").splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def make(path: Path, max_bytes: int = 0, backups: int = 3, sync: bool = False) -> AuditFile:
    return AuditFile(str(path), max_bytes, backups, sync)


def append(file: AuditFile, *numbers: int) -> None:
    for number in numbers:
        file.append(b"line %04d\n" % number)


def test_lines_are_added_to_what_is_there(path: Path) -> None:
    for number in range(3):
        file = make(path, sync=True)
        append(file, number)
        file.settle()
        file.close()
    assert lines(path) == ["line 0000", "line 0001", "line 0002"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_only_the_user_that_opcws_runs_as_may_read_it(path: Path) -> None:
    file = make(path)
    file.open()
    file.close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_file_is_renamed_and_the_oldest_goes(path: Path) -> None:
    file = make(path, max_bytes=20, backups=2)
    append(file, *range(9))
    file.close()
    older = [path.with_name("audit.jsonl.%d" % number) for number in (2, 1)]
    assert lines(*older, path) == ["line %04d" % number for number in range(4, 9)]
    assert sorted(os.listdir(str(path.parent))) == sorted(each.name for each in (path, *older)), (
        "no other file is left"
    )


def test_while_the_oldest_file_is_young_none_goes_and_the_full_one_grows_on(path: Path) -> None:
    file = AuditFile(str(path), 20, 2, False, keep_s=3600.0)
    append(file, *range(20))
    older = [path.with_name("audit.jsonl.%d" % number) for number in (2, 1)]
    assert lines(*older, path) == ["line %04d" % number for number in range(20)]
    assert [len(lines(each)) for each in older] == [2, 2]
    long_ago = older[0].stat().st_mtime - 3601
    os.utime(str(older[0]), (long_ago, long_ago))
    append(file, 20, 21)
    file.close()
    assert lines(older[0]) == ["line 0002", "line 0003"], "now the oldest has gone"


@pytest.mark.parametrize("jump_s", [-400 * 86400.0, 400 * 86400.0])
def test_a_clock_that_jumps_removes_no_more_than_the_number_of_files_says(
    path: Path, monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    file = AuditFile(str(path), 20, 2, False, keep_s=3600.0)
    append(file, *range(10))
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + jump_s)
    append(file, *range(10, 12))
    older = [path.with_name("audit.jsonl.%d" % number) for number in (2, 1)]
    kept = lines(*older, path)
    assert kept[-1] == "line 0011" and len(kept) >= (12 if jump_s < 0 else 10)
    file.close()


def test_a_line_larger_than_the_file_may_be_has_a_file_of_its_own(path: Path) -> None:
    file = make(path, max_bytes=5)
    append(file, 1, 2)
    file.close()
    assert lines(path.with_name("audit.jsonl.1")) == ["line 0001"]
    assert lines(path) == ["line 0002"]


def test_a_file_that_cannot_be_renamed_grows_on_and_no_line_is_lost(path: Path) -> None:
    in_the_way = path.with_name("audit.jsonl.1")
    (in_the_way / "something").mkdir(parents=True)
    file = make(path, max_bytes=20, backups=1)
    append(file, *range(20))
    assert file.not_renamed
    aside = path.with_name("audit.jsonl.0")
    assert lines(aside, path) == ["line %04d" % number for number in range(20)]
    (in_the_way / "something").rmdir()
    in_the_way.rmdir()
    append(file, *range(20, 24))
    file.close()
    assert file.not_renamed is None
    assert not aside.exists()
    assert lines(in_the_way, path)[-4:] == ["line %04d" % number for number in range(20, 24)]


@pytest.mark.skipif(os.name == "nt", reason="Windows does not let an open file be renamed")
def test_a_file_that_somebody_moved_is_made_anew(path: Path) -> None:
    file = make(path)
    append(file, 1)
    moved = path.with_name("elsewhere")
    path.rename(moved)
    append(file, 2)
    moved.unlink()
    path.unlink()
    append(file, 3)
    file.close()
    assert lines(path) == ["line 0003"]


def test_a_half_line_of_a_process_that_died_is_ended_and_kept(path: Path) -> None:
    path.write_bytes(b"line 0001\nline")
    file = make(path)
    append(file, 2)
    file.close()
    assert lines(path) == ["line 0001", "line", "line 0002"]


#: Appends while the operating system lets no file grow beyond 25 bytes, then without a limit.
LIMITED = """
import resource, sys
from opcws.gateway.audit_file import AuditFile

file = AuditFile(sys.argv[1], 0, 1, False)
resource.setrlimit(resource.RLIMIT_FSIZE, (25, resource.RLIM_INFINITY))
done, refused = 0, 0
while done < 5:
    try:
        file.append(b"line %04d\\n" % done)
        done += 1
    except OSError:
        refused += 1
        if refused == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
print(refused)
"""


@pytest.mark.skipif(os.name == "nt", reason="RLIMIT_FSIZE is of POSIX")
def test_a_line_that_the_disk_took_half_of_is_finished_when_there_is_room(path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)],
        stdout=subprocess.PIPE,
        check=True,
        timeout=3 * PATIENCE,
    )
    assert ran.stdout.strip() == b"3"
    assert lines(path) == ["line %04d" % number for number in range(5)]
