"""The opening handshake (PROTOCOL section 1, RFC 6455 section 4), good and bad, byte by byte."""

import json
import random
import socket
import threading
import time
from typing import Dict, Iterator, Optional

import pytest
import websocket

from opcws.app import Server
from opcws.config import loads
from opcws.config.settings import Limits, Listen
from opcws.model.errors import ListenError
from opcws.wire import contract
from opcws.ws import host_check, http_message, opening_handshake

from ... import support
from ...support import Client
from ...support.byte_client import (
    ACCEPT,
    KEY,
    TEXT,
    Answer,
    connect,
    exchange,
    frame,
    no_connections_left,
    no_more_threads_than,
    opening,
    serving,
    upgraded,
)

MAX_HEAD_BYTES = Limits.max_header_bytes
VALUELIST = b'{"Header":{"MessageType":"VALUELIST_REQUEST","ClientHandle":"first"}}'

TLS_HELLO = bytes.fromhex("16030100a5010000a10303") + bytes(range(160))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """opcws whose plant is away: a handshake needs none."""
    with serving() as running:
        yield running


@pytest.fixture(scope="module", params=["127.0.0.1", "0.0.0.0"])
def listening(request: pytest.FixtureRequest) -> Iterator[Server]:
    """opcws at a loopback address, and at every address."""
    with serving(host=request.param) as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_is_a_defect(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    defects = [each for each in caplog.records if "defect" in each.getMessage()]
    assert not defects, [each.exc_text for each in defects]


def _still_answers(server: Server) -> None:
    with Client(server.urls[0]) as client:
        assert client.body("VALUELIST")["Variables"]


# --- the good ones ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/ws", "/?", "/ws?unknown=1", "/%77s"])
def test_both_paths_are_upgraded(server: Server, path: str) -> None:
    with connect(server) as peer:
        peer.send(opening(path))
        status, headers = peer.head()
        assert status == 101
        assert headers["upgrade"].lower() == "websocket"
        assert headers["connection"].lower() == "upgrade"
        assert headers["sec-websocket-accept"] == ACCEPT


@pytest.mark.parametrize(
    ("offered", "selected"),
    [
        (None, None),
        ("json", "json"),
        ("mqtt, json", "json"),
        ("mqtt,json,other", "json"),
        ("mqtt", None),
        ("opcws.v2+json", None),
        ("opcws.v2+json, json", "json"),
        ("JSON", None),
        ("json2", None),
        (",,", None),
        ("b\xe4d, json", "json"),
    ],
)
def test_the_subprotocol_json_is_selected_if_offered_and_none_otherwise(
    server: Server, offered: Optional[str], selected: Optional[str]
) -> None:
    with connect(server) as peer:
        peer.send(opening(Sec_WebSocket_Protocol=offered))
        status, headers = peer.head()
        assert status == 101
        assert headers.get("sec-websocket-protocol") == selected
        assert headers["opcws-contract"] == contract.VERSION


@pytest.mark.parametrize(
    ("offered", "selected", "version"),
    [
        ("opcws.v2+json, json", "opcws.v2+json", "2.3"),
        ("json, opcws.v2+json", "json", contract.VERSION),
        ("opcws.v3+json, opcws.v2+json", "opcws.v2+json", "2.3"),
        ("opcws.v3+json", None, contract.VERSION),
    ],
)
def test_of_two_major_versions_the_client_chooses_and_the_header_tells_the_whole_version(
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    offered: str,
    selected: Optional[str],
    version: str,
) -> None:
    monkeypatch.setitem(contract.SUBPROTOCOLS, "opcws.v2+json", "2.3")
    with connect(server) as peer:
        peer.send(opening(Sec_WebSocket_Protocol=offered) + frame(TEXT, VALUELIST))
        status, headers = peer.head()
        assert status == 101
        assert headers.get("sec-websocket-protocol") == selected
        assert headers["opcws-contract"] == version
        assert b"VALUELIST_RESPONSE" in peer.next(TEXT).payload


def test_compression_is_not_agreed_to(server: Server) -> None:
    with connect(server) as peer:
        peer.send(opening(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits"))
        status, headers = peer.head()
        assert status == 101
        assert "sec-websocket-extensions" not in headers


def test_header_names_and_tokens_are_taken_in_any_case(server: Server) -> None:
    with connect(server) as peer:
        peer.send(opening().replace(b"Upgrade", b"UPGRADE").replace(b"websocket", b"WebSocket"))
        assert peer.head()[0] == 101


def test_a_request_glued_to_the_handshake_is_answered(server: Server) -> None:
    with connect(server) as peer:
        peer.send(opening() + frame(TEXT, VALUELIST) + frame(TEXT, VALUELIST)[:9])
        assert peer.head()[0] == 101
        answer = json.loads(peer.next(TEXT).payload)
        assert answer["Header"] == {"MessageType": "VALUELIST_RESPONSE", "ClientHandle": "first"}


def test_a_handshake_in_single_bytes_is_taken(server: Server) -> None:
    with connect(server) as peer:
        for byte in opening():
            peer.send(bytes([byte]))
        assert peer.head()[0] == 101


def test_the_url_chooses_the_dialect_of_one_connection(server: Server) -> None:
    for query, handle in [("", 7), ("?scalars=typed", 7), ("?scalars=string", "7")]:
        with Client(server.urls[0], query) as client:
            assert client.request("VALUELIST", handle=7)["Header"]["ClientHandle"] == handle


def test_two_listeners_have_dialects_of_their_own() -> None:
    settings = support.settings("opc.tcp://127.0.0.1:%d" % support.free_port())
    typed = settings["listen"]
    settings["listen"] = [typed, {**typed, "scalars": "string"}]
    others = set(support.our_threads())
    running = Server(loads(json.dumps(settings)))
    running.start()
    try:
        for url, handle in zip(running.urls, (7, "7")):
            with Client(url) as client:
                assert client.request("VALUELIST", handle=7)["Header"]["ClientHandle"] == handle
        with Client(running.urls[1], "?scalars=typed") as client:
            assert client.request("VALUELIST", handle=7)["Header"]["ClientHandle"] == 7
    finally:
        running.stop()
        no_more_threads_than(others)


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
        return True
    except OSError:
        return False


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6 loopback")
def test_ipv6_is_listened_on_and_the_url_says_so() -> None:
    with serving(host="::1") as running:
        assert running.urls[0].startswith("http://[::1]:")
        _still_answers(running)


def test_a_port_that_is_taken_is_told_with_a_remedy_and_nothing_is_left(server: Server) -> None:
    port = server.listeners[0].addresses[0][1]
    before = support.our_threads()
    settings = support.settings("opc.tcp://127.0.0.1:1", listen={"port": port})
    running = Server(loads(json.dumps(settings)))
    with pytest.raises(ListenError) as caught:
        running.start()
    text = str(caught.value)
    assert "127.0.0.1" in text and str(port) in text and "another program" in text
    assert support.our_threads() == before


def test_an_address_that_is_not_this_machines_is_told() -> None:
    settings = support.settings("opc.tcp://127.0.0.1:1", listen={"host": "192.0.2.1"})
    running = Server(loads(json.dumps(settings)))
    with pytest.raises(ListenError, match="no such address; check listen.host"):
        running.start()


# --- bad upgrades -------------------------------------------------------------------------------

BAD_UPGRADES = {
    "no key": (opening(Sec_WebSocket_Key=None), 400),
    "an empty key": (opening(Sec_WebSocket_Key=""), 400),
    "a short key": (opening(Sec_WebSocket_Key="c2hvcnQ="), 400),
    "a key of 18 bytes": (opening(Sec_WebSocket_Key="A" * 24), 400),
    "a key that is no base64": (opening(Sec_WebSocket_Key="!" * 22 + "=="), 400),
    "a key that is no ASCII": (opening(Sec_WebSocket_Key="\xe4" * 22 + "=="), 400),
    "two keys": (
        opening().replace(b"Upgrade: ", b"Sec-WebSocket-Key: dGhl\r\nUpgrade: ", 1),
        400,
    ),
    "version 8": (opening(Sec_WebSocket_Version="8"), 426),
    "no version": (opening(Sec_WebSocket_Version=None), 426),
    "POST": (opening(method="POST"), 400),
    "HEAD": (opening(method="HEAD"), 400),
    "HTTP/1.0": (opening(version="HTTP/1.0"), 400),
    "no Host": (opening(Host=None), 400),
    "two Hosts": (opening().replace(b"Host: ", b"Host: a\r\nHost: "), 400),
    "no Connection": (opening(Connection=None), 400),
    "Connection without Upgrade": (opening(Connection="keep-alive"), 400),
    "a body": (opening(Content_Length="5") + b"hello", 400),
    "a chunked body": (opening(Transfer_Encoding="chunked") + b"0\r\n\r\n", 400),
    "no Upgrade at /ws": (opening("/ws", Upgrade=None), 426),
    "another Upgrade at /ws": (opening("/ws", Upgrade="h2c"), 426),
    "an unknown path": (opening("/websocket"), 404),
    "a path below": (opening("/ws/"), 404),
    "an unknown dialect": (opening("/?scalars=xml"), 400),
    "an empty dialect": (opening("/?scalars="), 400),
    "a bad status": (opening("/?status=yes"), 400),
    "a target that is no URL": (opening("//["), 404),
    "an unfinished IPv6 target": (opening("http://[::1/ws"), 400),
}


@pytest.mark.parametrize("name", BAD_UPGRADES)
def test_a_bad_upgrade_is_refused_with_a_reason_and_closed(server: Server, name: str) -> None:
    data, status = BAD_UPGRADES[name]
    answer = exchange(server, data)
    assert answer.status == status
    assert answer.headers["connection"] == "close"
    if name != "HEAD":
        assert int(answer.headers["content-length"]) == len(answer.body) > 10


def test_a_wrong_version_is_told_the_right_one(server: Server) -> None:
    answer = exchange(server, opening(Sec_WebSocket_Version="8"))
    assert answer.headers["sec-websocket-version"] == "13"
    assert answer.headers["upgrade"] == "websocket"


@pytest.mark.parametrize("host", ["a..b", "\xe4", "x" * 300, "[", "localhost:99999"])
def test_a_strange_host_is_no_defect(server: Server, host: str) -> None:
    with connect(server) as peer:
        peer.send(opening(Host=host))
        assert peer.head()[0] in (101, 400)


# --- Origin -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 101),
        ("http://localhost", 101),
        ("HTTP://LocalHost", 101),
        ("https://localhost", 403),
        ("http://localhost:8080", 403),
        ("http://localhost.evil.example", 403),
        ("http://evil.example", 403),
        ("null", 403),
        ("", 403),
        ("http://[", 403),
        ("\xe4\xf6\xfc", 403),
    ],
)
def test_only_pages_of_the_same_origin_may_connect(
    server: Server, origin: Optional[str], status: int
) -> None:
    with connect(server) as peer:
        peer.send(opening(Host="localhost", Origin=origin))
        assert peer.head()[0] == status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8081", 101),
        ("[::1]:8081", 101),
        ("192.0.2.7", 101),
        ("panel.localhost:8081", 101),
        ("evil.example:8081", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example", 403),
        ("[", 403),
        ("", 403),
    ],
)
def test_a_page_whose_name_was_made_to_point_here_may_not_connect_nor_see_anything(
    listening: Server, host: str, status: int
) -> None:
    """A name of somebody else's, with which a browser takes this server for that one."""
    with connect(listening) as peer:
        peer.send(opening(Host=host, Origin="http://" + host))
        assert peer.head()[0] == status
    for path in ("/", "/status", "/metrics", "/whoami", "/docs/", "/readyz", "/page.js"):
        for headers in ({}, {"Sec_Fetch_Site": "same-origin", "Origin": "http://" + host}):
            answer = _get(listening, path, Host=host, **headers)
            assert answer.status == (200 if status == 101 else 403) or (
                path == "/readyz" and answer.status == 503 and status == 101
            ), path
    for path in ("/healthz", "/opcws.js"):
        assert _get(listening, path, Host=host).status == 200


