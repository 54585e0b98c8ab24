"""Who a client is and which role that gives, now and after a change."""

import datetime
import logging
import threading
from pathlib import Path
from typing import Any, List, Optional

import pytest

from opcws.access import authenticator as authentication
from opcws.access import credentials
from opcws.access.authenticator import Authenticator, Grant, Unavailable, Unknown
from opcws.access.credentials import CredentialFile
from opcws.config import roles as access
from opcws.config.roles import EVERYONE, Roles
from opcws.config.settings import Permissions, Variable
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
def authenticator(path: Path) -> Authenticator:
    return Authenticator(roles(r=READ), CredentialFile(str(path)))


def login(authenticator: Authenticator, name: str = "anna", password: str = "password") -> Grant:
    return authenticator.by_password(name, password, Deadline(PATIENCE))


def test_a_credential_gives_the_role_that_it_names(authenticator: Authenticator) -> None:
    for grant, identity in (
        (authenticator.by_token("text"), "token t"),
        (login(authenticator), "user anna"),
    ):
        assert (grant.identity, grant.role.name) == (identity, "r")
        assert authenticator.recheck(grant) is grant


@pytest.mark.parametrize(
    ("name", "password"),
    [("anna", "Password"), ("Anna", "password"), ("", ""), ("anna", "x" * 2000)],
)
def test_a_wrong_password_and_a_wrong_user_are_told_alike(
    authenticator: Authenticator, name: str, password: str
) -> None:
    with pytest.raises(Unknown) as caught:
        login(authenticator, name, password)
    assert str(caught.value) == "user or password is wrong"


def test_without_roles_nothing_that_is_shown_is_looked_at(path: Path) -> None:
    authenticator = Authenticator(access.NO_ROLES, CredentialFile(str(path)))
    assert authenticator.by_token("wrong").role is EVERYONE
    assert login(authenticator, "nobody", "x").role is EVERYONE
    assert not authenticator.has_users


def test_a_certificate_has_the_role_that_names_it_or_that_of_anonymous() -> None:
    authenticator = Authenticator(roles(r=Permissions(read=("*",), certificates=("CN=panel",))))
    keys = access.certificate_keys(["panel"], "ab" * 32)
    assert authenticator.by_certificate(keys, "panel").role.name == "r"
    other = authenticator.by_certificate(access.certificate_keys(["other"], "cd" * 32), "other")
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
    authenticator: Authenticator, path: Path, entries: List[Any]
) -> None:
    grant = authenticator.by_token("text")
    put(path, *entries)
    assert authenticator.recheck(grant) is None


def test_a_user_who_is_gone_or_has_a_new_password_is_worth_nothing(
    authenticator: Authenticator, path: Path
) -> None:
    grant = login(authenticator)
    put(path, user("anna", "new password"))
    assert authenticator.recheck(grant) is None
    put(path)
    assert authenticator.recheck(grant) is None


def test_others_notice_nothing_of_a_change(authenticator: Authenticator, path: Path) -> None:
    grant = authenticator.by_token("text")
    put(path, token("t", "text"), token("u", "more"))
    assert authenticator.recheck(grant) is grant


def test_new_roles_give_who_is_there_the_role_of_today_or_none(
    authenticator: Authenticator, path: Path
) -> None:
    file = CredentialFile(str(path))
    grant, nobody = authenticator.by_token("text"), authenticator.anonymous()
    authenticator.replace(roles(r=Permissions(write=("*",)), anonymous=READ), file)
    judged = authenticator.recheck(grant)
    assert judged is not None
    assert judged.identity == "token t"
    assert access.granted(judged.role, VARIABLES["Pump"]) == "write"
    judged = authenticator.recheck(nobody)
    assert judged is not None
    assert access.granted(judged.role, VARIABLES["Pump"]) == "read"
    authenticator.replace(roles(other=READ), file)
    assert authenticator.recheck(grant) is None
    assert authenticator.recheck(nobody) is None
    authenticator.replace(access.NO_ROLES, file)
    judged = authenticator.recheck(grant)
    assert judged is not None
    assert judged.role is EVERYONE


