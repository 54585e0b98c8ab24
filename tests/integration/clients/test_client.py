"""``opcws.client`` against a real opcws and the simulated plant, and against what is none."""

import contextlib
import json
import math
import socket
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest
from wsproto import ConnectionType, WSConnection, events

from opcws.access import accounts
from opcws.app import Server
from opcws.client import (
    CONTRACT,
    Busy,
    Client,
    ConnectError,
    ConnectionLost,
    NoAnswer,
    NotAllowed,
    NotTrusted,
    RequestRefused,
    VariableError,
    time_text,
    websocket,
)
from opcws.client import client as client_module
from opcws.config import loads
from opcws.wire import contract
from opcws.x509 import listener_certificate

from ... import support
from ...support import PATIENCE, PlantProcess, free_port


def address(server: Server) -> str:
    return server.urls[0].replace("http", "ws", 1)


@pytest.fixture
def connected(server: Server) -> Iterator[Client]:
    with Client(address(server), timeout_s=PATIENCE) as made:
        yield made


def test_names_and_what_is_known_of_them(connected: Client) -> None:
    names = connected.names()
    assert names == sorted(names) and "Boiler.Temperature" in names
    # What the plant says of its variables is learnt after it is connected.
    found = support.wait_until(
        lambda: [
            infos
            for infos in [connected.info(["Boiler.Temperature", "No.Such"])]
            if "EngineeringUnits" in infos[0]
        ],
        "the units",
    )[0]
    assert found[0]["EngineeringUnits"]["DisplayName"] == "°C"
    assert found[1]["StatusCode"] == "BadNodeIdUnknown"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Types.Int64", -(2**63)),
        ("Types.UInt64Array", [2**64 - 1, 0]),
        ("Types.Double", -math.inf),
        ("Types.ByteString", b"\x00\xff"),
        ("Types.String", "Κόσμε"),
        ("Types.Boolean", True),
        ("Types.LocalizedText", {"Locale": "de", "Text": "Kessel"}),
        ("Types.EmptyArray", []),
    ],
)
def test_what_is_written_is_read(connected: Client, name: str, value: Any) -> None:
    connected.write(name, value)
    assert connected.read(name).value == value


def test_many_are_read_and_written_in_one_request_each_with_its_own_result(
    connected: Client,
) -> None:
    wrong = connected.write_many([("Test.Counter", 41), ("Boiler.Level", 1.0), ("Nope", 1)])
    assert wrong[0] is None
    assert [each and each.status for each in wrong[1:]] == ["BadNotWritable", "BadNodeIdUnknown"]
    counter, bad, unknown = connected.read_many(["Test.Counter", "Types.Bad", "Nope"])
    assert counter.value == 41 and counter.good and counter.type == "UInt32"
    assert bad.bad and bad.symbol == "BadSensorFailure" and bad.value == 0.0
    assert unknown.bad and unknown.symbol == "BadNodeIdUnknown"


def test_a_bad_value_is_not_taken_for_a_good_one(connected: Client) -> None:
    with pytest.raises(VariableError) as caught:
        connected.read("Types.Bad")
    assert caught.value.status == "BadSensorFailure" and caught.value.variable == "Types.Bad"
    assert connected.read("Types.Uncertain").uncertain


def test_a_write_that_is_refused_says_why(connected: Client) -> None:
    with pytest.raises(VariableError) as caught:
        connected.write("Boiler.Setpoint", "hot")
    assert caught.value.status == "BadTypeMismatch" and "Double" in caught.value.reason


def test_a_request_that_is_refused_as_a_message_says_why(connected: Client) -> None:
    with pytest.raises(RequestRefused) as caught:
        connected.request("READ", {"Varable": "x"})
    assert caught.value.status == "BadAttributeIdInvalid"


