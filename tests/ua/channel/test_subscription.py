"""The subscription's rules: order, gaps, acknowledgements, and publish requests that get lost."""

import struct
import threading
from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest
from opcua.common.utils import Buffer

from opcws.config.settings import Server
from opcws.model import status_codes
from opcws.model.deadline import Deadline
from opcws.model.errors import PlantError
from opcws.ua.channel.subscription import MAX_WAITING_BODIES, MIN_DEPTH, Events, Subscriptions
from opcws.ua.encoding import service_bodies

ID, OTHER = 7, 8


def head(type_id: int, result: int = 0) -> bytes:
    return struct.pack("<BBHqII", 1, 0, type_id, 0, 0, result) + b"\x00\xff\xff\xff\xff\0\0\0"


def message(number: int, notifications: int = 1, at: Optional[int] = None) -> bytes:
    """Published *at* that time, by default one for each number."""
    head = struct.pack("<Iqi", number, 1000 + number if at is None else at, notifications)
    return head + b"\x00\x00\x00" * notifications


def response(
    number: int,
    notifications: int = 1,
    more: bool = False,
    at: Optional[int] = None,
    subscription: int = ID,
) -> bytes:
    parameters = struct.pack("<Ii?", subscription, -1, more) + message(number, notifications, at)
    return head(service_bodies.PUBLISH_RESPONSE) + parameters


def fault(status: str) -> bytes:
    return head(service_bodies.SERVICE_FAULT, status_codes.code(status))


class Plant(Events):
    """A server, as far as the subscription sees it, and what it tells."""

    def __init__(self) -> None:
        self.server = Server("plant", "opc.tcp://localhost")
        self.lost = threading.Event()
        self.waiting: List[Tuple[bytes, Any]] = []
        self.kept: Dict[int, bytes] = {}
        self.asked_again: List[int] = []
        self.refusal: Optional[PlantError] = None
        self.meanwhile: Callable[[], None] = lambda: None
        self.told: List[Any] = []
        self.gaps = 0
        #: Whether the relay keeps up, and the bodies that it has not read yet.
        self.reads = True
        self.unread = 0
        self.subscription = Subscriptions(self, self)
        self.subscription._created(ID, 10.0)

    def call(
        self, type_id: int, parameters: bytes, deadline: Deadline, doing: str
    ) -> Tuple[bytes, int]:
        assert type_id == service_bodies.REPUBLISH_REQUEST
        subscription, number = struct.unpack("<II", parameters)
        assert subscription in (ID, OTHER)
        self.asked_again.append(number)
        self.meanwhile()
        if self.refusal is not None:
            raise self.refusal
        data = head(service_bodies.REPUBLISH_RESPONSE)
        return data + self.kept.get(number, message(0, 0)), len(data)

    def send(self, type_id: int, parameters: bytes, answer: Any) -> None:
        assert type_id == service_bodies.PUBLISH_REQUEST
        self.waiting.append((parameters, answer))

    def fail(self, reason: str) -> None:
        self.lost.set()

    def published(self, link: Any, body: bytes) -> None:
        position = service_bodies.response_head(body).position
        if service_bodies.response_head(body).type_id == service_bodies.PUBLISH_RESPONSE:
            position += 9
        self.told.append(int.from_bytes(body[position : position + 4], "little"))
        self.unread += 1

    def gap(self, link: Any) -> None:
        self.gaps += 1

    def values_lost(self, link: Any, subscription: int) -> None:
        self.told.append("lost")

    def answer(self, data: bytes, place: int = 0) -> None:
        """Answer a publish request, the oldest unless *place* says another."""
        self.waiting.pop(place)[1].set_result(Buffer(data))
        while self.reads and self.unread:
            self.unread -= 1
            self.subscription.consumed()

    def acknowledged(self) -> List[int]:
        """The numbers that the waiting publish requests acknowledge."""
        found: List[int] = []
        for parameters, _answer in self.waiting:
            (count,) = struct.unpack_from("<i", parameters)
            for each in range(max(count, 0)):
                found.append(struct.unpack_from("<II", parameters, 4 + 8 * each)[1])
        return found


@pytest.fixture
def plant() -> Plant:
    return Plant()


def test_messages_in_order_go_on_at_once_and_each_is_acknowledged(plant: Plant) -> None:
    for number in (1, 2, 3):
        plant.answer(response(number))
    assert plant.told == [1, 2, 3] and not plant.gaps
    assert plant.acknowledged() == [1, 2, 3]
    assert len(plant.waiting) == MIN_DEPTH


def test_a_missing_message_is_asked_for_and_comes_before_those_after_it(plant: Plant) -> None:
    plant.kept = {2: message(2), 3: message(3)}
    for number in (1, 4, 5):
        plant.answer(response(number))
    assert plant.told == [1] and plant.gaps == 1
    plant.subscription.recover()
    assert plant.asked_again == [2, 3]
    assert plant.told == [1, 2, 3, 4, 5]
    plant.answer(response(6))
    assert plant.told[-1] == 6 and {2, 3} <= set(plant.acknowledged())


