"""``opcws token`` and ``opcws user``, as a person at a terminal meets them."""

import os
import stat
import threading
from pathlib import Path
from typing import Any, List

import pytest
from click.testing import CliRunner

from opcws.access import accounts, credentials
from opcws.cli.main import main
from opcws.config import load

CONFIG = """
roles:
  anonymous: read
  panel: read
  operator: {read: ["*"], write: ["*"]}
servers:
  plant:
    endpoint: "opc.tcp://127.0.0.1:4840"
    variables: {Pump: {node: i=2258, access: readwrite}}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "opcws.yaml"
    file.write_text(CONFIG, encoding="utf-8")
    return file


def stored(path: Path) -> credentials.Credentials:
    return credentials.load(str(path.with_name("credentials.json")))


def run(path: Path, *words: str, answer: str = "", code: int = 0) -> Any:
    result = CliRunner().invoke(main, [*words, "--config", str(path)], input=answer)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def output(path: Path, *words: str, **more: Any) -> str:
    text: str = run(path, *words, **more).output
    return text


def test_a_token_is_printed_once_listed_by_name_and_worthless_once_revoked(path: Path) -> None:
    text = output(path, "token", "create", "panel-7", "--role", "panel", "--expires", "90d")
    token = next(line for line in text.splitlines() if " " not in line)
    found = stored(path).token(token, credentials.now())
    assert found is not None
    assert (found.name, found.role) == ("panel-7", "panel")
    assert token not in path.with_name("credentials.json").read_text()
    listed = output(path, "token", "list")
    assert listed.startswith("panel-7  role panel, made 20")
    assert ", until 20" in listed and token not in listed
    output(path, "token", "revoke", "panel-7")
    assert stored(path).token(token, credentials.now()) is None
    assert output(path, "token", "list") == "no tokens\n"


def test_a_user_has_a_password_that_is_asked_for_twice_and_shown_never(path: Path) -> None:
    text = output(
        path, "user", "add", "anna", "--role", "operator", answer="long enough\nlong enough\n"
    )
    assert "long enough" not in text
    assert "long enough" not in path.with_name("credentials.json").read_text()
    assert stored(path).user("anna", "long enough") is not None
    output(path, "user", "passwd", "anna", "--password-stdin", answer="another one\r\n")
    assert stored(path).user("anna", "another one") is not None
    assert output(path, "user", "list").startswith("anna  role operator, made 20")
    output(path, "user", "remove", "anna")
    assert output(path, "user", "list") == "no users\n"


@pytest.mark.parametrize(
    ("words", "answer", "reason"),
    [
        (["token", "create", "t", "--role", "pannel"], "", "it has operator, panel"),
        (["token", "create", "t", "--role", "anonymous"], "", "no role anonymous;"),
        (["token", "create", "a:b", "--role", "panel"], "", "no colon"),
        (["token", "create", "t", "--role", "panel", "--expires", "soon"], "", "--expires takes"),
        (["token", "create", "t", "--role", "panel", "--expires", "0d"], "", "is in the past"),
        (
            ["token", "create", "t", "--role", "panel", "--expires", "2020-01-01"],
            "",
            "is in the past",
        ),
        (["token", "revoke", "t"], "", "there is no token t"),
        (["user", "add", "u", "--role", "panel", "--password-stdin"], "short\n", "8 characters"),
        (["user", "add", "u", "--role", "panel", "--password-stdin"], "x" * 2000, "1024 bytes"),
        (["user", "add", "u", "--role", "pannel", "--password-stdin"], "", "it has operator"),
        (["user", "passwd", "u"], "", "there is no user u"),
        (["user", "remove", "u"], "", "there is no user u"),
    ],
)
def test_what_cannot_be_done_is_told_with_a_remedy_and_changes_nothing(
    path: Path, words: List[str], answer: str, reason: str
) -> None:
    assert reason in output(path, *words, answer=answer, code=1)
    assert not path.with_name("credentials.json").exists()


def test_a_second_one_of_the_same_name_is_refused_before_a_password_is_asked_for(
    path: Path,
) -> None:
    output(path, "token", "create", "t", "--role", "panel")
    assert "is a token t already" in output(path, "token", "create", "t", "--role", "panel", code=1)
    given = load(path)
    accounts.add_user(given, "u", "panel", lambda: "long enough")
    text = output(path, "user", "add", "u", "--role", "panel", code=1)
    assert "is a user u already" in text
    assert "Password" not in text


def test_without_roles_there_is_none_to_give(path: Path) -> None:
    path.write_text(CONFIG[CONFIG.index("servers:") :], encoding="utf-8")
    assert "add one under 'roles'" in output(
        path, "token", "create", "t", "--role", "panel", code=1
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such bits")
def test_only_the_owner_may_read_the_file_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        for name in ("a", "b"):
            output(path, "token", "create", name, "--role", "panel")
            mode = path.with_name("credentials.json").stat().st_mode
            assert stat.S_IMODE(mode) == 0o600
    finally:
        os.umask(before)
    assert sorted(each.name for each in path.parent.iterdir()) == ["credentials.json", "opcws.yaml"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="needs to be root")
def test_an_administrator_does_not_take_the_file_away_from_the_server(path: Path) -> None:
    output(path, "token", "create", "a", "--role", "panel")
    os.chown(path.with_name("credentials.json"), 65534, 65534)
    output(path, "token", "create", "b", "--role", "panel")
    assert path.with_name("credentials.json").stat().st_uid == 65534


def test_a_broken_file_is_told_and_left_as_it_is(path: Path) -> None:
    file = path.with_name("credentials.json")
    file.write_text("{", encoding="utf-8")
    assert "is not a file with credentials" in output(
        path, "token", "create", "t", "--role", "panel", code=1
    )
    assert file.read_text(encoding="utf-8") == "{"
    assert "is not a file with credentials" in output(path, "check", "--offline")


def test_of_two_commands_at_the_same_time_neither_undoes_the_others_work(path: Path) -> None:
    given = load(path)
    refused: List[str] = []

    def create(name: str) -> None:
        try:
            accounts.create_token(given, name, "panel", None)
        except accounts.ConfigError as problem:
            refused.append(name)
            assert "another command is running" in str(problem)

    threads = [threading.Thread(target=create, args=("t%d" % n,)) for n in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert set(stored(path).tokens) | set(refused) == {"t%d" % n for n in range(20)}
    assert not set(stored(path).tokens) & set(refused)


def test_a_full_disk_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output(path, "token", "create", "a", "--role", "panel")

    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(accounts.os, "fsync", full)
    text = output(path, "token", "create", "b", "--role", "panel", code=1)
    assert "No space left on device" in text
    monkeypatch.undo()
    assert set(stored(path).tokens) == {"a"}
    output(path, "token", "create", "b", "--role", "panel")


def test_check_warns_of_a_credential_whose_role_is_gone(path: Path) -> None:
    output(path, "token", "create", "t", "--role", "panel")
    path.write_text(CONFIG.replace("  panel: read\n", ""), encoding="utf-8")
    text = output(path, "check", "--offline")
    assert "token t has the role 'panel', which the configuration does not have" in text
