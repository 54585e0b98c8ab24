"""All violations of the contract in a message, above all in those of the server."""

from functools import lru_cache
from typing import Any, Dict, List

from opcws.wire import contract
from opcws.wire.schema_errors import problem_of, reason


@lru_cache(maxsize=None)
def _judge(file: str) -> Any:
    return contract.Judge(contract.document(file))


def problems_in(file: str, document: Any) -> List[str]:
    """A sentence for each problem of *document* with the schema *file*; none if it is valid.

    Raises :exc:`FileNotFoundError` if there is no such file.
    """
    return [reason(problem_of(error)) for error in _judge(file).iter_errors(document)]


def problems_of(message_type: str, message: Dict[str, Any]) -> List[str]:
    """The same for *message*.  Raises :exc:`LookupError` if there is no such message type."""
    if message_type not in contract.MESSAGE_TYPES:
        raise LookupError(message_type)
    return problems_in(message_type + ".json", message)
