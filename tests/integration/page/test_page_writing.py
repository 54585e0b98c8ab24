"""Writing on the page at /, in a real browser: the value, the question, what came of it."""

from typing import Any, Iterator

import pytest

from opcws.app import Server

from ... import support
from ...servers import particular
from ...servers.process import ServerProcess
from ...support import Client, PlantProcess
from ...support.doubtful_writes import CASES
from ...support.page import Page

#: Its tests write: no other module finds what they have written.
pytestmark = pytest.mark.own_plant

ENTER, ESCAPE, TAB = "\ue007", "\ue00c", "\ue004"


def start_writing(page: Page, variable: str) -> None:
    page.look_at(variable)
    page.shows(lambda: page.text("#write"), "the button")
    page.shows(lambda: page.text("#detail-value"), "the value")
    page.click("#write")
    page.shows(lambda: page.text("#writing-title") == "Write " + variable, "the dialog")


def ask_for(page: Page, variable: str, text: str) -> None:
    start_writing(page, variable)
    page.fill("writing-value", text)
    page.click("#writing-next")
    page.shows(lambda: page.text("#writing-question"), "the question")


def confirm(page: Page) -> None:
    page.shows(lambda: page.element("writing-next").is_enabled(), "that it can be written")
    page.click("#writing-next")


def value_of(client: Client, variable: str) -> Any:
    return client.body("READ", {"Variable": variable})["Value"]["Body"]


def focused(page: Page) -> str:
    found: str = page.ask("document.activeElement.id")
    return found


# --- what is written


def test_a_value_is_written_after_a_confirmation(page: Page, client: Client) -> None:
    client.write("Boiler.Setpoint", 80)
    start_writing(page, "Boiler.Setpoint")
    page.fill("writing-value", "1,234")
    page.press(ENTER)
    assert "1,234 may be 1.234 or 1234" in page.text("#writing-reason")
    page.fill("writing-value", "7,5")
    page.press(ENTER)
    assert page.text("#writing-question") == "Write 7.5 °C to Boiler.Setpoint?"
    page.press(ESCAPE)
    start_writing(page, "Boiler.Setpoint")
    page.fill("writing-value", "75.5")
    page.press(ENTER)
    assert page.text("#writing-question") == "Write 75.5 °C to Boiler.Setpoint?"
    assert value_of(client, "Boiler.Setpoint") == 80
    page.picture("write")
    confirm(page)
    done = "Boiler.Setpoint was written: 75.5 °C. It is 75.5 °C now."
    page.shows(lambda: page.text("#notice") == done, "the news")
    assert value_of(client, "Boiler.Setpoint") == 75.5
    page.shows(lambda: page.text("#detail-value") == "75.50", "the new value")
    assert not page.text("#writing")


def test_an_enumeration_is_chosen_and_a_big_integer_keeps_its_digits(
    page: Page, client: Client
) -> None:
    client.write("Motor.Mode", 1)
    start_writing(page, "Motor.Mode")
    assert page.ask("document.getElementById('writing-value').tagName") == "SELECT"
    assert page.ask("document.getElementById('writing-value').value") == "1"
    page.choose("writing-value", "2")
    page.click("#writing-next")
    page.shows(lambda: "Service (2)" in page.text("#writing-question"), "the question")
    confirm(page)
    page.shows(lambda: "was written" in page.text("#notice"), "the news")
    client.write("Motor.Mode", 1)

    ask_for(page, "Types.Int64", "9007199254740995")
    confirm(page)
    page.shows(lambda: page.text("#detail-value") == "9007199254740995", "every digit")
    client.write("Types.Int64", str(2**53 + 1))


def test_an_array_is_written_as_json(page: Page, client: Client) -> None:
    start_writing(page, "Types.Int64Array")
    page.fill("writing-value", "[9007199254740995, nonsense")
    page.click("#writing-next")
    assert "as JSON" in page.text("#writing-reason")
    page.fill("writing-value", "[9007199254740995, -1]")
    page.click("#writing-next")
    confirm(page)
    page.shows(lambda: page.text("#detail-value") == "[9007199254740995, -1]", "the new one")


def test_what_the_plant_refuses_is_said_in_its_words(page: Page) -> None:
    ask_for(page, "Types.Byte", "256")
    confirm(page)
    page.shows(lambda: "Not written. BadOutOfRange: " in page.text("#writing-reason"), "why")
    page.press(ESCAPE)


def test_what_may_not_be_written_has_no_button_for_it(page: Page) -> None:
    page.look_at("Boiler.Level")
    page.click("#tab-facts")
    page.shows(lambda: "You may\nread\n" in page.text("#facts-list"), "what is known")
    assert not page.text("#write")


# --- two acts


#: What the button does from the click on "Continue" on: it is "Write", disabled, which is clicked
#: at once, and is enabled after so many ms.
ARMING = """
const done = arguments[0], next = document.getElementById("writing-next");
const since = performance.now();
next.click();
const label = next.textContent, disabled = next.disabled;
next.click();
new MutationObserver(() => {
  if (next.disabled) return;
  done([label, disabled, performance.now() - since]);
}).observe(next, {attributes: true});
"""


