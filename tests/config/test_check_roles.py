"""``roles`` in the configuration: what is read, refused and warned of."""

from pathlib import Path
from typing import List

import pytest

from opcws.config import load as load_file
from opcws.config import loads
from opcws.config.settings import Config, Permissions, RoleLimits
from opcws.model.errors import ConfigError

SERVERS = """
servers:
  plant:
    endpoint: opc.tcp://127.0.0.1:4840
    variables:
      Pump: {node: i=2258, access: readwrite}
      Level: {node: i=2259}
      Reset: {node: i=2267, access: write}
"""


def load(roles: str) -> Config:
    return loads("roles: %s%s" % (roles, SERVERS), "f.yaml")


def problems(roles: str) -> List[str]:
    with pytest.raises(ConfigError) as caught:
        load(roles)
    return list(caught.value.problems)


def test_every_setting_of_a_role_arrives_in_its_field() -> None:
    loaded = load(
        "{viewer: {read: ['*'], write: [Pump], history: true, endpoints: [status, healthz], "
        "certificates: [CN=a b], limits: {requests_per_second: 2.5, monitors: 3.0}}}"
    )
    assert loaded.roles == {
        "viewer": Permissions(
            read=("*",),
            write=("Pump",),
            history=True,
            endpoints=("status", "healthz"),
            certificates=("CN=a b",),
            limits=RoleLimits(2.5, 3),
        )
    }
    assert loaded.warnings == ()


def test_one_word_stands_for_a_role() -> None:
    loaded = load("{anonymous: off, viewer: read}")
    assert loaded.roles == {"anonymous": Permissions(), "viewer": Permissions(read=("*",))}


def test_without_the_section_there_are_no_roles_and_an_empty_one_grants_nothing() -> None:
    assert loads(SERVERS).roles is None
    assert load("{}").roles == {}


def test_the_credentials_are_beside_the_configuration_unless_it_says_otherwise(
    tmp_path: Path,
) -> None:
    path = tmp_path / "opcws.yaml"
    for given, wanted in (("", "credentials.json"), ("credentials: a/b.json\n", "a/b.json")):
        path.write_text(given + SERVERS, encoding="utf-8")
        assert Path(load_file(path).credentials or "") == tmp_path / wanted


@pytest.mark.parametrize(
    ("roles", "path", "words"),
    [
        ("{a: of}", "roles.a", "did you mean off?"),
        ("{a: false}", "roles.a", "expected off, read or a mapping, got false"),
        ("{a: {reads: ['*']}}", "roles.a.reads", "did you mean 'read'?"),
        ("{a: {read: '*'}}", "roles.a.read", "expected a list"),
        ("{a: {read: ['']}}", "roles.a.read[0]", "is empty"),
        ("{a: {endpoints: [state]}}", "roles.a.endpoints[0]", "did you mean status?"),
        ("{a: {certificates: [panel]}}", "roles.a.certificates[0]", "such as CN=panel-3"),
        ("{a: {certificates: ['sha256:ab']}}", "roles.a.certificates[0]", "such as CN=panel-3"),
        ("{a: {limits: {monitors: -1}}}", "roles.a.limits.monitors", "at least 0"),
        ("{anonymous: {certificates: [CN=a]}}", "roles.anonymous.certificates", "another role"),
        (
            "{a: {certificates: [CN=x]}, b: {certificates: [CN=x]}}",
            "roles.b.certificates[0]",
            "is in roles.a.certificates[0] already",
        ),
    ],
)
def test_a_wrong_role_is_told_with_its_path_and_what_would_be_right(
    roles: str, path: str, words: str
) -> None:
    (problem,) = problems(roles)
    assert problem.startswith("f.yaml:1: %s: " % path)
    assert words in problem


@pytest.mark.parametrize(
    ("roles", "path", "words"),
    [
        ("{a: {read: [pump]}}", "roles.a.read[0]", 'no variable matches "pump"'),
        ("{a: {read: ['*', 'X.*']}}", "roles.a.read[1]", 'no variable matches "X.*"'),
        ("{a: {read: [Reset]}}", "roles.a.read[0]", "can only be written"),
        ("{a: {write: ['L*']}}", "roles.a.write[0]", "can only be read"),
        ("{anonymous: {write: [Pump]}}", "roles.anonymous.write", "everyone who can connect"),
    ],
)
def test_what_grants_nothing_or_too_much_is_a_warning(roles: str, path: str, words: str) -> None:
    (warning,) = load(roles).warnings
    assert warning.startswith("f.yaml:1: %s: " % path)
    assert words in warning


def test_a_pattern_that_is_a_configured_name_is_not_in_vain() -> None:
    servers = "\nservers: {p: {endpoint: 'opc.tcp://h:1', variables: {'x[1]': {node: i=1}}}}"
    assert not loads("roles: {a: {read: ['x[1]']}}" + servers).warnings
    (warning,) = loads("roles: {a: {read: ['x[2]']}}" + servers).warnings
    assert 'no variable matches "x[2]"' in warning


def test_an_open_listener_without_tls_is_told_that_tokens_can_be_read() -> None:
    text = "listen: {host: 0.0.0.0}\n"
    (warning,) = loads(text + "roles: {anonymous: read}" + SERVERS).warnings
    assert "can read the tokens and passwords" in warning
    (warning,) = loads(text + SERVERS).warnings
    assert "may connect, and nothing is encrypted" in warning