def test_a_second_gap_while_the_first_is_filled_keeps_the_order(plant: Plant) -> None:
    plant.kept = {2: message(2), 5: message(5)}
    plant.answer(response(1))
    plant.answer(response(3))

    def more() -> None:
        plant.meanwhile = lambda: None
        plant.answer(response(4))
        plant.answer(response(6))

    plant.meanwhile = more
    plant.subscription.recover()
    assert plant.told == [1, 2, 3, 4, 5, 6] and plant.gaps == 1


def test_a_late_message_takes_its_place_and_is_not_asked_for(plant: Plant) -> None:
    plant.answer(response(1))
    plant.answer(response(3))
    plant.answer(response(2))
    plant.subscription.recover()
    assert plant.told == [1, 2, 3] and not plant.asked_again


def test_a_message_that_comes_twice_is_told_once(plant: Plant) -> None:
    for number in (1, 2, 2, 1, 3):
        plant.answer(response(number))
    assert plant.told == [1, 2, 3] and not plant.gaps


def test_a_keep_alive_tells_of_a_message_that_never_came(plant: Plant) -> None:
    plant.kept = {2: message(2)}
    plant.answer(response(1))
    plant.answer(response(3, notifications=0))
    assert plant.gaps == 1
    plant.subscription.recover()
    assert plant.told[:2] == [1, 2]


@pytest.mark.parametrize("number", [0, 2])
def test_a_keep_alive_that_is_not_ahead_is_no_gap(plant: Plant, number: int) -> None:
    plant.answer(response(1))
    plant.answer(response(number, notifications=0))
    plant.answer(response(2))
    assert not plant.gaps and plant.told[-1] == 2


@pytest.mark.parametrize("refusal", [None, "BadMessageNotAvailable", "BadServiceUnsupported"])
def test_what_cannot_be_had_again_is_told_as_lost_in_its_place(
    plant: Plant, refusal: Optional[str]
) -> None:
    if refusal is not None:
        plant.refusal = PlantError("no", refusal)
    plant.answer(response(1))
    plant.answer(response(4))
    plant.subscription.recover()
    assert plant.told == [1, "lost", "lost", 4]
    assert plant.asked_again == ([2] if refusal == "BadServiceUnsupported" else [2, 3])


def test_another_numbering_is_followed_and_told_as_a_loss(plant: Plant) -> None:
    for number in (1, 5000, 5001):
        plant.answer(response(number))
    assert plant.told == [1, "lost", 5000, 5001] or plant.told == ["lost", 1, 5000, 5001]
    assert not plant.gaps


@pytest.mark.parametrize("number", [1, 40, 70])
def test_a_server_that_numbers_anew_freezes_nothing_and_a_loss_is_told(
    plant: Plant, number: int
) -> None:
    for each in range(1, 71):
        plant.answer(response(each))
    for step in range(3):
        plant.answer(response(number + step, at=2000 + step))
    assert plant.told[70:] == ["lost", number, number + 1, number + 2]
    assert not plant.gaps


def test_a_server_without_a_clock_that_numbers_anew_freezes_nothing_either(plant: Plant) -> None:
    for at in (0, 5):
        plant.told.clear()
        for number in (*range(1, 21), *range(1, 4)):
            plant.answer(response(number, at=at))
        assert plant.told[-4:] == ["lost", 1, 2, 3]


def test_a_new_numbering_takes_no_place_that_an_old_message_left(plant: Plant) -> None:
    for number in (*range(1, 61), 65, 66):
        plant.answer(response(number))
    plant.answer(response(62, at=3000))
    plant.subscription.recover()
    assert plant.told[60:] == ["lost"] * 4 + [65, 66, "lost", 62]


def test_a_message_that_comes_after_it_was_given_up_or_had_again_is_dropped(plant: Plant) -> None:
    plant.kept = {2: message(2)}
    plant.answer(response(1))
    plant.answer(response(4))
    plant.subscription.recover()
    assert plant.told == [1, 2, "lost", 4]
    for number in (2, 3, 5):
        plant.answer(response(number))
    assert plant.told == [1, 2, "lost", 4, 5]


def test_each_subscription_has_an_order_of_its_own(plant: Plant) -> None:
    plant.subscription._created(OTHER, 10.0)
    plant.answer(response(1))
    plant.answer(response(1, subscription=OTHER))
    plant.answer(response(3))
    plant.answer(response(2, subscription=OTHER))
    assert plant.told == [1, 1, 2], "what the other brings waits for nothing"
    plant.kept = {2: message(2)}
    plant.subscription.recover()
    assert plant.told == [1, 1, 2, 2, 3]
    assert len(plant.waiting) == MIN_DEPTH + 1, "one more for the other"
    acknowledged = [
        struct.unpack_from("<II", parameters, 4)
        for parameters, _answer in plant.waiting
        if parameters[:4] == b"\1\0\0\0"
    ]
    assert {(ID, 3), (OTHER, 2)} <= set(acknowledged)


