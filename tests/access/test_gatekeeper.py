"""Who a client is and which role that gives, now and after a change."""

import datetime
import logging
import threading
from pathlib import Path
from typing import Any, List, Optional

import pytest

from opcws.access import credentials, gatekeeper
from opcws.access.credentials import CredentialFile
from opcws.access.gatekeeper import Gatekeeper, Grant, Unavailable, Unknown
from opcws.config import roles as access
from opcws.config.load import Permissions, Variable
from opcws.config.roles import EVERYONE, Roles
from opcws.model.data_types import NodeId
from opcws.model.deadline import Deadline

from ..support import PATIENCE, wait_until
from .test_credentials import known, token, user

VARIABLES = {"Pump": Variable("Pump", "plant", NodeId(1, "Pump"), access="readwrite")}
READ = Permissions(read=("*",))


def roles(**given: Permissions) -> Roles:
    return access.compile_roles(given, VARIABLES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "credentials.json"
    put(file, token("t", "text"), user("anna", "password"))
    return file


def put(path: Path, *entries: Any) -> None:
    path.write_bytes(credentials.written(known(*entries)))


@pytest.fixture
def keeper(path: Path) -> Gatekeeper:
    return Gatekeeper(roles(r=READ), CredentialFile(str(path)))


def login(keeper: Gatekeeper, name: str = "anna", password: str = "password") -> Grant:
    return keeper.by_password(name, password, Deadline(PATIENCE))


def test_a_credential_gives_the_role_that_it_names(keeper: Gatekeeper) -> None:
    for grant, identity in (
        (keeper.by_token("text"), "token t"),
        (login(keeper), "user anna"),
    ):
        assert (grant.identity, grant.role.name) == (identity, "r")
        assert keeper.judge(grant) is grant


@pytest.mark.parametrize(
    ("name", "password"),
    [("anna", "Password"), ("Anna", "password"), ("", ""), ("anna", "x" * 2000)],
)
def test_a_wrong_password_and_a_wrong_user_are_told_alike(
    keeper: Gatekeeper, name: str, password: str
) -> None:
    with pytest.raises(Unknown) as caught:
        login(keeper, name, password)
    assert str(caught.value) == "user or password is wrong"


def test_without_roles_nothing_that_is_shown_is_looked_at(path: Path) -> None:
    keeper = Gatekeeper(access.NO_ROLES, CredentialFile(str(path)))
    assert keeper.by_token("wrong").role is EVERYONE
    assert login(keeper, "nobody", "x").role is EVERYONE
    assert not keeper.has_users


def test_a_certificate_has_the_role_that_names_it_or_that_of_anonymous() -> None:
    keeper = Gatekeeper(roles(r=Permissions(read=("*",), certificates=("CN=panel",))))
    keys = access.certificate_keys(["panel"], "ab" * 32)
    assert keeper.by_certificate(keys, "panel").role.name == "r"
    other = keeper.by_certificate(access.certificate_keys(["other"], "cd" * 32), "other")
    assert (other.identity, other.role.name) == ("certificate other", "anonymous")


# -- what a grant is worth later ------------------------------------------------------------


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([user("anna", "password")], id="revoked"),
        pytest.param([token("t", "another text")], id="made anew"),
        pytest.param([token("t", "text")._replace(role="s")], id="another role"),
        pytest.param(
            [token("t", "text", expires=datetime.datetime.now(datetime.timezone.utc))], id="over"
        ),
    ],
)
def test_a_token_that_is_not_what_it_was_is_worth_nothing(
    keeper: Gatekeeper, path: Path, entries: List[Any]
) -> None:
    grant = keeper.by_token("text")
    put(path, *entries)
    assert keeper.judge(grant) is None


def test_a_user_who_is_gone_or_has_a_new_password_is_worth_nothing(
    keeper: Gatekeeper, path: Path
) -> None:
    grant = login(keeper)
    put(path, user("anna", "new password"))
    assert keeper.judge(grant) is None
    put(path)
    assert keeper.judge(grant) is None


def test_others_notice_nothing_of_a_change(keeper: Gatekeeper, path: Path) -> None:
    grant = keeper.by_token("text")
    put(path, token("t", "text"), token("u", "more"))
    assert keeper.judge(grant) is grant


def test_new_roles_give_who_is_there_the_role_of_today_or_none(
    keeper: Gatekeeper, path: Path
) -> None:
    file = CredentialFile(str(path))
    grant, nobody = keeper.by_token("text"), keeper.anonymous()
    keeper.replace(roles(r=Permissions(write=("*",)), anonymous=READ), file)
    judged = keeper.judge(grant)
    assert judged is not None
    assert judged.identity == "token t"
    assert access.granted(judged.role, VARIABLES["Pump"]) == "write"
    judged = keeper.judge(nobody)
    assert judged is not None
    assert access.granted(judged.role, VARIABLES["Pump"]) == "read"
    keeper.replace(roles(other=READ), file)
    assert keeper.judge(grant) is None
    assert keeper.judge(nobody) is None
    keeper.replace(access.NO_ROLES, file)
    judged = keeper.judge(grant)
    assert judged is not None
    assert judged.role is EVERYONE


