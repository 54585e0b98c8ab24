"""Requests of an edge that are under way: each ends once, and says what is known."""

import json
from typing import Any, List, Optional

import pytest

from opcws.config.settings import Server
from opcws.model.errors import ServiceError
from opcws.pubsub import asking
from opcws.pubsub.asking import Asking, Request
from opcws.pubsub.connection import NOBODY_LISTENS
from opcws.pubsub.message import Incoming, Message

SERVER = Server("hall", "mqtt://b", publisher="plant-3", edge="office")
UNKNOWN = "it is not known whether the value was written"


class Owner:
    name, identity, closed = "ws-1", "user anna\x00", False
    outbox: Any = None


class Asked:
    """An Asking and what was sent, and what was told of each request."""

    def __init__(self) -> None:
        self.asking = Asking(SERVER, lambda: None)
        self.asking.open()
        self.sent: List[Message] = []
        self.told: List[Any] = []

    def ask(
        self, text: str = "text", seconds: float = 60.0, writes: bool = True, owner: Any = None
    ) -> None:
        def make(_handle: str) -> str:
            if not text:
                raise ServiceError("not any more", "BadUserAccessDenied")
            return text

        owner = owner or Owner()
        self.asking.ask(Request(make, lambda body: body["n"], self._take, owner, seconds, writes))

    def _take(self, answer: Any) -> None:
        self.told.append(answer)

    def send(self) -> None:
        self.asking.send(self.sent.append)

    def answer(self, place: int, **members: Any) -> None:
        payload = json.dumps({"Header": {}, "Body": {"n": 1}, **members}).encode()
        correlation = self.sent[place].correlation
        self.asking.answered(Incoming("t", payload, False, correlation=correlation))

    @property
    def problem(self) -> ServiceError:
        (only,) = self.told
        assert isinstance(only, ServiceError)
        return only


@pytest.fixture
def asked() -> Asked:
    return Asked()


def test_a_request_is_sent_once_and_answered_once(asked: Asked) -> None:
    asked.ask()
    asked.send()
    asked.send()
    (message,) = asked.sent
    assert message.topic == "opcua/json/action-request/plant-3/office"
    assert message.reply_to == "opcua/json/action-response/plant-3/office"
    assert message.told == (("Identity", "user anna?"), ("Client", "ws-1"))
    assert (message.payload, message.expiry_s, message.retain) == (b"text", 60, False)
    asked.answer(0)
    asked.answer(0)
    assert asked.told == [1]


def test_what_is_refused_or_cannot_be_read_ends_it(asked: Asked) -> None:
    asked.ask()
    asked.send()
    asked.answer(0, Body={"StatusCode": "BadOutOfRange", "Reason": "no"})
    assert (asked.problem.status, asked.problem.reason) == ("BadOutOfRange", "plant-3: no")
    asked.told.clear()
    asked.ask()
    asked.send()
    asked.asking.answered(Incoming("t", b"{", False, correlation=asked.sent[1].correlation))
    assert asked.problem.status == "BadDecodingError" and UNKNOWN in asked.problem.reason


@pytest.mark.parametrize("writes", [True, False])
def test_of_what_was_sent_and_has_no_answer_nobody_knows(asked: Asked, writes: bool) -> None:
    asked.ask(writes=writes)
    asked.send()
    asked.asking.close("the broker has gone")
    assert asked.problem.status == "BadCommunicationError"
    assert (UNKNOWN in asked.problem.reason) == writes
    asked.answer(0)
    assert len(asked.told) == 1


def test_what_was_not_sent_was_not_done(asked: Asked) -> None:
    asked.ask()
    asked.asking.close("the broker has gone")
    asked.send()
    assert (asked.problem.status, asked.sent) == ("BadNotConnected", [])
    with pytest.raises(ServiceError) as caught:
        asked.ask()
    assert caught.value.status == "BadNotConnected"


def test_time_ends_a_request_that_was_sent_and_one_that_was_not(asked: Asked) -> None:
    asked.ask(seconds=0.0)
    asked.send()
    assert (asked.problem.status, asked.sent) == ("BadTimeout", [])
    assert UNKNOWN not in asked.problem.reason
    asked.told.clear()
    asked.ask(seconds=3600.0)
    asked.send()
    (late,) = asked.asking._sent.values()
    late.deadline = type(late.deadline)(0.0)
    asked.send()
    assert asked.problem.status == "BadTimeout" and UNKNOWN in asked.problem.reason


def test_what_may_not_be_done_any_more_is_not_sent(asked: Asked) -> None:
    asked.ask("")
    asked.send()
    assert asked.problem.status == "BadUserAccessDenied" and not asked.sent
    asked.told.clear()
    gone = Owner()
    gone.closed = True
    asked.ask(owner=gone)
    asked.send()
    assert asked.problem.status == "BadRequestCancelledByClient" and not asked.sent
    asked.told.clear()
    asked.ask("x" * 2_000_000)
    asked.send()
    assert asked.problem.status == "BadRequestTooLarge" and not asked.sent


@pytest.mark.parametrize(
    ("code", "writes", "status"),
    [
        (0, True, None),
        (NOBODY_LISTENS, True, "BadNotWritable"),
        (NOBODY_LISTENS, False, "BadHistoryOperationUnsupported"),
        (0x87, True, "BadUserAccessDenied"),
    ],
)
def test_what_the_broker_says_of_a_request_is_told(
    asked: Asked, code: int, writes: bool, status: Optional[str]
) -> None:
    asked.ask(writes=writes)
    asked.send()
    asked.asking.arrived(asked.sent[0], code)
    assert [each.status for each in asked.told] == [status] * (status is not None)


def test_so_many_are_under_way_and_so_many_wait(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MOST_WAITING", 100)
    for _ in range(100):
        asked.ask()
    with pytest.raises(ServiceError) as caught:
        asked.ask()
    assert caught.value.status == "BadTooManyOperations"
    asked.send()
    assert len(asked.sent) == asking.MOST_UNDER_WAY
    for place in range(asking.MOST_UNDER_WAY):
        asked.answer(place)
    asked.send()
    assert len(asked.sent) == 100 == len({each.correlation for each in asked.sent})


def test_who_read_history_and_leaves_is_told(asked: Asked) -> None:
    reads, writes = Owner(), Owner()
    writes.name = "ws-2"
    asked.ask(writes=False, owner=reads)
    asked.ask(owner=writes)
    asked.send()
    for each in (reads, writes, reads):
        asked.asking.leave(each)
    asked.send()
    _, _, left = asked.sent
    assert left.payload == b"" and left.told == asked.sent[0].told
