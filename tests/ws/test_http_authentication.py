"""Credentials out of an HTTP request, and what is answered to wrong ones."""

import base64
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

import pytest

from opcws.access import credentials
from opcws.access.authenticator import Authenticator
from opcws.access.credentials import CredentialFile
from opcws.config import roles as access
from opcws.config.settings import Permissions, Variable
from opcws.model.data_types import NodeId
from opcws.model.deadline import Deadline
from opcws.ws import http_authentication
from opcws.ws.http_authentication import Basic, Bearer
from opcws.ws.http_message import Refused, Request

from ..access.test_credentials import known, token, user
from ..support import PATIENCE

VARIABLES = {"Pump": Variable("Pump", "plant", NodeId(1, "Pump"), access="readwrite")}


class Shown(NamedTuple):
    fingerprint: str
    common_names: Sequence[str]


def request(
    *headers: Tuple[str, str], path: str = "/", method: str = "GET", **query: List[str]
) -> Request:
    return Request(method, "1.1", path, query, list(headers))


def basic(text: str, encoding: str = "utf-8") -> str:
    return "Basic " + base64.b64encode(text.encode(encoding)).decode("ascii")


AUTHORIZATION, PROTOCOL = "authorization", "sec-websocket-protocol"


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (request(), None),
        (request((PROTOCOL, "json")), None),
        (request((AUTHORIZATION, "Bearer abc")), Bearer("abc")),
        (request((AUTHORIZATION, "bearer  abc ")), Bearer("abc")),
        (request((AUTHORIZATION, basic("anna:pass"))), Basic("anna", "pass")),
        (request((AUTHORIZATION, basic("anna:"))), Basic("anna", "")),
        (request((AUTHORIZATION, basic("j\u00f6rg:a:b"))), Basic("j\u00f6rg", "a:b")),
        (request(access_token=["abc"]), Bearer("abc")),
        (request((PROTOCOL, "json, opcws.token.abc")), Bearer("abc")),
        (request((PROTOCOL, "opcws.token.abc"), (PROTOCOL, "json")), Bearer("abc")),
    ],
)
def test_a_credential_is_found_wherever_it_may_be_shown(sent: Request, found: Any) -> None:
    assert http_authentication.shown(sent) == found


BAD = {
    "no scheme": request((AUTHORIZATION, "s3cret")),
    "another scheme": request((AUTHORIZATION, "Digest s3cret")),
    "empty": request((AUTHORIZATION, "")),
    "Bearer without a token": request((AUTHORIZATION, "Bearer ")),
    "no base64": request((AUTHORIZATION, "Basic s3cret!")),
    "no colon": request((AUTHORIZATION, basic("s3cret"))),
    "no UTF-8": request((AUTHORIZATION, basic("j\u00f6rg:s3cret", "latin-1"))),
    "beyond ASCII": request((AUTHORIZATION, "Basic \u00e4s3cret")),
    "an empty token": request(access_token=[""]),
    "an empty subprotocol": request((PROTOCOL, "json, opcws.token.")),
    "no json beside it": request((PROTOCOL, "opcws.token.s3cret")),
    "something else beside it": request((PROTOCOL, "mqtt, opcws.token.s3cret")),
    "two headers": request((AUTHORIZATION, "Bearer s3cret"), (AUTHORIZATION, "Bearer s3cret")),
    "two in the URL": request(access_token=["s3cret", "b"]),
    "two subprotocols": request((PROTOCOL, "json, opcws.token.s3cret, opcws.token.b")),
    "header and URL": request((AUTHORIZATION, "Bearer s3cret"), access_token=["s3cret"]),
    "header and subprotocol": request(
        (AUTHORIZATION, basic("anna:s3cret")), (PROTOCOL, "json, opcws.token.s3cret")
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_one_credential_is_a_bad_request_that_repeats_nothing_of_it(
    name: str,
) -> None:
    with pytest.raises(Refused) as caught:
        http_authentication.shown(BAD[name])
    assert caught.value.response.status == 400
    assert b"s3cret" not in caught.value.response.encoded()


@pytest.fixture
def authenticator(tmp_path: Any) -> Authenticator:
    file = tmp_path / "credentials.json"
    file.write_bytes(
        credentials.written(
            known(token("t", "text"), token("m", "metrics"), user("anna", "password"))
        )
    )
    token_of_m = known(token("m", "metrics")).tokens["m"]._replace(role="monitoring")
    everybody = known(token("t", "text"), token_of_m, user("anna", "password"))
    file.write_bytes(credentials.written(everybody))
    roles = {
        "r": Permissions(read=("*",), endpoints=("healthz",), certificates=("CN=panel",)),
        "monitoring": Permissions(endpoints=("metrics", "status")),
    }
    return Authenticator(access.compile_roles(roles, VARIABLES), CredentialFile(str(file)))


def ask(
    authenticator: Authenticator, sent: Request, certificate: Any = None
) -> Tuple[int, Dict[str, str]]:
    """Status and the challenges joined, of what comes before anybody else looks at *sent*."""
    try:
        found = http_authentication.Authentication(
            sent, authenticator, certificate, Deadline(PATIENCE)
        ).answer()
    except Refused as refused:
        headers = refused.response.headers
        return refused.response.status, {
            "challenge": "; ".join(v for n, v in headers if n == "WWW-Authenticate")
        }
    return (0 if found is None else found.status), {}


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/healthz", (), 401),
        ("/healthz", ((AUTHORIZATION, "Bearer text"),), 0),
        ("/healthz", ((AUTHORIZATION, "Bearer metrics"),), 403),
        ("/healthz", ((AUTHORIZATION, basic("anna:password")),), 0),
        ("/metrics", ((AUTHORIZATION, "Bearer text"),), 403),
        ("/metrics", ((AUTHORIZATION, "Bearer metrics"),), 0),
        ("/readyz", ((AUTHORIZATION, "Bearer metrics"),), 403),
        ("/status", ((AUTHORIZATION, "Bearer wrong"),), 401),
        ("/status", ((AUTHORIZATION, basic("anna:wrong")),), 401),
        ("/", (), 0),
        ("/page.js", ((AUTHORIZATION, "Bearer wrong"),), 0),
        ("/nowhere", (), 0),
    ],
)
def test_an_endpoint_is_for_the_roles_that_have_it_and_the_page_is_open(
    authenticator: Authenticator, path: str, headers: Any, status: int
) -> None:
    assert ask(authenticator, request(*headers, path=path))[0] == status
    assert ask(authenticator, request(*headers, path=path, method="HEAD"))[0] == status