def test_history_comes_page_by_page_as_one_list(server: Server, connected: Client) -> None:
    for number in range(30):
        connected.write("Test.Counter", number)
    begin = "2020-01-01T00:00:00Z"
    every = list(connected.history("Test.Counter", begin))
    limited = support.serve(
        server.config.servers["plant"].endpoint, server={"history_max_values": 7}
    )
    try:
        support.wait_connected(limited)
        with Client(address(limited), timeout_s=PATIENCE) as other:
            pages = list(other.history("Test.Counter", begin))[: len(every)]
            some = list(other.history("Test.Counter", begin, max_values=10))
    finally:
        limited.stop()
    assert [value.value for value in pages] == [value.value for value in every]
    assert len(every) >= 30
    assert [value.value for value in some] == [value.value for value in every[:10]]
    with pytest.raises(VariableError):
        list(connected.history("Boiler.Valve", begin, aggregate="Nonsense", interval_ms=1000))


def test_the_past_of_several_variables_is_thinned_out_in_one_request(connected: Client) -> None:
    begin = time_text(datetime.now(timezone.utc))
    for number in (5, 9, 3, 4, 4, 1, 7, 2, 6, 8):
        connected.write("Test.Counter", number)
    names = ["Test.Counter", "Types.Int32", "Boiler.Temperature", "Nope"]
    counter, none, temperature, unknown = connected.history_many(names, begin, max_points=6)
    numbers = [value.value for value in counter.values]
    assert counter.name == "Test.Counter" and counter.source == "plant" and counter.symbol == "Good"
    assert len(numbers) <= 6 and (numbers[0], numbers[-1]) == (5, 8)
    assert {1, 9} <= set(numbers), "each extreme"
    assert none.error is not None and none.error.status == "BadHistoryOperationUnsupported"
    assert unknown.error is not None and unknown.error.status == "BadNodeIdUnknown"
    assert temperature.error is None
    assert connected.history_many([], begin) == []
    all_of_it = connected.history_many(
        ["Test.Counter"], begin, time_text(datetime.now(timezone.utc))
    )
    assert [value.value for value in all_of_it[0].values][:3] == [5, 9, 3]


def test_a_monitor_gives_the_present_value_and_each_change(connected: Client) -> None:
    connected.write("Test.Counter", 1)
    with connected.monitor(["Test.Counter", "Types.Bad", "Nope"]) as monitor:
        first = {value.name: value for value in (monitor.next(PATIENCE) for _ in range(3)) if value}
        assert first["Test.Counter"].value == 1
        assert first["Types.Bad"].symbol == "BadSensorFailure"
        assert first["Nope"].symbol == "BadNodeIdUnknown"
        for number in range(2, 6):
            # The response comes among the updates, and neither takes the other's place.
            connected.write("Test.Counter", number)
        seen = [value.value for value in (monitor.next(PATIENCE) for _ in range(4)) if value]
        assert seen == [2, 3, 4, 5]
        assert monitor.next(0.05) is None
    connected.write("Test.Counter", 6)
    assert connected.read("Test.Counter").value == 6


def test_a_monitor_survives_the_end_of_opcws(plant: PlantProcess) -> None:
    port = free_port()
    first = support.serve(plant.endpoint, listen={"port": port})
    second = None
    try:
        support.wait_connected(first)
        with Client(address(first), timeout_s=PATIENCE) as client:
            client.write("Test.Counter", 7)
            with client.monitor(["Test.Counter"]) as monitor:
                value = monitor.next(PATIENCE)
                assert value is not None and value.value == 7
                first.stop()
                lost = monitor.next(PATIENCE)
                assert lost is not None and lost.symbol == "BadNotConnected" and lost.value == 7
                assert monitor.lost is not None
                assert monitor.next(0.3) is None
                second = support.serve(plant.endpoint, listen={"port": port})
                back = lost
                while back.bad:
                    found = monitor.next(PATIENCE)
                    assert found is not None
                    back = found
                assert back.value == 7 and monitor.lost is None
                support.wait_connected(second)  # when every item is made, not with the first
                # A request on the new connection, beside the monitor.
                client.write("Test.Counter", 8)
                value = monitor.next(PATIENCE)
                assert value is not None and value.value == 8
    finally:
        first.stop()
        if second is not None:
            second.stop()


