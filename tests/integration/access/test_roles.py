"""Roles through the socket: who gets in how, what is there for whom, what is withdrawn."""

import base64
import json
import logging
import threading
from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence

import pytest
import websocket

from opcws.access import accounts, authenticator, credentials
from opcws.app import Server
from opcws.config import load
from opcws.config.settings import Limits
from opcws.wire import contract

from ... import support
from ...support import PATIENCE, Client, PlantProcess, wait_until
from ...support.byte_client import CLOSE, Answer, connect, exchange, opening
from ...support.contract_problems import problems_in

#: What may be in no line of the log and in no answer.
PASSWORD = "Quecksilber 80"

ROLES: Dict[str, Any] = {
    "anonymous": {"read": ["Boiler.*"], "endpoints": ["healthz"]},
    "operator": {
        "read": ["Boiler.*", "Test.Counter"],
        "write": ["Boiler.Setpoint", "Test.WriteOnly", "Motor.Mode"],
        "history": True,
    },
    "slow": {"read": ["*"], "limits": {"requests_per_second": 2, "monitors": 1}},
    "everything": {"read": ["*"], "write": ["*"]},
    "monitoring": {"endpoints": ["healthz", "status"]},
}


class Site:
    """A server with roles, its credentials, and every secret that was ever shown to it."""

    def __init__(self, endpoint: str, directory: Path) -> None:
        settings = support.settings(endpoint, listen={"handshake_timeout_s": PATIENCE})
        settings["roles"] = ROLES
        path = directory / "opcws.yaml"
        path.write_text(json.dumps(settings), encoding="utf-8")
        self.config = load(path)
        self.tokens = {
            role: accounts.create_token(self.config, role, role, None)[0]
            for role in ("operator", "slow", "everything", "monitoring")
        }
        accounts.add_user(self.config, "anna", "operator", lambda: PASSWORD)
        self.basic = "Basic " + base64.b64encode(b"anna:" + PASSWORD.encode()).decode()
        self.secrets = [PASSWORD, self.basic[6:], *self.tokens.values()]
        self.server = Server(self.config)
        self.server.start()
        self.url = self.server.urls[0]
        support.wait_connected(self.server)

    def bearer(self, role: str) -> Dict[str, str]:
        return {"Authorization": "Bearer " + self.tokens[role]}

    def client(self, role: Optional[str] = None) -> Client:
        return Client(self.url, header=self.bearer(role) if role else {})

    def ask(self, data: bytes) -> Answer:
        answer = exchange(self.server, data)
        for secret in self.secrets:
            assert secret.encode() not in answer.body
            assert secret not in str(answer.headers)
        return answer

    def get(self, path: str, method: str = "GET", **headers: Optional[str]) -> Answer:
        return self.ask(opening(path, method, Upgrade=None, Connection=None, **headers))


