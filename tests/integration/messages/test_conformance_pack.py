"""The server judges each message of the conformance pack as the pack says, and what it answers
follows the schemas: :class:`~tests.support.client.Client` holds each answer against them.
"""

import json
from typing import Iterator

import pytest

from opcws.app import Server
from opcws.demo import variables

from ...support import Client, PlantProcess, served
from ...support.conformance import Case, Malformed, cases, malformed

#: Its tests write: no other module finds what they have written.
pytestmark = pytest.mark.own_plant

REQUESTS = [case for case in cases() if case.schema.stem.endswith("_REQUEST")]
EVERYTHING = [variable.name for variable in variables()]


@pytest.fixture(scope="module")
def server(plant: PlantProcess) -> Iterator[Server]:
    """A few values of a history tell its form."""
    with served(plant.endpoint, server={"history_max_values": 5}) as running:
        yield running


@pytest.fixture(params=["typed", "string"])
def client_of(request: pytest.FixtureRequest, server: Server) -> Iterator[Client]:
    """A client in each dialect."""
    with Client(server.urls[0], "?scalars=" + request.param) as connected:
        yield connected


def refused(client: Client, case: Case) -> bool:
    """Whether the server says that the message does not follow the contract, rather than that
    it does, and cannot be done."""
    header = client.raw(json.dumps(case.data))["Header"]
    if header["MessageType"] == "ERROR":
        assert header["StatusCode"] in ("BadRequestHeaderInvalid", "BadDecodingError")
        return True
    assert header.get("StatusCode") in (None, "BadAttributeIdInvalid"), case.name
    return "StatusCode" in header


def test_the_server_refuses_the_requests_that_are_wrong_and_no_others(client_of: Client) -> None:
    verdicts = {case.name: not refused(client_of, case) for case in REQUESTS}
    assert verdicts == {case.name: case.valid for case in REQUESTS}


@pytest.mark.parametrize("case", malformed(), ids=lambda case: case.name[2])
def test_a_malformed_text_gets_its_error(client: Client, case: Malformed) -> None:
    answer = client.raw(case.text)
    assert answer["Header"].pop("Reason")
    assert answer == case.answer


def test_all_that_the_plant_has_is_told_in_the_form_that_the_schemas_say(
    client_of: Client,
) -> None:
    assert client_of.body("VALUELIST") == {"Variables": sorted(EVERYTHING)}
    assert len(client_of.body("VALUEINFO", {"Variables": EVERYTHING})["Variables"]) == len(
        EVERYTHING
    )
    assert len(client_of.body("READ", {"Variables": EVERYTHING})["Values"]) == len(EVERYTHING)
    results = client_of.body("MONITORSTART", {"Variables": EVERYTHING})["Results"]
    left = {each["Variable"] for each in results if "StatusCode" not in each}
    while left:
        left.discard(client_of.update()["Variable"])
    history = {"Variable": "Boiler.Temperature", "EndTime": "2100-01-01"}
    assert client_of.body("HISTORICALREAD", history)["DataValues"]