def test_every_endpoint_is_open_without_roles() -> None:
    for endpoint in access.ENDPOINTS:
        assert ask(Authenticator(), request(path="/" + endpoint))[0] == 0


def test_a_challenge_names_what_can_be_shown_and_makes_no_browser_ask_beside_the_page(
    authenticator: Authenticator,
) -> None:
    bearer, both = 'Bearer realm="opcws"', 'Basic realm="opcws", charset="UTF-8"'
    wrong = (AUTHORIZATION, "Bearer wrong")
    assert ask(authenticator, request(path="/status"))[1]["challenge"] == bearer + "; " + both
    person = request(("sec-fetch-mode", "navigate"), path="/status")
    assert both in ask(authenticator, person)[1]["challenge"]
    script = request(("sec-fetch-mode", "cors"), path="/status")
    assert ask(authenticator, script)[1]["challenge"] == bearer
    assert ask(authenticator, request(wrong, path="/whoami"))[1]["challenge"] == (
        bearer + ', error="invalid_token"'
    )
    with pytest.raises(Refused) as caught:
        page = request(("origin", "http://plant.example"))
        http_authentication.Authentication(page, authenticator, None, Deadline(PATIENCE)).admit()
    assert dict(caught.value.response.headers) == {"WWW-Authenticate": bearer}


@pytest.mark.parametrize(
    ("names", "identity", "role"),
    [
        (["panel"], "certificate panel", "r"),
        (["other"], "certificate other", "anonymous"),
        (["\u202e\nfalse: line"], "certificate ??false: line", "anonymous"),
        (["unit 7", "panel"], "certificate unit 7+panel", "r"),
        ([], "certificate " + "AB" * 32, "anonymous"),
        (["x" * 1000], "certificate " + "x" * 64, "anonymous"),
    ],
)
def test_a_certificate_is_an_identity_with_or_without_a_role(
    authenticator: Authenticator, names: List[str], identity: str, role: str
) -> None:
    shown = Shown("AB" * 32, names)
    grant = http_authentication.Authentication(
        request(), authenticator, shown, Deadline(PATIENCE)
    ).identify()
    assert (grant.identity, grant.role.name) == (identity, role)


def test_a_login_counts_instead_of_the_certificate_below_it_and_a_wrong_one_is_refused(
    authenticator: Authenticator,
) -> None:
    panel = Shown("AB" * 32, ["panel"])
    right = request((AUTHORIZATION, "Bearer metrics"))
    grant = http_authentication.Authentication(
        right, authenticator, panel, Deadline(PATIENCE)
    ).identify()
    assert grant.identity == "token m"
    with pytest.raises(Refused) as caught:
        wrong = request((AUTHORIZATION, "Bearer wrong"))
        http_authentication.Authentication(
            wrong, authenticator, panel, Deadline(PATIENCE)
        ).identify()
    assert caught.value.response.status == 401


def test_who_is_known_and_may_not_connect_is_forbidden_and_who_is_not_is_asked(
    authenticator: Authenticator,
) -> None:
    for headers, certificate, status in (
        ((), None, 401),
        ([(AUTHORIZATION, "Bearer metrics")], None, 403),
        ((), Shown("AB" * 32, ["other"]), 403),
    ):
        with pytest.raises(Refused) as caught:
            sent = request(*headers)
            http_authentication.Authentication(
                sent, authenticator, certificate, Deadline(PATIENCE)
            ).admit()
        assert caught.value.response.status == status


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (request(path="/login"), 405),
        (request(path="/login", method="POST"), 400),
        (request((AUTHORIZATION, "Bearer text"), path="/login", method="POST"), 400),
        (request((AUTHORIZATION, basic("anna:wrong")), path="/login", method="POST"), 401),
        (request((AUTHORIZATION, basic("anna:password")), path="/login", method="POST"), 200),
        (
            request(
                (AUTHORIZATION, basic("anna:password")),
                ("content-length", "3"),
                path="/login",
                method="POST",
            ),
            400,
        ),
    ],
)
def test_a_login_takes_user_and_password_by_post_and_nothing_else(
    authenticator: Authenticator, sent: Request, status: int
) -> None:
    assert ask(authenticator, sent)[0] == status


def test_without_roles_there_is_nothing_to_log_in_for() -> None:
    sent = request((AUTHORIZATION, basic("anna:password")), path="/login", method="POST")
    assert ask(Authenticator(), sent)[0] == 404
