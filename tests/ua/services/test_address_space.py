"""What is asked about many nodes, and what an answer is decoded with."""

from types import SimpleNamespace
from typing import Any, List

from opcws.model.deadline import Deadline
from opcws.ua.encoding.server_types import DataTypes
from opcws.ua.services.address_space import decoded

from ..encoding.test_server_types import INT, Server, field, n


def test_a_structure_is_decoded_though_another_thread_was_about_to_learn_it() -> None:
    server, types = Server(), DataTypes()
    server.structure(1, field("A", INT))
    link: Any = SimpleNamespace(definitions=types.structure, data_types=types)
    seen: List[object] = []

    def decode(definitions: Any) -> Any:
        seen.append(definitions(n(1001)))
        types.learn_encodings(server)  # as the thread that describes all variables does
        return seen[-1]

    assert decoded(link, Deadline(10.0), decode) is not None
    assert seen[0] is None and len(seen) == 2


def test_what_is_known_is_decoded_once() -> None:
    types, times = DataTypes(), []
    link: Any = SimpleNamespace(definitions=types.structure, data_types=types)
    assert decoded(link, Deadline(10.0), lambda _definitions: times.append(1) or 5) == 5
    assert times == [1]