def test_a_broken_file_refuses_who_comes_keeps_who_is_there_and_is_told_once(
    keeper: Gatekeeper, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    grant = keeper.by_token("text")
    path.write_bytes(b"{")
    for _ in range(3):
        with pytest.raises(Unavailable):
            keeper.by_token("text")
        with pytest.raises(Unavailable):
            login(keeper)
        assert keeper.judge(grant) is grant
    assert [each.levelname for each in caplog.records] == ["ERROR"]
    put(path, token("t", "text"))
    assert keeper.by_token("text").identity == "token t"
    assert "can be read again" in caplog.records[-1].getMessage()


def test_a_role_that_is_not_configured_refuses_and_the_log_names_it(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = Gatekeeper(roles(other=READ), CredentialFile(str(path)))
    with pytest.raises(Unknown):
        keeper.by_token("text")
    assert "token t has the role r" in caplog.text


# -- logins ---------------------------------------------------------------------------------


def test_the_token_of_a_login_stands_for_its_user_until_the_password_changes(
    keeper: Gatekeeper, path: Path
) -> None:
    text = keeper.login_token(login(keeper))
    assert keeper.by_token(text).identity == "user anna"
    put(path, user("anna", "password2"))
    with pytest.raises(Unknown):
        keeper.by_token(text)


def test_the_token_of_a_login_ends_with_its_time_and_with_the_process(
    keeper: Gatekeeper, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = keeper.login_token(login(keeper))
    with pytest.raises(Unknown):
        Gatekeeper(roles(r=READ), CredentialFile(str(path))).by_token(text)
    monkeypatch.setattr(gatekeeper, "LOGIN_S", -1)
    with pytest.raises(Unknown):
        keeper.by_token(keeper.login_token(login(keeper)))


def test_a_login_token_that_was_changed_anywhere_is_refused(keeper: Gatekeeper, path: Path) -> None:
    put(path, user("anna", "password"), user("bert", "password"))
    text = keeper.login_token(login(keeper))
    kind, name, until, signature = text.split(".")
    berts = keeper.login_token(login(keeper, "bert")).split(".")[1]
    for wrong in (
        ".".join([kind, berts, until, signature]),
        ".".join([kind, name, str(int(until) + 1), signature]),
        ".".join([kind, name, until, signature[:-1] + "x"]),
        ".".join([kind, name, until, ""]),
        ".".join([kind, name, until, "\u00e4"]),
        ".".join([kind, "\u00e4", until, signature]),
        ".".join([kind, "%", "later", signature]),
        ".".join([kind, name, until]),
        kind + ".",
        text + ".x",
        "login.....",
    ):
        with pytest.raises(Unknown):
            keeper.by_token(wrong)


# -- how many at once -----------------------------------------------------------------------


def test_no_more_passwords_than_allowed_are_computed_at_once_and_the_others_wait_or_give_up(
    keeper: Gatekeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, go_on, compute = threading.Lock(), threading.Event(), credentials._scrypt
    running: List[int] = [0]
    most: List[int] = [0]

    def slow(*parameters: Any) -> bytes:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        go_on.wait(PATIENCE)
        with lock:
            running[0] -= 1
        return compute(*parameters)

    monkeypatch.setattr(credentials, "_scrypt", slow)
    outcomes: List[Optional[str]] = []

    def log_in() -> None:
        outcomes.append(login(keeper).identity)

    threads = [threading.Thread(target=log_in) for _ in range(gatekeeper.HASHES_AT_ONCE + 3)]
    for each in threads:
        each.start()
    try:
        wait_until(lambda: running[0] == gatekeeper.HASHES_AT_ONCE, "as many as may are at it")
        with pytest.raises(Unavailable):
            keeper.by_password("anna", "password", Deadline(0.05))
        assert keeper.by_token("text").identity == "token t", "tokens wait for nobody"
    finally:
        go_on.set()
        for each in threads:
            each.join()
    assert outcomes == ["user anna"] * len(threads)
    assert most[0] == gatekeeper.HASHES_AT_ONCE


def test_who_waits_for_a_login_is_let_go_when_the_server_stops(keeper: Gatekeeper) -> None:
    for _ in range(gatekeeper.HASHES_AT_ONCE):
        keeper._hashes.acquire()
    ended: List[str] = []

    def log_in() -> None:
        try:
            keeper.by_password("anna", "password", Deadline(None))
        except Unavailable as problem:
            ended.append(problem.reason)

    waiting = threading.Thread(target=log_in)
    waiting.start()
    keeper.stop()
    waiting.join(PATIENCE)
    assert ended == ["too many logins at once; try again later"]