def test_no_host_is_no_browsers_and_the_refusal_says_what_to_do(server: Server) -> None:
    assert exchange(server, b"GET /status HTTP/1.0\r\n\r\n").status == 200
    assert b"listen.origins" in _get(server, "/status", Host="evil.example").body


def test_names_of_this_machine_and_of_the_configuration_are_its_own() -> None:
    name = socket.gethostname().upper()
    with serving(origins=["http://Panel.example:8081"]) as running:
        for host in (
            name,
            name.partition(".")[0] + ".local:8081",
            "panel.example",
            "panel.example.",
        ):
            assert _get(running, "/status", Host=host).status == 200, host
        assert _get(running, "/status", Host="evil.example").status == 403
    assert host_check.are_ours(["Gateway.example:1"], Listen(host="gateway.example"))


@pytest.mark.parametrize(
    ("host", "forwarded", "status"),
    [
        ("127.0.0.1:8081", {}, 200),
        ("127.0.0.1:8081", {"X_Forwarded_Host": "hmi.example"}, 200),
        ("127.0.0.1:8081", {"X_Forwarded_Host": "evil.example"}, 403),
        ("127.0.0.1:8081", {"X_Forwarded_Host": "evil.example, hmi.example"}, 403),
        ("evil.example", {}, 403),
        ("evil.example", {"X_Forwarded_Host": "hmi.example"}, 403),
        ("evil.example", {"X_Forwarded_Proto": "https"}, 200),
        ("evil.example", {"X_Forwarded_Proto": "http"}, 403),
    ],
)
def test_behind_a_trusted_proxy_the_forwarded_host_counts_too(
    host: str, forwarded: Dict[str, str], status: int
) -> None:
    with serving(trusted_proxies=["127.0.0.1"], origins=["http://hmi.example"]) as running:
        assert _get(running, "/status", Host=host, **forwarded).status == status
    with serving() as running:
        forwarded.pop("X_Forwarded_Host", None)
        refused = _get(running, "/status", Host=host, **forwarded).status
        assert refused == (403 if host == "evil.example" else 200), "from nobody whom it trusts"