@pytest.fixture(scope="module")
def site(plant: PlantProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(plant.endpoint, tmp_path_factory.mktemp("site"))
    yield made
    made.server.stop()
    support.no_threads_left()


@pytest.fixture(autouse=True)
def _no_secret_is_logged(site: Site, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.DEBUG):
        yield
    for record in caplog.get_records("call"):
        text = record.getMessage() + str(record.exc_text)
        assert not any(secret in text for secret in site.secrets)
        assert record.levelno < logging.ERROR, text


def _refused(site: Site, **options: Any) -> int:
    options.setdefault("subprotocols", ["json"])
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        websocket.create_connection(site.url.replace("http", "ws"), timeout=PATIENCE, **options)
    return int(caught.value.status_code)


# -- getting in -----------------------------------------------------------------------------


def _names(client: Client) -> List[str]:
    names: List[str] = client.body("VALUELIST")["Variables"]
    return names


def test_a_token_or_a_password_gets_in_by_each_way_and_nobody_as_anonymous(site: Site) -> None:
    with site.client() as client:
        nobody = _names(client)
    assert nobody and all(name.startswith("Boiler.") for name in nobody)
    token = site.tokens["operator"]
    ways: List[Dict[str, Any]] = [
        {"header": site.bearer("operator")},
        {"header": {"Authorization": site.basic}},
        {"query": "?access_token=" + token},
        {"subprotocols": ["json", "opcws.token." + token]},
    ]
    for way in ways:
        with Client(site.url, **way) as client:
            assert _names(client) == [*nobody, "Motor.Mode", "Test.Counter", "Test.WriteOnly"]
            assert client.ws.getsubprotocol() == "json"


def test_the_session_knows_who_it_is_for(site: Site) -> None:
    def identities() -> List[str]:
        clients = [
            getattr(connection, "_client", None)
            for connection in site.server.listeners[0].connections()
        ]
        return sorted(each.identity for each in clients if each is not None)

    with site.client("operator"), Client(site.url, header={"Authorization": site.basic}):
        wait_until(lambda: identities() == ["token operator", "user anna"], "both are known")


def test_a_wrong_credential_is_refused_though_anonymous_could_connect(site: Site) -> None:
    wrong = "Basic " + base64.b64encode(b"anna:Quecksilber 81").decode()
    for header in ({"Authorization": "Bearer wrong"}, {"Authorization": wrong}):
        assert _refused(site, header=header) == 401
    assert _refused(site, subprotocols=["json", "opcws.token.wrong"]) == 401


def test_two_credentials_and_a_lonely_token_subprotocol_are_bad_requests(site: Site) -> None:
    token = "opcws.token." + site.tokens["operator"]
    assert _refused(site, subprotocols=["json", token], header=site.bearer("operator")) == 400
    assert _refused(site, subprotocols=[token]) == 400


def test_a_role_without_variables_is_forbidden_to_connect(site: Site) -> None:
    assert _refused(site, header=site.bearer("monitoring")) == 403


def test_the_origin_is_looked_at_before_the_credential(site: Site) -> None:
    evil = opening(Origin="http://evil.example", **site.bearer("operator"))
    assert site.ask(evil).status == 403
    with connect(site.server) as peer:
        own = {"Host": "localhost", "Origin": "http://localhost"}
        peer.send(opening(**own, **site.bearer("operator")))
        assert peer.head()[0] == 101


def test_what_is_no_request_is_refused_without_repeating_the_token_in_it(site: Site) -> None:
    token = site.tokens["operator"]
    for data in (
        "GET /?access_token=%s HTTP/1.1 more\r\nHost: localhost\r\n\r\n" % token,
        "GET //[?access_token=%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % token,
        "GET http://[%s] HTTP/1.1\r\nHost: localhost\r\n\r\n" % token,
        "GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\x00\r\n\r\n" % token,
        "GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization Bearer %s\r\n\r\n" % token,
        "GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization\x00%s: Bearer\r\n\r\n" % token,
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %s\r\n\r\n" % token,
    ):
        assert site.ask(data.encode("latin-1")).status in (400, 404)


# -- HTTP -----------------------------------------------------------------------------------


def test_endpoints_are_for_the_roles_that_have_them_and_the_page_is_open(site: Site) -> None:
    assert site.get("/healthz").status == 200
    answer = site.get("/status")
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("B")
    assert site.get("/status?access_token=" + site.tokens["monitoring"]).status == 200
    assert site.get("/%73tatus").status == 401
    assert site.get("/status", "HEAD").status == 401
    assert site.get("/status", **site.bearer("operator")).status == 403
    assert site.get("/status", **site.bearer("monitoring")).status == 200
    assert site.get("/status", Authorization=site.basic).status == 403
    for path in ("/", "/page.js", "/page.css"):
        assert site.get(path).status == 200


def test_whoami_tells_a_page_what_it_cannot_learn_from_a_refused_websocket(site: Site) -> None:
    assert json.loads(site.get("/whoami").body) == {
        "Contract": contract.VERSION,
        "Identity": "",
        "Role": "anonymous",
        "MayConnect": True,
        "History": False,
        "Views": False,
        "Endpoints": ["healthz"],
        "Login": ["token", "password"],
    }
    me = json.loads(site.get("/whoami", **site.bearer("monitoring")).body)
    assert problems_in("whoami.schema.json", me) == []
    assert (me["Identity"], me["Role"]) == ("token monitoring", "monitoring")
    assert not me["MayConnect"]
    answer = site.get("/whoami", Authorization="Bearer wrong")
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="opcws", error="invalid_token"'


def test_a_login_makes_a_token_that_a_page_can_show_at_a_websocket(site: Site) -> None:
    login = exchange(
        site.server,
        opening("/login", "POST", Upgrade=None, Connection=None, Authorization=site.basic),
    )
    assert login.status == 200
    document = json.loads(login.body)
    assert problems_in("login.schema.json", document) == []
    token = document["AccessToken"]
    site.secrets.append(token)
    assert document["Identity"] == "user anna"
    with Client(site.url, subprotocols=["json", "opcws.token." + token]) as client:
        assert "Test.Counter" in _names(client)
    wrong = "Basic " + base64.b64encode(b"anna:wrong").decode()
    answer = site.get("/login", "POST", Authorization=wrong)
    assert answer.status == 401
    assert "Basic" not in answer.headers["www-authenticate"], "no dialog of the browser's own"


# -- what is there for whom -----------------------------------------------------------------


@pytest.fixture(scope="module")
def operator(site: Site) -> Iterator[Client]:
    with site.client("operator") as client:
        yield client


#: A variable that the operator may not see, and one that is not there: they must look alike.
HIDDEN, ABSENT = "Motor.Speed", "Nothing.Such"


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("READ", {"Variable": "?"}),
        ("WRITE", {"Variable": "?", "Value": 1}),
        ("WRITE", {"Variable": "?", "Value": {"Type": "nonsense", "Body": []}}),
        ("READ", {"Variable": "?", "MaxAge": "soon"}),
        ("MONITORSTART", {"Variable": "?"}),
        ("MONITORSTOP", {"Variable": "?"}),
        ("HISTORICALREAD", {"Variable": "?", "StartTime": "2020-01-01"}),
        ("HISTORICALREAD", {"Variable": "?", "StartTime": "never"}),
        ("HISTORICALREAD", {"Variables": ["?"], "StartTime": "2020-01-01", "MaxPoints": 2}),
        ("VALUEINFO", {"Variables": ["?"]}),
        ("READ", {"Variables": ["?"]}),
        ("MONITORSTART", {"Variables": ["?"]}),
        ("MONITORSTOP", {"Variables": ["?"]}),
        ("WRITE", {"Writes": [{"Variable": "?", "Value": 1}]}),
    ],
)
def test_a_variable_that_a_role_may_not_see_is_like_one_that_is_not_there(
    operator: Client, operation: str, body: Dict[str, Any]
) -> None:
    def answered(name: str) -> str:
        asked = json.loads(json.dumps(body).replace('"?"', json.dumps(name)))
        answer = operator.request(operation, asked, handle="same")
        return json.dumps(answer).replace(name, "?")

    assert answered(HIDDEN) == answered(ABSENT)
    assert "BadNodeIdUnknown" in answered(HIDDEN)