def test_a_monitor_is_told_what_changed_while_opcws_was_away(
    plant: PlantProcess, server: Server
) -> None:
    port = free_port()
    first = support.serve(plant.endpoint, listen={"port": port})
    second = None
    try:
        support.wait_connected(first)
        with Client(address(server), timeout_s=PATIENCE) as writer:
            writer.write("Test.Counter", 1)
            with Client(address(first), timeout_s=PATIENCE) as client:
                with client.monitor(["Test.Counter"]) as monitor:
                    value = monitor.next(PATIENCE)
                    assert value is not None and value.value == 1
                    first.stop()
                    for number in range(2, 7):
                        writer.write("Test.Counter", number)
                    second = support.serve(plant.endpoint, listen={"port": port})
                    told = []
                    while not told or told[-1].value != 8:
                        value = monitor.next(PATIENCE)
                        assert value is not None
                        told += [value] if value.good else []
                        if value.good and value.value == 6:
                            for number in (7, 8):
                                writer.write("Test.Counter", number)
        assert [value.value for value in told] == [2, 3, 4, 5, 6, 7, 8]
        assert [value.historical for value in told] == [True] * 4 + [False] * 3
        assert not any(value.overflow for value in told)
    finally:
        first.stop()
        if second is not None:
            second.stop()


def test_a_monitor_that_is_not_to_reconnect_says_that_the_connection_is_lost(
    plant: PlantProcess,
) -> None:
    server = support.serve(plant.endpoint)
    with Client(address(server), timeout_s=PATIENCE) as client:
        with client.monitor(["Test.Counter"], reconnect=False) as monitor:
            server.stop()
            with pytest.raises(ConnectionLost) as caught:
                for _ in range(100):
                    monitor.next(PATIENCE)
            assert caught.value.close_code == 1001


def test_the_version_of_the_contract_that_the_server_speaks_is_known(
    server: Server, connected: Client
) -> None:
    assert connected.contract == CONTRACT == contract.VERSION
    connected.close()
    assert connected.contract is None


