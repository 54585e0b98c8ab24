"""Lines of operations that take turns, without a thread."""

from typing import Any, Dict, List, Optional, Sequence

from hypothesis import given
from hypothesis import strategies as st

from opcws.config.settings import Variable
from opcws.gateway.plant_interface import Wake, Write
from opcws.model.data_types import NodeId
from opcws.model.deadline import Deadline
from opcws.ua.services.fair_queue import (
    FairQueue,
    Job,
    Operation,
    ReadOperation,
    WriteOperation,
    parts,
)

VARIABLES = [
    Variable("V%d" % number, "plant", NodeId(2, number), node_text="ns=2;i=%d" % number)
    for number in range(9)
]


def done(_results: List[Any]) -> Optional[Wake]:
    return None


def read(*numbers: int, done: Any = done) -> ReadOperation:
    return ReadOperation([VARIABLES[number] for number in numbers], 0.0, Deadline(None), done)


def write(*numbers: int, done: Any = done) -> WriteOperation:
    writes = [Write(VARIABLES[number], None, lambda *_: None) for number in numbers]  # type: ignore
    return WriteOperation(writes, Deadline(None), done)


def job(merge: object = None) -> Job:
    return Job(lambda _link: None, lambda _problem: None, merge=merge)


def lines(**waiting: Sequence[Operation]) -> FairQueue:
    made = FairQueue(lambda following, first: False)
    for name, operations in waiting.items():
        for operation in operations:
            made.put(operation, name)
    return made


def taken(made: FairQueue, most: int = 100) -> List[List[Operation]]:
    batches = []
    while made:
        batches.append(made.take(most))
    return batches


def test_a_client_that_asks_for_much_takes_turns_with_one_that_asks_for_little() -> None:
    much, little = [read(*range(5)) for _ in range(100)], read(0)
    made = lines(much=much, little=[little])
    assert made.take(10) == [much[0], little]
    assert made.take(10) == much[1:3]
    assert len(made) == 97


def test_reads_of_many_clients_are_one_call() -> None:
    operations = {str(number): [read(number % 9)] for number in range(50)}
    assert [len(batch) for batch in taken(lines(**operations), 20)] == [20, 20, 10]


def test_what_is_of_another_kind_waits_and_has_the_next_turn() -> None:
    a, b = [read(0), write(0), read(1)], [write(1), read(2)]
    assert taken(lines(a=a, b=b)) == [[a[0]], [b[0], a[1]], [b[1], a[2]]]


def test_a_second_write_of_a_node_is_in_another_call() -> None:
    a, b = [write(0), write(1)], [write(0, 2)]
    assert taken(lines(a=a, b=b)) == [[a[0], a[1]], [b[0]]]


def test_an_operation_that_is_too_late_for_the_others_has_a_call_of_its_own() -> None:
    late, early = read(0), read(1)
    made = FairQueue(lambda following, first: first is late)
    made.put(late, "a")
    made.put(early, "b")
    assert taken(made) == [[late], [early]]


def test_of_jobs_with_the_same_merge_the_last_is_done_where_nothing_is_between_them() -> None:
    merge = object()
    a = [job(merge), job(merge), read(0), job(merge), job()]
    assert taken(lines(a=a)) == [[a[1]], [a[2]], [a[3]], [a[4]]]


def test_what_is_removed_is_not_taken() -> None:
    a, b = [read(0), job()], [job()]
    made = lines(a=a, b=b)
    assert made.remove(lambda each: isinstance(each, Job)) == [a[1], b[0]]
    assert taken(made) == [[a[0]]]


OPERATIONS = st.one_of(
    st.lists(st.integers(0, 8), min_size=1, max_size=6).map(lambda numbers: read(*numbers)),
    st.sets(st.integers(0, 8), min_size=1, max_size=6).map(lambda numbers: write(*numbers)),
    st.sampled_from([None, "same"]).map(job),
)


@given(st.lists(st.tuples(st.sampled_from("abc"), OPERATIONS), max_size=40), st.integers(6, 12))
def test_whatever_waits_is_taken_once_in_the_order_of_its_line_and_in_good_calls(
    waiting: Any, most: int
) -> None:
    made = FairQueue(lambda following, first: False)
    of: Dict[str, List[Operation]] = {"a": [], "b": [], "c": []}
    for name, operation in waiting:
        made.put(operation, name)
        of[name].append(operation)
    jobs = [operation for _name, operation in waiting if isinstance(operation, Job)]
    assert len(waiting) - len(jobs) <= len(made) <= len(waiting)
    order: List[int] = []
    for batch in taken(made, most):
        order += map(id, batch)
        kinds = {type(each) for each in batch}
        assert len(kinds) == 1
        nodes = [
            each.variable.node
            for operation in batch
            if isinstance(operation, WriteOperation)
            for each in operation.writes
        ]
        assert len(set(nodes)) == len(nodes) <= most
        reads = [each for each in batch if isinstance(each, ReadOperation)]
        assert sum(len(each.variables) for each in reads) <= most
        assert len(batch) == 1 or kinds != {Job}
    for operations in of.values():
        mine = [id(each) for each in operations]
        found = [each for each in order if each in mine]
        merged = len(mine) - len(found)
        assert found == [each for each in mine if each in found]
        assert merged == 0 or any(isinstance(each, Job) for each in operations)
    assert len(set(order)) == len(order)


def test_a_large_read_is_cut_and_answered_in_one_piece() -> None:
    answers: List[Any] = []
    cut = parts(read(*range(9), done=answers.append), 4)
    assert [len(each.variables) for each in cut] == [4, 4, 1]  # type: ignore[union-attr]
    for number in (1, 2, 0):
        part = cut[number]
        assert isinstance(part, ReadOperation) and not answers
        part.done([each.name for each in part.variables])  # type: ignore[misc]
    assert answers == [["V%d" % number for number in range(9)]]


def test_writes_are_cut_before_the_second_of_a_node_and_behind_a_call() -> None:
    answers: List[Any] = []
    cut = parts(write(0, 1, 0, 1, 2, 3, 3, done=answers.append), 3)
    numbers = [
        [each.variable.node.identifier for each in part.writes]  # type: ignore[union-attr]
        for part in cut
    ]
    assert numbers == [[0, 1], [0, 1, 2], [3], [3]]
    for part, found in zip(cut, numbers):
        assert isinstance(part, WriteOperation)
        part.done(found)
    assert answers == [[0, 1, 0, 1, 2, 3, 3]]


def test_what_fits_into_one_call_is_left_as_it_is() -> None:
    for operation in (read(), read(1, 1, 1), write(), write(1, 2, 3), job()):
        assert parts(operation, 3) == [operation]


def test_our_own_line_waits_for_one_call_however_many_lines_there_are() -> None:
    made = lines(**{str(number): [job(), job()] for number in range(20)})
    made.take(1)
    ours = [job(), job()]
    for each in ours:
        made.put(each)
    order = [batch[0] for batch in taken(made)]
    assert [order.index(each) for each in ours] == [0, 2]


def test_a_line_that_is_held_has_no_turn_and_no_part_in_anothers() -> None:
    held = {"greedy"}
    made = FairQueue(lambda following, first: False, lambda line, first: line in held)
    theirs, mine = [read(0), read(1)], [read(2), read(3)]
    for greedy, fair in zip(theirs, mine):
        made.put(greedy, "greedy")
        made.put(fair, "fair")
    assert made.take(100) == mine
    assert made.take(100) == [] and len(made) == 2
    held.clear()
    assert made.take(100) == theirs