@pytest.mark.parametrize(
    ("listen", "secure"),
    [(Listen(), True), (Listen(origins=("http://plant.example",)), False)],
    ids=["with a certificate for the name", "that the configuration names"],
)
def test_a_page_may_have_any_name_that_is_certain(listen: Listen, secure: bool) -> None:
    headers = [
        *(("host", "plant.example"), ("upgrade", "websocket"), ("connection", "Upgrade")),
        *(("sec-websocket-key", KEY), ("sec-websocket-version", "13")),
        ("origin", "https://plant.example" if secure else "http://plant.example"),
    ]
    request = http_message.Request("GET", "1.1", "/", {}, headers)
    assert opening_handshake.upgrade(request, listen, secure, ["plant.example"])


def test_configured_origins_may_connect_too() -> None:
    with serving(origins=["https://hmi.example", "http://panel.example:8080"]) as running:
        for origin, status in [
            ("https://hmi.example", 101),
            ("http://panel.example:8080", 101),
            ("http://localhost", 101),
            ("http://hmi.example", 403),
            ("http://panel.example", 403),
        ]:
            with connect(running) as peer:
                peer.send(opening(Host="localhost", Origin=origin))
                assert peer.head()[0] == status, origin


def test_a_star_lets_every_origin_in() -> None:
    with serving(origins=["*"]) as running:
        for origin in ("http://evil.example", "null"):
            upgraded(running, Origin=origin).sock.close()