def test_one_silent_subscription_is_not_hidden_by_another(plant: Plant) -> None:
    plant.subscription._created(OTHER, 10.0)
    plant.subscription._by_id[OTHER].published_at -= 1000.0
    plant.answer(response(1))
    assert plant.subscription.silent_for() > 900.0


def test_what_no_subscription_of_ours_publishes_is_left_alone(plant: Plant) -> None:
    plant.answer(response(1, subscription=4711))
    assert not plant.told and not plant.acknowledged() and len(plant.waiting) == MIN_DEPTH


def test_a_server_that_counts_from_nought_is_understood(plant: Plant) -> None:
    for number in (0, 1, 2):
        plant.answer(response(number))
    assert plant.told == [0, 1, 2] and not plant.gaps


def test_the_number_after_the_largest_is_one(plant: Plant) -> None:
    plant.subscription._by_id[ID].order._expected = 0xFFFFFFFF
    for number in (0xFFFFFFFF, 1, 2):
        plant.answer(response(number))
    assert plant.told == [0xFFFFFFFF, 1, 2] and not plant.gaps


def test_a_publish_request_that_others_passed_by_is_replaced(plant: Plant) -> None:
    for number in range(1, 20):
        plant.answer(response(number), place=1)  # the oldest is never answered
    assert len(plant.waiting) == MIN_DEPTH + 1, "the one that is lost, and as many as before"
    plant.answer(response(20))
    assert plant.told[-1] == 20, "what it brings after all is taken"


def test_refused_publish_requests_are_sent_again_with_what_they_acknowledged(
    plant: Plant,
) -> None:
    plant.answer(response(1))
    for _ in range(MIN_DEPTH):
        plant.answer(fault("BadTooManyPublishRequests"))
    assert not plant.waiting and plant.subscription.starving()
    plant.subscription.catch_up()
    assert len(plant.waiting) == 1, "never more than the server takes"
    assert plant.acknowledged() == [1]


def test_refusals_are_no_sign_that_the_subscription_lives(plant: Plant) -> None:
    plant.subscription._by_id[ID].published_at -= 1000.0
    plant.answer(fault("BadTooManyPublishRequests"))
    assert plant.subscription.silent_for() > 900.0
    plant.answer(response(1, notifications=0))
    assert not plant.subscription.silent_for()


def test_a_message_that_is_too_large_is_told_and_lost_and_the_others_go_on(plant: Plant) -> None:
    plant.refusal = PlantError("too large", "BadResponseTooLarge")
    plant.reads = False
    plant.answer(response(1))
    plant.answer(fault("BadResponseTooLarge"))
    assert plant.unread == 2 and not plant.lost.is_set()
    assert len(plant.waiting) == MIN_DEPTH - 1, "it might be answered so again and again"
    assert plant.subscription.starving()
    plant.subscription.catch_up()
    plant.answer(response(3))
    plant.subscription.recover()
    assert plant.told == [1, 0, "lost", 3] and plant.asked_again == [2]


def test_fewer_notifications_are_asked_for_in_a_message_until_there_is_one(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: List[int] = []

    def call(type_id: int, parameters: bytes, *_more: Any) -> Tuple[bytes, int]:
        assert type_id == service_bodies.MODIFY_SUBSCRIPTION_REQUEST
        assert parameters[:4] == struct.pack("<I", ID)
        asked.append(struct.unpack("<IdIIIB", parameters)[-2])
        return b"", 0

    monkeypatch.setattr(plant, "call", call)
    while plant.subscription.ask_for_less():
        assert len(asked) < 20
    assert asked == [500, 250, 125, 62, 31, 15, 7, 3, 1]


def test_any_other_fault_ends_the_generation(plant: Plant) -> None:
    plant.answer(fault("BadInternalError"))
    assert plant.lost.is_set()


def test_while_the_relay_is_behind_nothing_is_asked_for_and_silence_is_no_fault(
    plant: Plant,
) -> None:
    plant.reads = False
    number = 0
    while plant.waiting:
        number += 1
        plant.answer(response(number))
    assert MAX_WAITING_BODIES < number < MAX_WAITING_BODIES + 2 * MIN_DEPTH
    assert not plant.subscription.starving()
    plant.subscription._by_id[ID].published_at -= 1000.0
    assert not plant.subscription.silent_for()
    catch_up = [plant.subscription.consumed() for _ in range(number)]
    assert catch_up.count(True) == 1
    assert not plant.subscription.silent_for()
    plant.subscription.catch_up()
    assert len(plant.waiting) == MIN_DEPTH


def test_more_requests_wait_while_there_is_more_to_say(plant: Plant) -> None:
    for number in range(1, 5):
        plant.answer(response(number, more=True))
    assert len(plant.waiting) == MIN_DEPTH + 4
    for _ in range(4):
        plant.answer(response(5, notifications=0))
    assert len(plant.waiting) <= MIN_DEPTH + 3
