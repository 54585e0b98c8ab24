"""The fault table: whatever the OPC UA server does, clients are told the truth, soon, and
everything heals by itself.

Each fault is done to a real server process, or to the bytes between it and opcws.
"""

import logging
import re
import struct
import time
from typing import Any, Callable, Iterator, List

import pytest

from opcws.model import status_codes

from ... import support
from ...support import proxy
from ...support.faults import (
    BAD_INTERNAL_ERROR,
    FAULTS,
    URI,
    CountingProcess,
    Fault,
    Scene,
    Stage,
    fast_renewals,
    peak_kib,
    resident_kib,
)

CLOSE_SESSION_REQUEST = 473
#: So few changes that a busy machine keeps up with telling them.
CALM = ["--period-ms", "100"]
_JUNK = b"something that is not OPC UA, and longer than a header"
_REFUSED = proxy.fault(BAD_INTERNAL_ERROR)
#: An Error message (OPC 10000-6 7.1.2.5).
_END = b"ERRF" + struct.pack("<IIi", 16, status_codes.code("BadResourceUnavailable"), -1)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.close()


@pytest.fixture(scope="module")
def counting() -> Iterator[CountingProcess]:
    process = CountingProcess(namespaces=["--texts", "1000", *CALM])
    yield process
    process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_fault_is_told_soon_and_heals_by_itself(stage: Stage, fault: Fault) -> None:
    outcome = stage.run(fault)
    most_noticed_s, most_recovered_s = fault.limits
    if outcome.noticed_s is not None:
        assert outcome.noticed_s < most_noticed_s + support.slack_s()
    if outcome.recovered_s is not None:
        assert outcome.recovered_s < most_recovered_s + support.slack_s()
        assert outcome.updates == fault.updates
        assert outcome.states[0] == "disconnected" and outcome.states[-1] == "connected"
        if outcome.answer is not None:
            assert outcome.answer[0] != "READ" or outcome.answer[1] in (
                "Good",
                "BadNotConnected",
                "BadTimeout",
                "BadCommunicationError",
            )
    assert outcome.threads == 0 and outcome.kib < 32 * 1024
    support.no_threads_left()