def test_of_the_same_major_version_another_minor_one_is_good_and_of_another_none(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(contract.SUBPROTOCOLS, "json", "%d.99" % contract.MAJOR)
    with Client(address(server), timeout_s=PATIENCE) as client:
        assert client.contract == "%d.99" % contract.MAJOR
        assert client.names()
    monkeypatch.setitem(contract.SUBPROTOCOLS, "json", "%d.0" % (contract.MAJOR + 1))
    with pytest.raises(ConnectError, match="it speaks version %d.0" % (contract.MAJOR + 1)):
        Client(address(server), timeout_s=PATIENCE).connect()


def test_a_request_after_the_connection_was_closed_connects_again(
    server: Server, connected: Client
) -> None:
    for connection in server.listeners[0].connections():
        connection.close(1000, "the test ends it")
    support.wait_until(lambda: not server.listeners[0].connections(), "closed")
    assert connected.read("Test.Counter").good


def test_values_that_nobody_fetched_are_dropped_and_the_next_one_says_so(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "MAX_WAITING", 3)
    with Client(address(server), timeout_s=PATIENCE) as client:
        with client.monitor(["Test.Counter"]) as monitor:
            # Each write is a value of its own only once the variable is monitored.
            support.wait_until(lambda: client.names() and monitor._last, "the present value")
            for number in range(100, 110):
                client.write("Test.Counter", number)
            # The last update may come behind the last response.
            support.wait_until(
                lambda: client.names() and monitor._last["Test.Counter"].value == 109, "the last"
            )
            seen = [value for value in (monitor.next(0) for _ in range(3)) if value is not None]
            assert [value.value for value in seen] == [107, 108, 109]
            assert [value.overflow for value in seen] == [True, False, False]


# --- what is not opcws, or does not want us ---------------------------------------------------


@contextlib.contextmanager
def stranger(answer: bytes, close: bool = True) -> Iterator[str]:
    """A server that answers whatever comes with *answer*."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(5)
    kept = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listening.accept()
                kept.append(peer)
                peer.recv(65536)
                peer.sendall(answer)
                if close:
                    peer.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield "ws://127.0.0.1:%d/" % listening.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)  # frees the accept on Linux
        listening.close()
        thread.join(PATIENCE)
        for peer in kept:
            peer.close()


HTTP = b"HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n%s\r\n%s"


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (b"", ConnectError, "closes the connection without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", ConnectError, "does not speak HTTP"),
        (b"ERRF\x00\x00", ConnectError, "it is not opcws"),
        (HTTP % (b"200 OK", 2, b"", b"hi"), ConnectError, "no opcws at this path"),
        (HTTP % (b"404 Not Found", 2, b"", b"no"), ConnectError, "no opcws at this path"),
        (HTTP % (b"302 Found", 0, b"Location: https://h/x\r\n", b""), ConnectError, "https://h/x"),
        (HTTP % (b"502 Bad Gateway", 2, b"", b"no"), ConnectError, "in between answers 502"),
        (HTTP % (b"403 Forbidden", 4, b"", b"nope"), NotAllowed, "nope"),
        (HTTP % (b"401 Unauthorized", 5000, b"", b"cut off"), NotAllowed, "cut off"),
        (HTTP % (b"429 Too Many", 4, b"Retry-After: 7\r\n", b"wait"), Busy, "wait"),
        (HTTP % (b"400 Bad", 4, b"", b"\x1b[2J"), ConnectError, "answers 400"),
    ],
)
def test_what_is_not_opcws_is_told_apart(answer: bytes, kind: Any, says: str) -> None:
    with stranger(answer) as url:
        with pytest.raises(kind) as caught:
            Client(url, timeout_s=PATIENCE).connect()
    assert says in caught.value.reason
    if isinstance(caught.value, Busy):
        assert caught.value.retry_after_s == 7


@contextlib.contextmanager
def answering(body: Any, header: Dict[str, Any]) -> Iterator[str]:
    """A WebSocket that answers each request with *body* and a *header* that has these too."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        peer, _ = listening.accept()
        ws = WSConnection(ConnectionType.SERVER)
        with peer, contextlib.suppress(OSError):
            for data in iter(lambda: peer.recv(65536), b""):
                ws.receive_data(data)
                for event in ws.events():
                    if isinstance(event, events.Request):
                        peer.sendall(ws.send(events.AcceptConnection(subprotocol="json")))
                    elif isinstance(event, events.TextMessage):
                        asked = json.loads(event.data)["Header"]
                        kind = asked["MessageType"].replace("REQUEST", "RESPONSE")
                        message = {"Header": {**asked, "MessageType": kind, **header}, "Body": body}
                        peer.sendall(ws.send(events.TextMessage(json.dumps(message))))
                    elif isinstance(event, events.CloseConnection):
                        peer.sendall(ws.send(event.response()))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with listening:
        yield "ws://127.0.0.1:%d/" % listening.getsockname()[1]
        thread.join(PATIENCE)


@pytest.mark.parametrize(
    "body",
    [
        *([], "text", 5, [1], {}, {"Variables": 5}, {"Variables": [5, None, [1]]}, {"Values": [5]}),
        {"Values": [{}], "Variables": [{}], "Results": [{}], "Histories": [{}]},
        {"Histories": [{"Variable": "a", "DataValues": [5]}]},
        {"Values": [{"Variable": 5}], "Variables": [{"Variable": 5}], "Results": ["Good"]},
        {"Values": [{"Variable": "a", "Value": {"Type": 8, "Body": "many"}}]},
        {"Values": [{"Variable": "a", "Status": "Bad", "StatusCode": 5}]},
    ],
)
def test_an_answer_that_is_no_message_of_opcws_is_told(body: Any) -> None:
    with answering(body, {}) as url, Client(url, timeout_s=PATIENCE) as client:
        for request in (
            client.names,
            lambda: client.info(["a"]),
            lambda: client.read("a"),
            lambda: client.write_many([("a", 1)]),
            lambda: client.history_many(["a"], "2026-11-22"),
            lambda: client.monitor(["a"]).next(PATIENCE),
        ):
            with pytest.raises(RequestRefused, match="the answer is not a message of opcws"):
                request()
    for header in ({"StatusCode": 5}, {"StatusCode": "Bad", "Reason": [body]}):
        with answering(body, header) as url, Client(url, timeout_s=PATIENCE) as client:
            with pytest.raises(RequestRefused, match="the answer is not a message of opcws"):
                client.names()


def test_the_past_of_each_of_several_variables_has_what_is_wrong_with_it() -> None:
    past = [
        {"Value": {"Type": 11, "Body": 1.5}, "SourceTimestamp": "2026-11-22T10:00:00Z"},
        {"Status": 0x808A0000, "Symbol": "BadNotConnected", "StatusCode": "BadNotConnected"},
    ]
    partly = {"Status": 0xBA0000, "Symbol": "GoodResultsMayBeIncomplete", "Reason": "p is away"}
    histories = [
        {"Variable": "a", "DataValues": past, "HistorySource": "own"},
        {"Variable": "b", "DataValues": [], **partly},
        {"Variable": "c", "StatusCode": "BadNodeIdUnknown", "Reason": "nobody"},
    ]
    with answering({"Histories": histories}, {}) as url, Client(url, timeout_s=PATIENCE) as client:
        a, b, c = client.history_many(["a", "b", "c"], "2026-11-22")
        assert [(each.name, each.value, each.bad) for each in a.values] == [
            ("a", 1.5, False),
            ("a", None, True),
        ]
        assert (a.name, a.source, a.symbol, a.error) == ("a", "own", "Good", None)
        assert (b.values, b.symbol, b.reason) == ([], "GoodResultsMayBeIncomplete", "p is away")
        assert c.error is not None and c.error.status == "BadNodeIdUnknown"
    none = {"StatusCode": "BadNotSupported", "Reason": "not here"}
    with answering(none, {}) as url, Client(url, timeout_s=PATIENCE) as client:
        with pytest.raises(RequestRefused, match="not here"):
            client.history_many(["a"], "2026-11-22")


def test_a_server_that_says_nothing_ends_in_time() -> None:
    with stranger(b"", close=False) as url:
        with pytest.raises(ConnectError, match="did not answer in time"):
            Client(url, timeout_s=0.2).connect()


def test_nothing_at_the_address_is_told_with_what_to_do() -> None:
    with pytest.raises(ConnectError, match="nothing listens there; start opcws"):
        Client("127.0.0.1:%d" % free_port()).connect()
    with pytest.raises(ConnectError, match="is not known; check how it is spelt"):
        Client("ws://no-such-host.invalid/").connect()


def test_no_answer_in_time_is_told_and_the_late_one_confuses_nobody(
    plant: PlantProcess, connected: Client
) -> None:
    connected._timeout_s = 0.5
    plant.freeze()
    try:
        with pytest.raises(NoAnswer, match="it is not known whether the value was written"):
            connected.write("Test.Counter", 50)
    finally:
        plant.thaw()
    connected._timeout_s = PATIENCE
    # The answer to the write comes before this one's.
    assert connected.read("Types.Boolean").type == "Boolean"


def test_a_server_that_vanished_is_noticed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "QUIET_S", 0.1)
    monkeypatch.setattr(websocket, "PONG_S", 0.1)
    with stranger_that_swallows(server) as (url, swallow):
        with Client(url, timeout_s=PATIENCE) as client:
            with client.monitor(["Types.Double"], reconnect=False) as monitor:
                assert monitor.next(PATIENCE) is not None
                # Silence alone is no loss: the ping is answered.
                assert monitor.next(0.5) is None
                swallow.set()
                with pytest.raises(ConnectionLost, match="no sign of life"):
                    monitor.next(PATIENCE)