# --- what is not a handshake at all -------------------------------------------------------------

NOT_HTTP = {
    "a TLS hello": TLS_HELLO,
    "an HTTP/0.9 line": b"GET /\r\n\r\n",
    "a line of text": b"hello there\r\n\r\n",
    "an empty line and garbage": b"\r\n\r\n\x80\x81\r\n\r\n",
    "bytes above 127": bytes(range(128, 256)) + b"\r\n\r\n",
    "zeros": bytes(64),
    "an OPC UA hello": b"HELF\x20\x00\x00\x00" + bytes(24),
    "a header without a colon": b"GET / HTTP/1.1\r\nHost plant\r\n\r\n",
    "a NUL in a header": b"GET / HTTP/1.1\r\nHost: a\x00b\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/1.1 without Host": b"GET / HTTP/1.1\r\n\r\n",
    "a negative length": b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
}


@pytest.mark.parametrize("name", NOT_HTTP)
def test_what_is_not_http_gets_400_with_a_status_line(server: Server, name: str) -> None:
    with connect(server) as peer:
        peer.send(NOT_HTTP[name])
        assert peer.answer().status == 400, "at once, without the end of a line too"


def test_a_head_that_is_too_large_gets_431(server: Server) -> None:
    assert exchange(server, opening(Cookie="x" * (MAX_HEAD_BYTES + 4096))).status == 431
    endless = b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * (MAX_HEAD_BYTES // 6 + 1000)
    assert exchange(server, endless).status == 431
    assert exchange(server, b"GET /" + b"x" * (MAX_HEAD_BYTES + 4096)).status == 431
    upgraded(server, Cookie="x" * (MAX_HEAD_BYTES - 1024)).sock.close()


def test_a_method_that_is_not_known_is_refused(server: Server) -> None:
    for method in ("POST", "DELETE", "OPTIONS", "BREW"):
        answer = exchange(server, ("%s / HTTP/1.1\r\nHost: localhost\r\n\r\n" % method).encode())
        assert answer.status == 405
        assert answer.headers["allow"] == "GET, HEAD"


def test_mutated_handshakes_each_get_an_answer_and_leave_nothing(server: Server) -> None:
    seed = 6455
    print("seed", seed)
    chance = random.Random(seed)
    good = opening("/ws?scalars=typed", Origin="http://localhost", Cookie="a=b")
    for _ in range(300):
        data = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(data))
            kind = chance.randrange(4)
            if kind == 0:
                data[place] = chance.randrange(256)
            elif kind == 1:
                del data[place : place + chance.randint(1, 20)]
            elif kind == 2:
                data[place:place] = bytes(chance.randrange(256) for _ in range(5))
            else:
                data[place:place] = data[chance.randrange(len(data)) :][:30]
        with connect(server) as peer:
            peer.send(bytes(data))
            peer.sock.shutdown(socket.SHUT_WR)
            answer = peer.rest()
            assert not answer or answer.startswith(b"HTTP/1.1 "), bytes(data)
    no_connections_left(server)
    _still_answers(server)