@pytest.mark.parametrize("size", [60000, 1])
def test_a_chunk_bomb_costs_no_more_memory_than_one_message_may(
    counting: CountingProcess, size: int
) -> None:
    with Scene(counting) as scene:
        before, most = resident_kib(), peak_kib()
        scene.clear()
        strike = proxy.Strike(proxy.response("Read"), proxy.bomb(size, 300_000_000 // size))
        scene.proxy.to_client = strike
        scene.until(lambda: "BadNotConnected" in scene.statuses(), "the bomb is refused")
        assert strike.count == 1
        # The message, and the bytes of it that are on their way.
        assert most() - before < 2 * 64 * 1024


def test_ten_resets_bring_no_value_of_before_and_no_request_goes_unanswered(
    counting: CountingProcess,
) -> None:
    with Scene(counting) as scene:
        scene.clear()
        asked = 0
        for _ in range(10):
            for _ in range(20):
                asked += 1
                scene.client.send("READ", {"Variable": "Count.0"}, "read%d" % asked)
            scene.states.clear()
            scene.proxy.reset()
            scene.until(lambda: "connected" in scene.states, "connected again")
        scene.until(lambda: len(scene.answers) == asked, "every READ is answered")
        for name in scene.monitored:
            numbers = scene.numbers(name)
            assert numbers == sorted(set(numbers)), "an older value came after a newer one"
        # Answers come in the order of the requests; one of an earlier generation would be older.
        told = [scene.answers["read%d" % (each + 1)] for each in range(asked)]
        values: List[int] = [each["Value"]["Body"] for each in told if "Value" in each]
        assert values == sorted(values)
        bad = {each["StatusCode"] for each in told if "StatusCode" in each}
        assert bad <= {"BadNotConnected", "BadCommunicationError"}


@pytest.mark.slow
def test_two_thousand_variables_are_monitored_in_bulk_and_the_log_tells_how_far(
    caplog: pytest.LogCaptureFixture,
) -> None:
    process = CountingProcess(namespaces=["--texts", "2000", "--period-ms", "1000"])
    texts = ["Text.%d" % number for number in range(2000)]
    try:
        with Scene(process, more=texts, max_nodes_per_call=500) as scene, caplog.at_level(
            logging.INFO, "opcws.ua.monitored_items"
        ):
            scene.clear()
            scene.ask("MONITORSTART", {"Variables": texts}, "texts")
            scene.until(lambda: scene.heard_of(texts), "each")
            # In one go or in two: the first items are asked for while the others still come in.
            assert re.search(r"plant: (\d{3,}) of \1 variables monitored after ", caplog.text)
            assert all(scene.good(body) for _name, body in scene.updates)
            # And once more, all together, in the next generation.
            scene.clear()
            scene.proxy.reset()
            scene.until(lambda: "connected" in scene.states, "connected again")
            assert "plant: 2010 of 2010 variables monitored after " in caplog.text
    finally:
        process.kill()


@pytest.mark.parametrize("secret", [[], ["--secret"]], ids=["stated", "not stated"])
def test_a_server_that_takes_seven_nodes_at_a_time_is_asked_for_no_more(
    secret: List[str],
) -> None:
    process = CountingProcess(namespaces=["--most", "7", "--texts", "30", *CALM, *secret])
    texts = ["Text.%d" % number for number in range(30)]
    try:
        with Scene(process, more=texts) as scene:
            values = scene.answer("READ", {"Variables": texts})["Values"]
            assert [each["Value"]["Body"] for each in values] == [
                "text number %06d" % number for number in range(30)
            ]
            writes = [{"Variable": name, "Value": "new " + name} for name in texts]
            results = scene.answer("WRITE", {"Writes": writes})["Results"]
            assert not [each for each in results if "StatusCode" in each]
            values = scene.answer("READ", {"Variables": texts})["Values"]
            assert [each["Value"]["Body"] for each in values] == ["new " + name for name in texts]
            assert scene.supervisor.generations == 1
            if not secret:
                link = scene.supervisor.link
                assert link is not None and link.max_nodes_per_read == 7
    finally:
        process.kill()


def _items_held(link: Any) -> int:
    """How many monitored items *link* has at the server."""
    return sum(each.items for each in list(link.subscriptions._by_id.values()))


@pytest.mark.parametrize("whole", [[], ["--refuse-whole"]], ids=["items", "whole requests"])
def test_more_items_than_one_subscription_holds_are_spread_and_each_variable_keeps_its_order(
    whole: List[str],
) -> None:
    limits = ["--most-items", "7", "--texts", "30", *CALM, *whole]
    process = CountingProcess(namespaces=limits)
    texts = ["Text.%d" % number for number in range(30)]
    try:
        with Scene(process, more=texts) as scene:
            scene.ask("MONITORSTART", {"Variables": texts}, "texts")
            scene.until(lambda: scene.heard_of(texts), "each")
            assert not [each for each in scene.updates if not scene.good(each[1])]
            scene.clear()
            scene.collect(50)
            assert scene.disorder() == [] and scene.statuses() == ()
            link = scene.supervisor.link
            assert link is not None and len(link.subscriptions._by_id) == 6
            # What is free again is used again.
            held = _items_held(link)
            scene.answer("MONITORSTOP", {"Variables": texts[:20]})
            # They are deleted behind the answer.
            support.wait_until(lambda: _items_held(link) == held - 20, "room is free again")
            scene.clear()
            scene.ask("MONITORSTART", {"Variables": texts[:20]}, "again")
            scene.until(lambda: scene.heard_of(texts[:20]), "each")
            assert not [each for each in scene.updates if not scene.good(each[1])]
            assert len(link.subscriptions._by_id) == 6
            assert scene.supervisor.generations == 1
            # A message that is lost for good marks the variables of its subscription, no others.
            scene.clear()
            scene.proxy.to_client = proxy.Strike(proxy.with_notifications, proxy.dropped)
            refuse = proxy.Strike(proxy.response("Republish"), _REFUSED, times=-1)
            strike = scene.proxy.to_client

            def rule(chunk: proxy.Chunk, flow: proxy.Flow) -> proxy.Sent:
                for each in strike(chunk, flow):
                    yield from refuse(each, flow) if isinstance(each, proxy.Chunk) else (each,)

            scene.proxy.to_client = rule
            scene.until(lambda: scene.statuses(), "a loss is told")
            scene.collect(20)
            marked = {name for name, body in scene.updates if "Status" in body}
            assert 0 < len(marked) <= 7
            assert {line.split(":")[0] for line in scene.disorder()} <= marked
    finally:
        process.kill()


def test_what_a_server_takes_in_no_subscription_is_the_status_of_those_variables_alone() -> None:
    limits = ["--most-items", "7", "--most-subscriptions", "2", "--texts", "30", *CALM]
    process = CountingProcess(namespaces=limits)
    texts = ["Text.%d" % number for number in range(30)]
    try:
        with Scene(process, more=texts) as scene:
            scene.ask("MONITORSTART", {"Variables": texts}, "texts")
            scene.until(lambda: scene.heard_of(texts), "each")
            told = {name: body for name, body in scene.updates if name in texts}
            good = [name for name, body in told.items() if scene.good(body)]
            assert len(good) == 2 * 7 - len(scene.monitored)
            bad = {body["StatusCode"] for body in told.values() if not scene.good(body)}
            assert bad == {"BadTooManyMonitoredItems"}
            scene.clear()
            scene.collect(20)
            assert scene.disorder() == [] and scene.supervisor.generations == 1
    finally:
        process.kill()


def test_an_array_longer_than_the_server_takes_is_refused_before_it_is_sent() -> None:
    process = CountingProcess(namespaces=["--most-elements", "100", *CALM])
    try:
        with Scene(process, more=["Array"]) as scene:
            too_long = {"Variable": "Array", "Value": list(range(101))}
            answer = scene.answer("WRITE", too_long)
            assert answer["StatusCode"] == "BadOutOfRange" and "100" in answer["Reason"]
            assert scene.answer("READ", {"Variable": "Array"})["Value"]["Body"] == [0]
            fits = {"Variable": "Array", "Value": list(range(100))}
            assert scene.answer("WRITE", fits) in ({}, "")
    finally:
        process.kill()


def test_a_request_larger_than_the_server_takes_is_refused_before_it_is_sent(
    counting: CountingProcess,
) -> None:
    with Scene(counting, more=["Text.1"]) as scene:
        write = {"Variable": "Text.1", "Value": "x" * 70000}  # its MaxRequestMessageSize is 65536
        assert scene.answer("WRITE", write)["StatusCode"] == "BadRequestTooLarge"
        assert scene.answer("READ", {"Variable": "Text.1"})["Value"]["Body"].startswith("text")
        assert scene.supervisor.generations == 1


def test_chunks_are_no_larger_than_what_the_server_can_receive(counting: CountingProcess) -> None:
    sizes: List[int] = []

    def narrow(chunk: proxy.Chunk, _flow: proxy.Flow) -> proxy.Sent:
        if chunk.kind == b"ACK":  # header, ProtocolVersion, ReceiveBufferSize
            return (chunk.data[:12] + struct.pack("<I", 8192) + chunk.data[16:],)
        return (chunk,)

    def measure(chunk: proxy.Chunk, _flow: proxy.Flow) -> proxy.Sent:
        sizes.append(len(chunk.data))
        return (chunk,)

    with Scene(counting, more=["Text.2"]) as scene:
        scene.proxy.to_client, scene.proxy.to_server = narrow, measure
        scene.clear()
        scene.proxy.reset()
        scene.until(lambda: "connected" in scene.states, "connected again")
        text = "x" * 30000
        assert scene.answer("WRITE", {"Variable": "Text.2", "Value": text}) in ({}, "")
        assert scene.answer("READ", {"Variable": "Text.2"})["Value"]["Body"] == text
        assert 4000 < max(sizes) <= 8192


def test_a_node_that_is_not_there_is_one_variable_and_not_the_connection(
    counting: CountingProcess,
) -> None:
    with Scene(counting, more=["Nowhere"]) as scene:
        assert scene.answer("MONITORSTART", {"Variable": "Nowhere"}, "n") in ({}, "")
        scene.until(lambda: "BadNodeIdUnknown" in scene.statuses(), "its own status")
        assert [name for name, body in scene.updates if not scene.good(body)] == ["Nowhere"]
        scene.collect(10)
        assert scene.supervisor.generations == 1 and not scene.disorder()
        assert URI in scene.supervisor.namespaces


def test_between_two_renewals_the_new_token_is_used_even_when_there_is_nothing_to_say() -> None:
    kinds: List[bytes] = []

    def note(chunk: proxy.Chunk, _flow: proxy.Flow) -> proxy.Sent:
        kinds.append(chunk.kind)
        return (chunk,)

    process = CountingProcess(namespaces=["--period-ms", "1000000"])
    try:
        with fast_renewals(), Scene(process, heartbeat_interval_ms=60000) as scene:
            scene.proxy.to_server = note
            support.wait_until(lambda: kinds.count(b"OPN") >= 5, "five renewals")
            assert (b"OPN", b"OPN") not in list(zip(kinds, kinds[1:]))
            assert scene.supervisor.generations == 1
    finally:
        process.kill()


def test_a_server_that_cuts_each_new_connection_is_tried_ever_more_rarely_and_the_log_says_why(
    counting: CountingProcess, caplog: pytest.LogCaptureFixture
) -> None:
    strike = proxy.Strike(proxy.response("Publish"), lambda _chunk: (_END,), times=-1)
    with Scene(counting, reconnect_max_ms=60000) as scene:
        scene.proxy.to_client = strike
        with caplog.at_level(logging.WARNING, "opcws.ua.supervisor"):
            began, before = time.monotonic(), scene.supervisor.connections
            scene.until(lambda: scene.supervisor.connections >= before + 5, "five connections")
            lasted_s = time.monotonic() - began
            scene.proxy.heal()
        # At least 0.075, 0.15, 0.3, 0.6 and 1.2 s; a pause that begins anew each time makes 0.5 s.
        assert lasted_s > 2.0
        assert "the OPC UA server ended the connection: BadResourceUnavailable" in caplog.text
        assert "the next attempt is in" in caplog.text


@pytest.mark.parametrize(
    ("service", "instead", "reason"),
    [
        ("ActivateSession", _REFUSED, "BadInternalError"),
        ("ActivateSession", lambda chunk: (*_REFUSED(chunk), _END), "BadInternalError"),
        ("ActivateSession", lambda _chunk: (_JUNK,), "something that is not OPC UA"),
        ("Read", _REFUSED, "an error inside"),
        ("CreateSubscription", _REFUSED, "an error inside"),
        ("CreateMonitoredItems", _REFUSED, "an error inside"),
        ("Publish", _REFUSED, "BadInternalError"),
        ("Publish", lambda _chunk: (_JUNK,), "something that is not OPC UA"),
    ],
)
def test_whatever_ends_a_connection_that_lives_its_session_is_closed_and_the_cause_is_told(
    counting: CountingProcess,
    caplog: pytest.LogCaptureFixture,
    service: str,
    instead: Callable[[proxy.Chunk], proxy.Sent],
    reason: str,
) -> None:
    created, closed = [
        proxy.Strike(proxy.response(name), lambda chunk: (chunk,), times=-1)
        for name in ("CreateSession", "CloseSession")
    ]
    fault = proxy.Strike(proxy.response(service), instead, times=-1)
    ends: List[int] = []

    def ended(chunk: proxy.Chunk, flow: proxy.Flow) -> proxy.Sent:
        ends.extend([1] * (chunk.type_id == CLOSE_SESSION_REQUEST))
        return (chunk,)

    def rule(chunk: proxy.Chunk, flow: proxy.Flow) -> proxy.Sent:
        for counter in (created, closed):
            counter(chunk, flow)
        return fault(chunk, flow)

    with Scene(counting) as scene:
        scene.proxy.to_client, scene.proxy.to_server = rule, ended
        with caplog.at_level(logging.WARNING, "opcws.ua.supervisor"):
            scene.proxy.reset()
            support.wait_until(lambda: created.count >= 3, "three attempts")
        fault._left = 0
        support.wait_connected(scene.opcws)
        # A receiver that met junk hears no answer, but the server has heard the request, which
        # the proxy may be late to pass on.
        support.wait_until(
            lambda: created.count - len(ends) == 1, "only the present session is open"
        )
        told = {record.getMessage() for record in caplog.records}
        # The same may end an attempt before, and another after the connection is up.
        found = [re.search(": (?:disconnected|cannot connect): (.*)", text) for text in told]
        causes = {each.group(1) for each in found if each is not None}
        assert len([text for text in causes if reason in text]) == 1
        assert len(causes) <= 2, "that, and what ended the connection of before"


def test_a_server_that_has_no_session_left_after_a_failure_does_not_hide_its_cause(
    counting: CountingProcess,
) -> None:
    first = proxy.Strike(proxy.response("CreateSubscription"), _REFUSED)
    full = proxy.fault(status_codes.code("BadTooManySessions"))
    then = proxy.Strike(proxy.response("CreateSession"), full, times=2)

    def rule(chunk: proxy.Chunk, flow: proxy.Flow) -> proxy.Sent:
        return then(chunk, flow) if first.exhausted else first(chunk, flow)

    with Scene(counting) as scene:
        reasons = set()

        def noted() -> bool:
            reasons.add(scene.supervisor.reason or "")
            return then.exhausted

        scene.proxy.to_client = rule
        scene.proxy.reset()
        support.wait_until(noted, "both faults")
        support.wait_connected(scene.opcws)
        assert any("no session left" in each for each in reasons)
        assert all("an error inside" in each for each in reasons if "no session left" in each)
