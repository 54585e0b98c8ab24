"""Who may read or write which variable."""

from typing import Any, Callable, Dict, List, Optional, Sequence

import pytest

from opcws.config import roles
from opcws.config.roles import EVERYONE, Role
from opcws.config.settings import Limits, Permissions, RoleLimits, Variable
from opcws.model.data_types import NodeId
from opcws.model.errors import ServiceError


def variable(allowed: str) -> Variable:
    return Variable("Boiler.Setpoint", "plant", NodeId(1, "Setpoint"), access=allowed)


@pytest.mark.parametrize("allowed", ["read", "readwrite", "write"])
def test_without_roles_everyone_sees_everything_and_may_do_what_the_variable_allows(
    allowed: str,
) -> None:
    assert roles.visible(EVERYONE, variable(allowed))
    assert roles.granted(EVERYONE, variable(allowed)) == allowed


@pytest.mark.parametrize("allowed", ["read", "readwrite"])
def test_what_may_be_read_is_let_through(allowed: str) -> None:
    roles.require_read(EVERYONE, variable(allowed))


@pytest.mark.parametrize("allowed", ["readwrite", "write"])
def test_what_may_be_written_is_let_through(allowed: str) -> None:
    roles.require_write(EVERYONE, variable(allowed))


def test_nobody_reads_what_can_only_be_written() -> None:
    with pytest.raises(ServiceError) as caught:
        roles.require_read(EVERYONE, variable("write"))
    assert caught.value.status == "BadNotReadable"
    assert "Boiler.Setpoint" in caught.value.reason and "access" in caught.value.reason


def test_nobody_writes_what_can_only_be_read_and_the_reason_names_the_setting() -> None:
    with pytest.raises(ServiceError) as caught:
        roles.require_write(EVERYONE, variable("read"))
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
    assert roles.narrowed(configured, may_read, may_write) == left


# -- roles ----------------------------------------------------------------------------------


def plant(**allowed: str) -> Dict[str, Variable]:
    return {
        name: Variable(name, "plant", NodeId(1, name), access=given)
        for name, given in allowed.items()
    }


PLANT = plant(Pump="readwrite", Level="read", Reset="write")


def role(read: Sequence[str] = (), write: Sequence[str] = (), **more: Any) -> Role:
    return roles.compile_role("r", Permissions(tuple(read), tuple(write), **more), PLANT)


@pytest.mark.parametrize(
    ("read", "write", "rights"),
    [
        (["*"], [], {"Pump": "read", "Level": "read"}),
        ([], ["*"], {"Pump": "write", "Reset": "write"}),
        (["*"], ["*"], {"Pump": "readwrite", "Level": "read", "Reset": "write"}),
        (["Pump"], ["Pump"], {"Pump": "readwrite"}),
        (["Reset"], ["Level"], {}),
        ([], [], {}),
        (["P*", "L?vel"], ["[QR]*"], {"Pump": "read", "Level": "read", "Reset": "write"}),
        (["[!PL]*"], [], {}),
    ],
)
def test_a_role_gets_what_its_patterns_grant_and_the_variable_allows(
    read: List[str], write: List[str], rights: Dict[str, str]
) -> None:
    made = role(read, write)
    for variable in PLANT.values():
        assert roles.visible(made, variable.name) == (variable.name in rights)
        assert roles.granted(made, variable) == rights.get(variable.name, "")


def test_a_server_is_seen_by_who_sees_a_variable_of_it_and_counted_by_who_sees_all() -> None:
    variables = {**PLANT, "Far": Variable("Far", "away", NodeId(1, "Far"))}
    seen = {
        patterns: [
            roles.sees_server(roles.compile_role("r", Permissions(patterns), variables), server)
            for server in ("plant", "away", "gone")
        ]
        for patterns in [("Pump",), ("Far",), ("*",), ()]
    }
    assert seen == {
        ("Pump",): [False, None, None],
        ("Far",): [None, True, None],
        # Reset can only be written.
        ("*",): [False, True, None],
        (): [None, None, None],
    }
    assert roles.sees_server(roles.EVERYONE, "gone")


def status_of(require: Callable[[Role, Variable], None], made: Role, name: str) -> Optional[str]:
    try:
        require(made, PLANT[name])
    except ServiceError as problem:
        assert name in problem.reason
        return problem.status
    return None


def test_what_a_role_may_not_is_denied_and_what_nobody_may_keeps_its_own_status() -> None:
    reader, writer = role(["*"]), role([], ["*"])
    assert status_of(roles.require_read, reader, "Pump") is None
    assert status_of(roles.require_read, writer, "Pump") == "BadUserAccessDenied"
    assert status_of(roles.require_read, writer, "Reset") == "BadNotReadable"
    assert status_of(roles.require_write, writer, "Pump") is None
    assert status_of(roles.require_write, reader, "Pump") == "BadUserAccessDenied"
    assert status_of(roles.require_write, reader, "Level") == "BadNotWritable"