# --- too slow, too many -------------------------------------------------------------------------


def test_a_silent_client_delays_nobody() -> None:
    """No deadline comes to help."""
    with serving(handshake_timeout_s=10 * support.PATIENCE) as running:
        silent = [connect(running) for _ in range(7)]
        silent[-1].send(opening()[:60])
        _still_answers(running)
        for peer in silent:
            peer.sock.close()


def test_half_handshakes_end_at_one_absolute_deadline() -> None:
    with serving(handshake_timeout_s=3) as running:
        began = time.monotonic()
        silent = [connect(running) for _ in range(5)]
        half = connect(running)
        half.send(opening()[:60])
        loris = connect(running)
        stop = threading.Event()

        def drip() -> None:
            try:
                for byte in opening(Cookie="x" * 8000):
                    loris.send(bytes([byte]))
                    if stop.wait(0.05):
                        return
            except OSError:
                pass  # the server has had enough

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            for peer in (*silent, half, loris):
                assert peer.head()[0] == 408
                assert time.monotonic() - began > 2.9
            no_connections_left(running)
            most_s = 3.0 + 2 * support.slack_s()
            assert time.monotonic() - began < most_s, "neither a byte nor a drain extends it"
        finally:
            stop.set()
            dripping.join()
            for peer in (*silent, half, loris):
                peer.sock.close()


def test_a_client_that_leaves_in_its_handshake_leaves_nothing(server: Server) -> None:
    for part in (b"", b"G", opening()[:-1], opening()):
        peer = connect(server)
        peer.send(part)
        peer.vanish()
    no_connections_left(server)


def test_one_client_too_many_gets_503_and_a_place_that_is_free_again_is_given() -> None:
    with serving(limits={"max_connections": 2}) as running:
        with Client(running.urls[0]) as first:
            second = Client(running.urls[0])
            with connect(running) as third:
                third.send(opening())
                assert third.answer().status == 503
            assert first.body("VALUELIST")["Variables"]
            second.vanish()
            support.wait_until(
                lambda: len(running.listeners[0].connections()) < 2, "the second has left"
            )
            _still_answers(running)


def test_websocket_client_is_told_the_status_of_a_refusal(server: Server) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        websocket.create_connection(
            server.urls[0].replace("http", "ws") + "nowhere", timeout=support.PATIENCE
        )
    assert caught.value.status_code == 404


# --- pages --------------------------------------------------------------------------------------


def _get(server: Server, path: str, method: str = "GET", **headers: Optional[str]) -> Answer:
    return exchange(server, opening(path, method, Upgrade=None, Connection=None, **headers))


def test_health_is_told(server: Server) -> None:
    answer = _get(server, "/healthz")
    assert (answer.status, answer.body) == (200, b"ok\n")


def test_the_status_document_names_version_contract_and_servers(server: Server) -> None:
    answer = _get(server, "/status")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    document = json.loads(answer.body)
    assert document["Contract"] == contract.VERSION
    assert document["Version"]
    assert len(document["Servers"]) == 1


def test_head_gives_the_headers_of_get_and_no_body(server: Server) -> None:
    for path in ("/", "/healthz", "/status", "/nowhere"):
        got, head = _get(server, path), _get(server, path, "HEAD")
        assert head.status == got.status
        assert head.body == b""
        if path != "/status":
            assert head.headers == got.headers