def _statuses(body: Any, key: str) -> Dict[str, Optional[str]]:
    return {each["Variable"]: each.get("StatusCode") for each in body[key]}


def test_what_is_seen_and_not_granted_is_denied_in_both_forms(site: Site, operator: Client) -> None:
    denied = "BadUserAccessDenied"
    assert operator.status("WRITE", {"Variable": "Test.Counter", "Value": 1}) == denied
    assert operator.status("READ", {"Variable": "Motor.Mode"}) == denied
    assert operator.status("MONITORSTART", {"Variable": "Motor.Mode"}) == denied
    names = ["Motor.Mode", "Boiler.Setpoint", "Test.WriteOnly", HIDDEN]
    assert _statuses(operator.body("READ", {"Variables": names}), "Values") == {
        "Motor.Mode": denied,
        "Boiler.Setpoint": None,
        "Test.WriteOnly": "BadNotReadable",
        HIDDEN: "BadNodeIdUnknown",
    }
    assert _statuses(operator.body("MONITORSTART", {"Variables": names[:1]}), "Results") == {
        "Motor.Mode": denied
    }
    writes = [
        {"Variable": name, "Value": 50}
        for name in ("Test.Counter", "Boiler.Setpoint", "Boiler.Temperature", HIDDEN)
    ]
    assert _statuses(operator.body("WRITE", {"Writes": writes}), "Results") == {
        "Test.Counter": denied,
        "Boiler.Setpoint": None,
        "Boiler.Temperature": "BadNotWritable",
        HIDDEN: "BadNodeIdUnknown",
    }
    operator.write("Motor.Mode", 1)
    with site.client() as nobody:
        assert nobody.status("WRITE", {"Variable": "Boiler.Setpoint", "Value": 1}) == denied


