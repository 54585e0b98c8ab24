"""What one Read may ask for, without an OPC UA server."""

from typing import List, Sequence

from opcws.config.settings import Variable
from opcws.model.data_types import DOUBLE, STRING, NodeId, ValueType
from opcws.ua.services.answer_sizes import CALL_BYTES, AnswerSizes

MIB = 1024 * 1024


def variables(count: int, kind: int, name: str = "V") -> List[Variable]:
    return [
        Variable("%s%d" % (name, number), "plant", NodeId(2, number), type=kind, is_array=False)
        for number in range(count)
    ]


def sizes() -> AnswerSizes:
    return AnswerSizes(lambda variable: ValueType(variable.type, variable.is_array))


def counts(made: AnswerSizes, some: Sequence[Variable], most: int = 1000) -> List[int]:
    return [stop - start for start, stop in made.calls(some, most)]


def test_numbers_are_one_call_before_and_after_they_were_read() -> None:
    made, numbers = sizes(), variables(1000, DOUBLE)
    assert counts(made, numbers) == [1000] and counts(made, numbers, 600) == [600, 400]
    made.learn(numbers, {})
    assert counts(made, numbers) == [1000]


def test_texts_begin_with_few_and_become_more_while_they_are_small() -> None:
    made, texts = sizes(), variables(1000, STRING)
    found = []
    for start, stop in made.calls(texts, 1000):
        found.append(stop - start)
        made.learn(texts[start:stop], {})
    assert found[:4] == [4, 16, 64, 64] and sum(found) == 1000
    assert counts(made, texts) == [1000]


def test_large_ones_are_so_many_as_have_a_mib_and_what_is_large_makes_the_next_few() -> None:
    made, texts, others = sizes(), variables(100, STRING), variables(8, STRING, "Other")
    made.learn(texts, dict.fromkeys(range(100), MIB // 2))
    assert counts(made, texts) == [2] * 50
    assert counts(made, others) == [2] * 4
    assert counts(made, [*variables(1, STRING), *variables(500, DOUBLE, "D")]) == [501]


def test_what_was_written_is_what_the_next_read_brings() -> None:
    made, texts = sizes(), variables(4, STRING)
    made.learn(texts, {})
    made.written(texts[0], CALL_BYTES)
    made.written(texts[1], CALL_BYTES)
    assert counts(made, texts) == [1, 3]
    made.learn(texts, {})
    assert counts(made, texts) == [4]


def test_what_ended_a_connection_is_asked_for_in_parts_but_numbers_are_not_to_blame() -> None:
    made, texts, numbers = sizes(), variables(100, STRING), variables(100, DOUBLE, "D")
    made.learn([*texts, *numbers], {})
    made.ended(texts, 2 * CALL_BYTES)
    assert max(counts(made, texts)) == 50
    made.ended(texts, 64 * MIB)
    assert max(counts(made, texts)) == 1
    made.ended(numbers, 64 * MIB)
    assert counts(made, numbers) == [100]


def test_what_the_configuration_changed_is_not_known_any_more() -> None:
    made, texts = sizes(), variables(2, STRING)
    made.learn(texts, {0: CALL_BYTES, 1: CALL_BYTES})
    old = {each.name: each for each in texts}
    moved = Variable("V0", "plant", NodeId(2, 99), type=DOUBLE, is_array=False)
    made.change(old, {"V0": moved, "V1": texts[1]})
    assert made.of([moved]) == 0 and made.of(texts[1:]) == CALL_BYTES