def test_write_does_nothing_in_the_first_half_second(page: Page, client: Client) -> None:
    client.write("Boiler.Setpoint", 80)
    start_writing(page, "Boiler.Setpoint")
    page.fill("writing-value", "70")
    label, disabled, ms = page.browser.execute_async_script(ARMING)
    assert (label, disabled) == ("Write", True) and ms > 499
    assert page.text("#writing-question") == "Write 70 °C to Boiler.Setpoint?"
    assert value_of(client, "Boiler.Setpoint") == 80
    page.press(ESCAPE)


def test_a_double_click_writes_nothing(page: Page, client: Client) -> None:
    client.write("Boiler.Setpoint", 80)
    start_writing(page, "Boiler.Setpoint")
    page.fill("writing-value", "70")
    actions = pytest.importorskip("selenium.webdriver").ActionChains(page.browser)
    actions.double_click(page.element("writing-next")).perform()
    page.shows(lambda: page.element("writing-next").is_enabled(), "that it can be written")
    assert page.text("#writing-question") == "Write 70 °C to Boiler.Setpoint?"
    # Also where the device takes more than half a second for a double click.
    page.ask(
        "document.getElementById('writing-next').dispatchEvent("
        "new MouseEvent('click', {bubbles: true, cancelable: true, detail: 2}))"
    )
    assert page.element("writing-next").is_enabled()
    assert page.text("#writing-question") == "Write 70 °C to Boiler.Setpoint?"
    assert value_of(client, "Boiler.Setpoint") == 80
    page.press(ESCAPE)


def hold_enter(page: Page, times: int, first: bool) -> None:
    for number in range(times):
        page.browser.execute_cdp_cmd(
            "Input.dispatchKeyEvent",
            {
                "type": "keyDown",
                "key": "Enter",
                "code": "Enter",
                "windowsVirtualKeyCode": 13,
                "text": "\r",
                "autoRepeat": not (first and number == 0),
            },
        )


def test_enter_held_down_goes_as_far_as_the_question(page: Page, client: Client) -> None:
    client.write("Boiler.Setpoint", 80)
    start_writing(page, "Boiler.Setpoint")
    page.fill("writing-value", "70")
    hold_enter(page, 20, first=True)
    page.shows(lambda: page.element("writing-next").is_enabled(), "that it can be written")
    page.browser.execute_script("document.getElementById('writing-next').focus()")
    hold_enter(page, 20, first=False)
    assert page.text("#writing-question") == "Write 70 °C to Boiler.Setpoint?"
    assert value_of(client, "Boiler.Setpoint") == 80
    page.press(ENTER)  # a press of its own
    page.shows(lambda: "It is 70 °C now" in page.text("#notice"), "the news")
    assert focused(page) == "write"
    hold_enter(page, 20, first=False)
    assert not page.text("#writing")


def test_the_focus_stands_on_back_so_that_enter_twice_goes_back(page: Page, client: Client) -> None:
    client.write("Boiler.Setpoint", 80)
    start_writing(page, "Boiler.Setpoint")
    page.fill("writing-value", "70")
    page.press(ENTER)
    assert focused(page) == "writing-cancel"
    assert page.text("#writing-cancel") == "Back"
    page.press(ENTER)
    assert focused(page) == "writing-value"
    assert not page.text("#writing-question")
    assert value_of(client, "Boiler.Setpoint") == 80
    page.press(ESCAPE)


def test_the_dialog_keeps_the_focus_and_gives_it_back(page: Page) -> None:
    start_writing(page, "Boiler.Setpoint")
    assert focused(page) == "writing-value"
    for expected in ("writing-cancel", "writing-next", "writing-value"):
        page.press(TAB)
        assert focused(page) == expected
    page.press(ESCAPE)
    assert focused(page) == "write"


# --- the present value


def test_a_change_while_the_question_stands_is_told(page: Page, client: Client) -> None:
    client.write("Boiler.Setpoint", 40)
    page.look_at("Boiler.Setpoint")
    page.shows(lambda: page.text("#detail-value") == "40.00", "the value")
    ask_for(page, "Boiler.Setpoint", "70")
    assert page.text("#writing-now").split() == ["Now:", "40.00", "°C", "Good"]
    assert not page.text("#writing-changed")
    for value, text in ((45, "45.00"), (46.5, "46.50")):
        client.write("Boiler.Setpoint", value)
        told = "The present value changed from 40.00 to %s while you were asked." % text
        page.shows(lambda told=told: page.text("#writing-changed") == told, told)
        assert text in page.text("#writing-now")
    assert page.ask("document.getElementById('writing-changed').getAttribute('role')") == "status"
    client.write("Boiler.Setpoint", 40)
    page.shows(lambda: not page.text("#writing-changed"), "that it is as it was")
    page.press(ESCAPE)


def test_a_present_value_that_is_bad_is_said_before(page: Page) -> None:
    ask_for(page, "Types.Bad", "1")
    reason = page.text("#writing-reason")
    assert reason.startswith("The present value is bad: ") and "(BadSensorFailure)." in reason
    page.press(ESCAPE)
    ask_for(page, "Types.Uncertain", "1")
    assert "The present value is uncertain: " in page.text("#writing-reason")
    assert "UncertainLastUsableValue" in page.text("#writing-now")
    page.press(ESCAPE)


