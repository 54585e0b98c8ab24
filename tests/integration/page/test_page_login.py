"""The page at / of a server with roles: it asks who you are, in a real browser."""

import json
from pathlib import Path
from typing import Any, Iterator

import pytest

from opcws.access import accounts
from opcws.app import Server
from opcws.config import load
from opcws.config.settings import Config

from ... import support
from ...support import PlantProcess, axe, wait_until

PASSWORD = "m\u00fchlrad am bach"


@pytest.fixture(scope="module")
def site(plant: PlantProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Config]:
    settings = support.settings(plant.endpoint)
    settings["roles"] = {"operator": {"read": ["Boiler.*"]}}
    path: Path = tmp_path_factory.mktemp("site") / "opcws.yaml"
    path.write_text(json.dumps(settings), encoding="utf-8")
    loaded = load(path)
    accounts.add_user(loaded, "j\u00f6rg", "operator", lambda: PASSWORD)
    yield loaded


@pytest.fixture(scope="module")
def server(site: Config) -> Iterator[Server]:
    running = Server(site)
    running.start()
    support.wait_connected(running)
    yield running
    running.stop()
    support.no_threads_left()


class Login:
    """The page as a person sees it."""

    def __init__(self, browser: Any, url: str) -> None:
        self.browser = browser
        browser.get(url)
        browser.execute_script("sessionStorage.clear()")
        browser.get(url)
        self.shows("#login", "the login")

    def text(self, selector: str) -> str:
        found: str = self.browser.execute_script(
            "return ((e) => e && e.offsetParent ? e.innerText.trim() || ' ' : '')"
            "(document.querySelector(arguments[0]))",
            selector,
        )
        return found

    def shows(self, selector: str, what: str, words: str = "") -> None:
        wait_until(lambda: self.text(selector) and words in self.text(selector), what, step=0.05)

    def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            field = self.browser.find_element("id", name)
            field.clear()
            field.send_keys(value)
        self.browser.execute_script("document.querySelector('#login').requestSubmit()")

    def shows_values(self) -> None:
        self.shows('[data-variable="Boiler.Temperature"] .value', "a value", ".")
        assert self.text("#connection") == "opcws connected"
        assert not self.text("#login")


@pytest.fixture
def page(browser: Any, server: Server) -> Login:
    return Login(browser, server.urls[0])


def test_a_wrong_password_is_told_and_the_right_one_shows_the_values(page: Login) -> None:
    assert not page.text("[data-variable] .name")
    page.fill(user="j\u00f6rg", password="not mine")
    page.shows("#login-reason", "the reason", "user or password is wrong")
    page.fill(user="j\u00f6rg", password=PASSWORD)
    page.shows_values()
    assert page.text("#identity") == "user j\u00f6rg, operator"
    page.browser.refresh()
    page.shows_values()
    page.browser.find_element("id", "leave").click()
    page.shows("#login", "the login again")
    assert not page.text("[data-variable] .name"), "nothing of the former user stays"


def test_a_token_shows_the_values_until_it_is_revoked(page: Login, site: Config) -> None:
    page.fill(user="", password="", token="no token")
    page.shows("#login-reason", "the reason", "or a token")
    page.fill(token="wrong")
    page.shows("#login-reason", "the reason", "not known")
    token = accounts.create_token(site, "browser", "operator", None)[0]
    page.fill(token=token)
    page.shows_values()
    assert page.text("#identity") == "token browser, operator"
    accounts.revoke_token(site, "browser")
    page.shows("#login", "the login again")
    assert "not known" in page.text("#login-reason")


@axe.needed
def test_axe_finds_nothing_wrong_with_the_login(page: Login) -> None:
    page.fill(user="j\u00f6rg", password="not mine")
    page.shows("#login-reason", "the reason", "user or password is wrong")
    assert axe.judged(page.browser) == []