def test_history_is_for_the_roles_that_have_it(site: Site, operator: Client) -> None:
    asked = {"Variable": "Boiler.Temperature", "StartTime": "2020-01-01", "MaxValues": 2}
    assert len(operator.body("HISTORICALREAD", asked)["DataValues"]) == 2
    names = ["Boiler.Temperature", HIDDEN]
    chart = {"Variables": names, "StartTime": "2020-01-01", "MaxPoints": 2}
    assert _statuses(operator.body("HISTORICALREAD", chart), "Histories") == {
        "Boiler.Temperature": None,
        HIDDEN: "BadNodeIdUnknown",
    }
    with site.client() as nobody:
        assert nobody.status("HISTORICALREAD", asked) == "BadUserAccessDenied"
        assert _statuses(nobody.body("HISTORICALREAD", chart), "Histories") == {
            "Boiler.Temperature": "BadUserAccessDenied",
            HIDDEN: "BadNodeIdUnknown",
        }


def test_valueinfo_tells_each_role_what_it_may_do(site: Site, operator: Client) -> None:
    names = ["Boiler.Setpoint", "Boiler.Temperature", "Motor.Mode"]
    with site.client() as nobody:
        told = [
            {each["Variable"]: each.get("Access") for each in client["Variables"]}
            for client in (
                operator.body("VALUEINFO", {"Variables": names}),
                nobody.body("VALUEINFO", {"Variables": names[:2]}),
            )
        ]
    assert told == [
        {"Boiler.Setpoint": "readwrite", "Boiler.Temperature": "read", "Motor.Mode": "write"},
        {"Boiler.Setpoint": "read", "Boiler.Temperature": "read"},
    ]


def test_two_roles_at_the_same_time_get_each_its_own_list(site: Site, operator: Client) -> None:
    with site.client() as nobody:
        for _ in range(2):
            assert "Test.Counter" in _names(operator)
            assert "Test.Counter" not in _names(nobody)


def test_the_limits_of_a_role_are_those_of_its_clients(site: Site) -> None:
    with site.client("slow") as client:
        first = {"Variables": ["Boiler.Temperature", "Boiler.Pressure"]}
        assert list(_statuses(client.body("MONITORSTART", first), "Results").values()) == [
            None,
            "BadTooManyMonitoredItems",
        ]
        answers = [client.request("VALUELIST")["Header"].get("StatusCode") for _ in range(20)]
        assert "BadTooManyOperations" in answers


def test_who_sees_something_of_a_plant_hears_of_it_and_who_sees_all_hears_the_numbers(
    site: Site,
) -> None:
    told = {}
    for role in (None, "slow", "everything"):
        with Client(site.url, "?status=1", header=site.bearer(role) if role else {}) as client:
            message = client.push()
        assert message["Header"]["MessageType"] == "SERVERSTATUS_MESSAGE"
        told[role] = sorted(message["Body"])
    assert told[None] == told["slow"] == ["Server", "Since", "State"]
    assert told["everything"] == ["Active", "Configured", "Failed", "Server", "Since", "State"]


# -- what is withdrawn ----------------------------------------------------------------------


def _closed_with(client: Client) -> int:
    client.ws.settimeout(PATIENCE)
    while True:
        opcode, frame = client.ws.recv_data_frame(True)
        if opcode == CLOSE:
            client.vanish()
            return int.from_bytes(frame.data[:2], "big")


def test_a_token_works_without_a_restart_and_its_clients_are_closed_once_it_is_revoked(
    site: Site, operator: Client
) -> None:
    token = accounts.create_token(site.config, "guest", "operator", None)[0]
    site.secrets.append(token)
    header = {"Authorization": "Bearer " + token}
    with Client(site.url, header=header) as guest, Client(site.url, header=header) as listening:
        listening.send("MONITORSTART", {"Variable": "Boiler.Temperature"})
        assert "Test.Counter" in _names(guest)
        accounts.revoke_token(site.config, "guest")
        assert _closed_with(guest) == 1008
        assert _closed_with(listening) == 1008
    assert _refused(site, header=header) == 401
    assert "Test.Counter" in _names(operator), "others notice nothing"


def test_a_websocket_ends_with_the_login_that_opened_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authenticator, "LOGIN_S", 4)
    login = opening("/login", "POST", Upgrade=None, Connection=None, Authorization=site.basic)
    token = json.loads(exchange(site.server, login).body)["AccessToken"]
    site.secrets.append(token)
    with Client(site.url, subprotocols=["json", "opcws.token." + token]) as client:
        assert "Test.Counter" in _names(client)
        assert _closed_with(client) == 1008
    assert _refused(site, subprotocols=["json", "opcws.token." + token]) == 401