def test_a_present_value_that_is_the_last_known_is_said_before(
    browser: Any, own_plant: PlantProcess
) -> None:
    server = support.serve(own_plant.endpoint)
    try:
        support.wait_connected(server)
        page = Page(browser, server.urls[0])
        page.shows(lambda: page.cell("Boiler.Setpoint", "unit"), "what is known")
        ask_for(page, "Boiler.Setpoint", "70")
        assert not page.text("#writing-reason")
        server.stop()
        page.shows(lambda: "last known" in page.text("#writing-now"), "the loss")
        assert page.text("#writing-reason") == "The present value is the last known one."
        confirm(page)
        page.shows(lambda: "Not written." in page.text("#writing-reason"), "why")
    finally:
        server.stop()


JUDGED = """
const [cases, done] = arguments;
Promise.all(["/write.js", "/format.js", "/opcws.js"].map((file) => import(file)))
  .then(([write, format, opcws]) => done(cases.map(([text, info, present]) => write.doubts(
    format.parsed(text, info), info, present && new opcws.DataValue(present)))));
"""


def test_the_page_doubts_what_the_terminal_does(page: Page) -> None:
    cases = [case[:3] for case in CASES]
    found = page.browser.execute_async_script(JUDGED, cases)
    for case, said in zip(CASES, found):
        assert said == case.doubts, case


def test_an_enumeration_whose_value_is_not_listed_preselects_nothing(
    page: Page, client: Client
) -> None:
    client.write("Motor.Mode", 7)
    page.look_at("Motor.Mode")
    page.shows(lambda: page.text("#detail-value") == "7", "the value")
    start_writing(page, "Motor.Mode")
    assert page.ask("document.getElementById('writing-value').selectedOptions[0].text") == (
        "choose …"
    )
    page.click("#writing-next")
    assert page.text("#writing-reason") == "Choose a value."
    assert not page.text("#writing-question")
    page.choose("writing-value", "0")
    page.click("#writing-next")
    assert page.text("#writing-question") == "Write Hand (0) to Motor.Mode?"
    page.press(ESCAPE)
    client.write("Motor.Mode", 1)


# --- what came back


@pytest.fixture
def clamping() -> Iterator[Server]:
    process = ServerProcess("particular")
    listed = {"Clamped": {"node": "nsu=%s;s=Clamped" % particular.URI, "access": "readwrite"}}
    with support.connected(support.serve(process.endpoint, variables=listed)) as running:
        yield running
    process.kill()


def test_a_value_that_came_back_otherwise_is_told(browser: Any, clamping: Server) -> None:
    page = Page(browser, clamping.urls[0])
    ask_for(page, "Clamped", "250")
    assert page.text("#writing-reason") == "250 is outside of the usual range, 0 to 100."
    confirm(page)
    done = "Clamped was written: 250, but the OPC UA server says GoodClamped. It is 100 now."
    page.shows(lambda: page.text("#notice") == done, "the news")


def test_what_may_not_be_read_is_written_without_its_present_value(page: Page) -> None:
    page.look_at("Test.WriteOnly")
    page.shows(lambda: page.text("#write"), "the button")
    page.click("#write")
    page.fill("writing-value", "5")
    page.click("#writing-next")
    assert page.text("#writing-question") == "Write 5 to Test.WriteOnly?"
    assert not page.text("#writing-now") and not page.text("#writing-reason")
    confirm(page)
    done = "Test.WriteOnly was written: 5. Its value may not be read."
    page.shows(lambda: page.text("#notice") == done, "the news")


READ_BACK = """
const [answers, done] = arguments;
const info = {Type: "Double", Access: "readwrite", EngineeringUnits: {DisplayName: "°C"}};
Promise.all(["/write.js", "/opcws.js"].map((file) => import(file)))
  .then(([write, opcws]) => Promise.all(answers.map((answer) => write.cameBack({
    read: async (name) => {
      if (answer.Value) return new opcws.DataValue(answer);
      throw new opcws.StatusError(answer.StatusCode, answer.Reason, "READ", name);
    },
  }, "Boiler.Setpoint", info)))).then(done);
"""


def test_it_is_told_what_came_back_and_that_it_could_not_be_read(page: Page) -> None:
    value = {"Type": 11, "Body": 49.5}
    bad = {"Status": 0x808C0000, "Symbol": "BadSensorFailure", "Reason": "the sensor has failed"}
    lost = {"StatusCode": "BadNoCommunication", "Reason": "the plant is away"}
    answers = [{"Value": value}, {"Value": value, **bad}, lost]
    assert page.browser.execute_async_script(READ_BACK, answers) == [
        "It is 49.5 °C now.",
        "It is 49.5 °C now; the present value is bad: the sensor has failed (BadSensorFailure).",
        "It could not be read back: Boiler.Setpoint: BadNoCommunication: the plant is away.",
    ]