def test_a_broken_file_refuses_who_comes_keeps_who_is_there_and_is_told_once(
    authenticator: Authenticator, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    grant = authenticator.by_token("text")
    path.write_bytes(b"{")
    for _ in range(3):
        with pytest.raises(Unavailable):
            authenticator.by_token("text")
        with pytest.raises(Unavailable):
            login(authenticator)
        assert authenticator.recheck(grant) is grant
    assert [each.levelname for each in caplog.records] == ["ERROR"]
    put(path, token("t", "text"))
    assert authenticator.by_token("text").identity == "token t"
    assert "can be read again" in caplog.records[-1].getMessage()


def test_a_role_that_is_not_configured_refuses_and_the_log_names_it(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authenticator = Authenticator(roles(other=READ), CredentialFile(str(path)))
    with pytest.raises(Unknown):
        authenticator.by_token("text")
    assert "token t has the role r" in caplog.text


# -- logins ---------------------------------------------------------------------------------


def test_the_token_of_a_login_stands_for_its_user_until_the_password_changes(
    authenticator: Authenticator, path: Path
) -> None:
    text = authenticator.login_token(login(authenticator))
    assert authenticator.by_token(text).identity == "user anna"
    put(path, user("anna", "password2"))
    with pytest.raises(Unknown):
        authenticator.by_token(text)


def test_the_token_of_a_login_ends_with_its_time_and_with_the_process(
    authenticator: Authenticator, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = authenticator.login_token(login(authenticator))
    with pytest.raises(Unknown):
        Authenticator(roles(r=READ), CredentialFile(str(path))).by_token(text)
    monkeypatch.setattr(authentication, "LOGIN_S", -1)
    with pytest.raises(Unknown):
        authenticator.by_token(authenticator.login_token(login(authenticator)))


def test_a_login_token_that_was_changed_anywhere_is_refused(
    authenticator: Authenticator, path: Path
) -> None:
    put(path, user("anna", "password"), user("bert", "password"))
    text = authenticator.login_token(login(authenticator))
    kind, name, until, signature = text.split(".")
    berts = authenticator.login_token(login(authenticator, "bert")).split(".")[1]
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
            authenticator.by_token(wrong)


# -- how many at once -----------------------------------------------------------------------


def test_no_more_passwords_than_allowed_are_computed_at_once_and_the_others_wait_or_give_up(
    authenticator: Authenticator, monkeypatch: pytest.MonkeyPatch
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
        outcomes.append(login(authenticator).identity)

    threads = [threading.Thread(target=log_in) for _ in range(authentication.HASHES_AT_ONCE + 3)]
    for each in threads:
        each.start()
    try:
        wait_until(lambda: running[0] == authentication.HASHES_AT_ONCE, "as many as may are at it")
        with pytest.raises(Unavailable):
            authenticator.by_password("anna", "password", Deadline(0.05))
        assert authenticator.by_token("text").identity == "token t", "tokens wait for nobody"
    finally:
        go_on.set()
        for each in threads:
            each.join()
    assert outcomes == ["user anna"] * len(threads)
    assert most[0] == authentication.HASHES_AT_ONCE


def test_who_waits_for_a_login_is_let_go_when_the_server_stops(
    authenticator: Authenticator,
) -> None:
    for _ in range(authentication.HASHES_AT_ONCE):
        assert authenticator._hashes.take("", Deadline(0))
    ended: List[str] = []

    def log_in() -> None:
        try:
            authenticator.by_password("anna", "password", Deadline(None))
        except Unavailable as problem:
            ended.append(problem.reason)

    waiting = threading.Thread(target=log_in)
    waiting.start()
    authenticator.stop()
    waiting.join(PATIENCE)
    assert ended == ["too many logins at once; try again later"]


def test_whom_an_edge_names_has_the_role_of_that_name_here_and_no_more_than_the_edge(
    path: Path,
) -> None:
    operator = Permissions(read=("*",), write=("*",))
    given = {"r": READ, "operator": operator, "anonymous": Permissions()}
    authenticator = Authenticator(roles(**given), CredentialFile(str(path)))
    most = authenticator._roles.by_name["operator"]
    for told, identity in (
        ("", "edge office"),
        ("user anna", "edge office (user anna, as it says)"),
    ):
        assert authenticator.by_edge("office", "operator", False, told) == Grant(identity, most)
    for told, identity, rights in (
        ("", "edge office", {}),
        ("user anna", "user anna via edge office", {"Pump": "read"}),
        ("token t", "token t via edge office", {"Pump": "read"}),
    ):
        grant = authenticator.by_edge("office", "operator", True, told)
        assert (grant.identity, dict(grant.role.rights or {})) == (identity, rights)
        # It is the same as long as nothing changes.
        assert authenticator.by_edge("office", "operator", True, told).role is grant.role
    for told in ("user otto", "token anna", "certificate CN=anna", "anna", "user "):
        with pytest.raises(Unknown, match="is not known here"):
            authenticator.by_edge("office", "operator", True, told)
    with pytest.raises(Unknown, match="not configured"):
        authenticator.by_edge("office", "none", True, "user anna")
    authenticator.replace(roles(r=operator, operator=operator), CredentialFile(str(path)))
    grant = authenticator.by_edge("office", "operator", True, "user anna")
    assert dict(grant.role.rights or {}) == {"Pump": "readwrite"}
    put(path)
    with pytest.raises(Unknown):
        authenticator.by_edge("office", "operator", True, "user anna")
