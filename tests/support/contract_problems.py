"""All that is wrong with a message by the contract: of what the server sends above all."""

from functools import lru_cache
from typing import Any, Dict, List

from opcws.wire import contract
from opcws.wire.schema_errors import problem_of, reason


@lru_cache(maxsize=None)
def _judge(message_type: str) -> Any:
    return contract.Judge(contract.schema(message_type))


def problems_of(message_type: str, message: Dict[str, Any]) -> List[str]:
    """A sentence for each problem of *message*; none if it follows its schema.

    Raises :exc:`LookupError` if there is no such message type.
    """
    return [reason(problem_of(error)) for error in _judge(message_type).iter_errors(message)]