def test_history_needs_its_own_right_and_that_of_reading() -> None:
    assert status_of(roles.require_history, role(["*"]), "Pump") == "BadUserAccessDenied"
    assert status_of(roles.require_history, role(["*"], history=True), "Pump") is None
    only_writer = role([], ["*"], history=True)
    assert status_of(roles.require_history, only_writer, "Pump") == "BadUserAccessDenied"
    assert status_of(roles.require_history, EVERYONE, "Pump") is None


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("Boiler.*", "Boiler.Temperature", True),
        ("Boiler.*", "BoilerXTemperature", False),
        ("Boiler.*", "boiler.Temperature", False),
        ("Boiler.?", "Boiler.T", True),
        ("Boiler.?", "Boiler.", False),
        ("*.Alarm", "A.B.Alarm", True),
        ("Tank[12]", "Tank2", True),
        ("Tank[!12]", "Tank3", True),
        ("Tank[[]1]", "Tank[1]", True),
        ("Tank[1]", "Tank[1]", False),
        ("a+b", "a+b", True),
        ("a+b*", "aab", False),
        ("*\u00e4*", "F\u00e4rbung", True),
        ("*", "line\nend", True),
        ("a*", "a\nb", True),
        ("Boiler", "Boiler\n", False),
        ("B*r", "Boiler\n", False),
    ],
)
def test_a_pattern_matches_the_whole_name_and_capitals_and_dots_count(
    pattern: str, name: str, matches: bool
) -> None:
    assert roles.matcher([pattern])(name) is matches
    assert roles.matcher(["other", pattern, "x?"])(name) is matches


def test_a_pattern_that_is_a_name_means_that_name_alone() -> None:
    names = ("x[1]", "x1", "x[12]", "y?", "yz", "*.z")
    given = [roles.matcher(["other", pattern], names) for pattern in names]
    for pattern, matches in zip(names, given):
        assert [name for name in names if matches(name)] == [pattern]
    assert roles.matcher(["*"], ["*", "a"])("a"), "everything stays everything"
    assert not roles.matcher(["x[1]"])("x[1]"), "of names that nobody knows the brackets choose"
    assert roles.matcher(["[z-a]"], ["[z-a]"])("[z-a]")


def test_a_role_that_names_an_element_of_an_array_gets_it_and_no_other_variable() -> None:
    variables = plant(**{"x[1]": "readwrite", "x1": "readwrite"})
    made = roles.compile_role("r", Permissions(("x[1]",), ("x[1]",)), variables)
    assert made.rights == {"x[1]": "readwrite"}


def test_a_range_that_runs_backwards_is_told_or_matches_nothing() -> None:
    """Which of the two depends on Python's version."""
    try:
        matches = roles.matcher(["[z-a]"])
    except ValueError as error:
        assert str(error).startswith("is no pattern: ")
    else:
        assert not any(map(matches, "amz-"))


def test_without_roles_nothing_is_asked_for_and_with_them_anonymous_is_off_by_default() -> None:
    assert roles.compile_roles(None, PLANT).anonymous is EVERYONE
    assert not roles.compile_roles(None, PLANT).configured
    made = roles.compile_roles({"r": Permissions(read=("*",))}, PLANT)
    assert made.configured
    assert not made.anonymous.may_connect
    assert not made.anonymous.rights
    assert not made.anonymous.endpoints


def test_a_role_without_variables_cannot_connect() -> None:
    assert not role(endpoints=("metrics",)).may_connect
    assert role(["nothing matches"]).may_connect


def test_a_role_puts_its_limits_in_the_place_of_the_listeners() -> None:
    listener = Limits(requests_per_second=5, monitors=7)
    assert role().limited(listener) == listener
    limited = role(limits=RoleLimits(requests_per_second=0)).limited(listener)
    assert limited == Limits(requests_per_second=0, monitors=7)
    assert role(limits=RoleLimits(monitors=1)).limited(listener).monitors == 1


def test_certificates_are_found_by_name_and_by_fingerprint_however_it_is_written() -> None:
    print_ = "AB" * 32
    colons = ":".join(["ab"] * 32)
    permissions = {
        "a": Permissions(certificates=("CN=panel:3",)),
        "b": Permissions(certificates=("SHA256:" + colons,)),
    }
    made = roles.compile_roles(permissions, PLANT)
    first, second = roles.certificate_keys(["panel:3"], print_)
    assert made.by_certificate[first].name == "b", "one certificate before all of one name"
    assert made.by_certificate[second].name == "a"


def test_ten_thousand_variables_and_twenty_roles_are_worked_out_once() -> None:
    many = plant(**{"Line%d.Tank%d" % (n % 20, n): "readwrite" for n in range(10000)})
    given = {
        "r%d" % n: Permissions(read=("Line%d.*" % n, "*.Tank%d" % n), write=("Line%d.*" % n,))
        for n in range(20)
    }
    made = roles.compile_roles(given, many)
    rights = made.by_name["r7"].rights
    assert rights is not None
    assert len(rights) == 500
    assert set(rights.values()) == {"readwrite"}


def test_a_role_that_is_capped_may_what_both_may() -> None:
    def of(name: str, read: Sequence[str], write: Sequence[str], history: bool) -> Role:
        given = Permissions(read=tuple(read), write=tuple(write), history=history)
        return roles.compile_role(name, given, KNOWN)

    person = of("person", ["*"], ["A"], True)
    edge = of("edge", ["A", "B"], ["A", "C"], False)
    both = roles.capped(person, edge)
    assert dict(both.rights or {}) == {"A": "readwrite", "B": "read"}
    assert (both.name, both.history) == ("person, at most edge", False)
    assert roles.capped(EVERYONE, edge).rights == edge.rights
    assert roles.capped(edge, EVERYONE).rights == edge.rights
    assert roles.capped(EVERYONE, EVERYONE).rights is None


KNOWN = {
    name: Variable(name, "plant", NodeId(1, name), access="readwrite") for name in ("A", "B", "C")
}