@contextlib.contextmanager
def stranger_that_swallows(server: Server) -> Iterator[Any]:
    """A way to *server* that passes on everything until the event is set, then nothing."""
    listening = socket.create_server(("127.0.0.1", 0))
    swallow = threading.Event()
    socks = [listening]

    def pass_on(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                data = source.recv(65536)
                if not data:
                    return
                if not swallow.is_set():
                    target.sendall(data)

    def serve() -> None:
        with contextlib.suppress(OSError):
            here, _ = listening.accept()
            there = support.raw_socket(server)
            socks.extend((here, there))
            back = threading.Thread(target=pass_on, args=(there, here), daemon=True)
            back.start()
            pass_on(here, there)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield "ws://127.0.0.1:%d/" % listening.getsockname()[1], swallow
    finally:
        for sock in socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        thread.join(PATIENCE)


# --- roles and TLS ------------------------------------------------------------------------------


class Secured:
    """opcws with TLS and roles; a token and a user may read, nobody may write."""

    def __init__(self, endpoint: str, directory: Path) -> None:
        self.certificate = str(directory / "tls.pem")
        listener_certificate.create(self.certificate, str(directory / "tls.key"), ["127.0.0.1"])
        settings = support.settings(
            endpoint,
            listen={"tls": {"certificate": self.certificate, "key": str(directory / "tls.key")}},
        )
        settings["roles"] = {"reader": {"read": ["Boiler.*"]}, "nobody": {"endpoints": ["status"]}}
        settings["credentials"] = str(directory / "credentials.json")
        self.config = loads(json.dumps(settings))
        self.token = accounts.create_token(self.config, "panel", "reader", None)[0]
        self.useless = accounts.create_token(self.config, "metrics", "nobody", None)[0]
        accounts.add_user(self.config, "anna", "reader", lambda: "Quecksilber 80")
        self.server = Server(self.config)
        self.server.start()
        support.wait_connected(self.server)
        self.url = address(self.server)


@pytest.fixture(scope="module")
def secured(plant: PlantProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    made = Secured(plant.endpoint, tmp_path_factory.mktemp("secured"))
    yield made
    made.server.stop()


def test_a_token_and_a_password_open_the_door_over_tls(secured: Secured) -> None:
    for credential in (
        {"token": secured.token},
        {"user": "anna", "password": "Quecksilber 80"},
    ):
        with Client(
            secured.url, ca_file=secured.certificate, timeout_s=PATIENCE, **credential
        ) as client:
            assert client.read("Boiler.Level").good
            with pytest.raises(VariableError) as caught:
                client.write("Boiler.Setpoint", 1)
            assert caught.value.status == "BadUserAccessDenied"


@pytest.mark.parametrize(
    ("credential", "http_status"),
    [({}, 401), ({"token": "wrong"}, 401), ({"user": "anna", "password": "x"}, 401)],
)
def test_no_credential_and_a_wrong_one_are_refused_with_the_reason(
    secured: Secured, credential: Dict[str, str], http_status: int
) -> None:
    with pytest.raises(NotAllowed) as caught:
        Client(secured.url, ca_file=secured.certificate, timeout_s=PATIENCE, **credential).connect()
    assert caught.value.http_status == http_status
    assert len(caught.value.reason) > 40 and "wrong" not in caught.value.reason.split(": ")[0]


def test_a_right_credential_that_does_not_suffice_is_told_apart(secured: Secured) -> None:
    with pytest.raises(NotAllowed) as caught:
        Client(
            secured.url, ca_file=secured.certificate, token=secured.useless, timeout_s=PATIENCE
        ).connect()
    assert caught.value.http_status == 403
    assert "the role " in caught.value.reason and "grants no variables" in caught.value.reason


def test_a_certificate_that_is_not_known_is_not_trusted(secured: Secured) -> None:
    with pytest.raises(NotTrusted, match="is self-signed, so it is not trusted") as caught:
        Client(secured.url, token=secured.token, timeout_s=PATIENCE).connect()
    assert caught.value.lacks == "authority"
    with Client(secured.url, token=secured.token, verify=False, timeout_s=PATIENCE) as client:
        assert client.names()


def test_a_certificate_for_another_host_is_not_trusted(secured: Secured) -> None:
    url = secured.url.replace("127.0.0.1", "localhost")
    with pytest.raises(NotTrusted, match="is not for localhost") as caught:
        Client(url, ca_file=secured.certificate, timeout_s=PATIENCE).connect()
    assert not caught.value.lacks, "another file of whom to trust would not help"


def test_tls_where_there_is_none_and_none_where_there_is(secured: Secured, server: Server) -> None:
    with pytest.raises(ConnectError, match="wss://"):
        Client(secured.url.replace("wss", "ws"), timeout_s=PATIENCE).connect()
    with pytest.raises(ConnectError, match="there is no TLS at this port"):
        Client(address(server).replace("ws", "wss", 1), timeout_s=PATIENCE).connect()
