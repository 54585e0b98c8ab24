"""Who may read or write which variable."""

from typing import Optional

import pytest

from opcws import access
from opcws.access import EVERYONE
from opcws.config import Variable
from opcws.datatypes import NodeId
from opcws.errors import ServiceError


def variable(allowed: str) -> Variable:
    return Variable("Boiler.Setpoint", "plant", NodeId(1, "Setpoint"), access=allowed)


@pytest.mark.parametrize("allowed", ["read", "readwrite", "write"])
def test_without_roles_everyone_sees_everything_and_may_do_what_the_variable_allows(
    allowed: str,
) -> None:
    assert access.visible(EVERYONE, variable(allowed))
    assert access.granted(EVERYONE, variable(allowed)) == allowed


@pytest.mark.parametrize("allowed", ["read", "readwrite"])
def test_what_may_be_read_is_let_through(allowed: str) -> None:
    access.require_read(EVERYONE, variable(allowed))


@pytest.mark.parametrize("allowed", ["readwrite", "write"])
def test_what_may_be_written_is_let_through(allowed: str) -> None:
    access.require_write(EVERYONE, variable(allowed))


def test_nobody_reads_what_can_only_be_written() -> None:
    with pytest.raises(ServiceError) as caught:
        access.require_read(EVERYONE, variable("write"))
    assert caught.value.status == "BadNotReadable"
    assert "Boiler.Setpoint" in caught.value.reason and "access" in caught.value.reason


def test_nobody_writes_what_can_only_be_read_and_the_reason_names_the_setting() -> None:
    with pytest.raises(ServiceError) as caught:
        access.require_write(EVERYONE, variable("read"))
    assert caught.value.status == "BadNotWritable"
    assert "access: readwrite" in caught.value.reason


@pytest.mark.parametrize(
    ("configured", "may_read", "may_write", "left"),
    [
        ("readwrite", True, True, "readwrite"),
        ("readwrite", True, False, "read"),
        ("readwrite", False, True, "write"),
        ("read", True, True, "read"),
        ("read", False, True, None),
        ("write", True, False, None),
    ],
)
def test_access_is_no_more_than_the_opc_ua_server_allows(
    configured: str, may_read: bool, may_write: bool, left: Optional[str]
) -> None:
    assert access.narrowed(configured, may_read, may_write) == left