def test_tries_are_counted_before_they_are_looked_at_and_addresses_take_turns(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many passwords an address sends at once, no more are looked at than may be wrong, and
    another address's login is behind one of them, not behind all."""
    crowd, other = "127.0.0.77", "127.0.0.78"
    looked_at, at_once = Limits.wrong_credentials, authenticator.HASHES_AT_ONCE
    order: List[str] = []
    all_are_there = threading.Event()
    matches = credentials.Scrypt.matches

    def look(self: credentials.Scrypt, password: str) -> bool:
        order.append(password)
        assert all_are_there.wait(PATIENCE)
        return matches(self, password)

    monkeypatch.setattr(credentials.Scrypt, "matches", look)
    lines = site.server.authenticator._hashes._lines
    attacks = [connect(site.server, source=crowd) for _ in range(3 * looked_at)]
    try:
        for number, peer in enumerate(attacks):
            wrong = base64.b64encode(b"anna:wrong%d" % number).decode()
            peer.send(_login("Basic " + wrong))
        wait_until(
            lambda: sum(map(len, list(lines.values()))) == looked_at - at_once, "they are in line"
        )
        with connect(site.server, source=other) as peer:
            peer.send(_login(site.basic))
            wait_until(lambda: len(lines) == 2, "so is another")
            all_are_there.set()
            assert peer.head()[0] == 200
        assert order.index(PASSWORD) <= at_once + 1, "those of the crowd were not all first"
        answers = Counter(peer.head()[0] for peer in attacks)
    finally:
        all_are_there.set()
        for peer in attacks:
            peer.sock.close()
    # A slow machine has no place for some in time, which is 503.
    assert 1 <= answers[401] <= looked_at, answers
    assert answers[401] + answers[429] + answers[503] == len(attacks), answers


def _login(authorization: str) -> bytes:
    return opening("/login", "POST", Upgrade=None, Connection=None, Authorization=authorization)


def test_what_pages_from_elsewhere_try_locks_no_visitor_out(site: Site) -> None:
    """Their requests come from the visitor's address."""
    strange: List[Dict[str, str]] = [
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Referer": "http://evil.example/page"},
    ]

    def status(path: str, **headers: str) -> int:
        with connect(site.server, source="127.0.0.79") as peer:
            peer.send(opening(path, Upgrade=None, Connection=None, **headers))
            return peer.head()[0]

    told = [status("/whoami?access_token=guess", **headers) for headers in strange * 5]
    assert told[: Limits.wrong_credentials] == [401] * Limits.wrong_credentials
    assert told[-1] == 429, "for them the wait holds"
    for headers in ({}, {"Sec_Fetch_Site": "same-origin"}, {"Referer": "http://localhost/"}):
        assert status("/status", **site.bearer("monitoring"), **headers) == 200


def test_a_file_that_breaks_turns_nobody_out_and_lets_nobody_in_until_it_is_mended(
    site: Site, operator: Client, caplog: pytest.LogCaptureFixture
) -> None:
    path = Path(site.config.credentials)
    good = path.read_bytes()
    path.write_bytes(good[:100])
    try:
        assert _refused(site, header=site.bearer("operator")) == 503
        assert "Test.Counter" in _names(operator)
        with site.client() as nobody:
            assert _names(nobody)
        told = [each for each in caplog.records if each.levelno == logging.ERROR]
        assert len(told) == 1 and "is not a file with credentials" in told[0].getMessage()
    finally:
        path.write_bytes(good)
        caplog.clear()
    wait_until(lambda: site.get("/whoami", **site.bearer("operator")).status == 200, "it is read")


def test_many_wrong_passwords_at_once_delay_no_value(site: Site, operator: Client) -> None:
    handle = operator.send("MONITORSTART", {"Variable": "Boiler.Temperature"})
    wrong = "Basic " + base64.b64encode(b"nobody:at all").decode()
    attacks = [connect(site.server) for _ in range(2)]
    try:
        for peer in attacks:
            peer.send(opening(Authorization=wrong))
        updates: Sequence[Any] = [operator.update(handle) for _ in range(3)]
        assert len(updates) == 3
        assert [peer.head()[0] for peer in attacks] == [401] * 2
    finally:
        for peer in attacks:
            peer.sock.close()