@pytest.mark.parametrize(
    "path",
    [
        "/../handshake.py",
        "/%2e%2e/handshake.py",
        "/..%2fws/handshake.py",
        "/static/../../setup.cfg",
        "/..%5cws%5chandshake.py",
        "//etc/passwd",
        "//localhost/status",
        "xhealthz",
        "xstatus",
        "xopcws.js",
        "httpx://localhost/status",
        "ftp://localhost/status",
        "/%00",
        "/index.html%00.js",
        "/.hidden.js",
        "/C:%5cwindows%5cwin.ini",
        pytest.param("/" + "x" * 5000 + ".js", id="a very long name"),
        "/%ff%fe.js",
        "/nowhere",
        "/con.html",
    ],
)
def test_nothing_outside_the_pages_is_served(server: Server, path: str) -> None:
    assert _get(server, path).status == 404


@pytest.mark.parametrize(
    "target", ["http://localhost", "HTTP://user@localhost:80", "https://localhost?b=/c"]
)
def test_a_target_in_absolute_form_without_a_path_is_that_of_the_root(
    server: Server, target: str
) -> None:
    answer = _get(server, target)
    assert (answer.status, answer.body) == (200, _get(server, "/").body)
    with connect(server) as peer:
        peer.send(opening(target.replace("http", "ws", 1)))
        assert peer.head()[0] == 101


def test_an_absolute_target_has_its_path_query_and_host(server: Server) -> None:
    """What it says goes before the header Host (RFC 9112 3.2.2)."""
    assert _get(server, "http://localhost/healthz?x").body == b"ok\n"
    with connect(server) as peer:
        peer.send(opening("http://localhost/ws", Host="evil.example", Origin="http://evil.example"))
        assert peer.head()[0] == 403
    with connect(server) as peer:
        peer.send(opening("http://localhost/ws", Host="evil.example", Origin="http://localhost"))
        assert peer.head()[0] == 101


SECOND = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
#: Requests whose end a proxy may see elsewhere, each with a second one in it or behind it.
SMUGGLED = {
    "both lengths": (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "both the other way": (
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        400,
    ),
    "two lengths": (b"Content-Length: 0\r\nContent-Length: 37\r\n\r\n", 400),
    "a list of lengths": (b"Content-Length: 0, 37\r\n\r\n", 400),
    "a signed length": (b"Content-Length: +37\r\n\r\n", 400),
    "a length in hexadecimal": (b"Content-Length: 0x25\r\n\r\n", 400),
    "no number": (b"Content-Length: \r\n\r\n", 400),
    "another coding": (b"Transfer-Encoding: xchunked\r\n\r\n", 501),
    "two codings": (b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    "a coding twice": (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", 501),
    "a space before the colon": (b"Content-Length : 37\r\n\r\n", 400),
    "a tab before the colon": (b"Transfer-Encoding\t: chunked\r\n\r\n", 400),
    "a name with a return": (b"X: a\rTransfer-Encoding: chunked\r\n\r\n", 400),
    "a folded line first": (b" Transfer-Encoding: chunked\r\n\r\n", 403),
    "two hosts": (b"Host: b\r\n\r\n", 400),
    "chunks": (b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 405),
    "a chunk with a strange size": (b"Transfer-Encoding: chunked\r\n\r\n0_2\r\n\r\n", 405),
    "a body that is a request": (b"Content-Length: 37\r\n\r\n", 405),
    "an upgrade with a body": (b"Upgrade: websocket\r\nContent-Length: 37\r\n\r\n", 400),
    "an upgrade to another protocol": (b"Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n", 405),
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_a_request_whose_end_is_not_certain_gets_one_answer_and_what_is_behind_it_none(
    server: Server, name: str
) -> None:
    headers, status = SMUGGLED[name]
    with connect(server) as peer:
        peer.send(b"POST / HTTP/1.1\r\nHost: localhost\r\n" + headers + SECOND)
        answer = peer.rest()
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert answer.count(b"\r\nConnection: close\r\n") == 1


def test_a_coding_in_the_first_http_is_refused(server: Server) -> None:
    data = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND
    assert exchange(server, data).status == 400


def test_several_requests_on_one_connection_get_one_answer(server: Server) -> None:
    """One request per connection: ``Connection: close`` says so."""
    data = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * 3
    answer = exchange(server, data)
    assert (answer.status, answer.body) == (200, b"ok\n")
