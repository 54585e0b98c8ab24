"""The views of the page that are for everybody, over HTTP: who sees which, and who changes them."""

import json
from pathlib import Path
from typing import Any, Dict, Iterator, Optional

import pytest

from opcws.access import accounts
from opcws.app import Server
from opcws.config import load

from ... import support
from ...support import PATIENCE, PlantProcess
from ...support.byte_client import Answer, connect, exchange, opening


class Site:
    def __init__(self, endpoint: str, directory: Path, roles: Optional[Dict[str, Any]]) -> None:
        settings = support.settings(endpoint, listen={"handshake_timeout_s": PATIENCE})
        settings["state_dir"] = str(directory / "state")
        if roles is not None:
            settings["roles"] = roles
        self.settings, self.path = settings, directory / "opcws.yaml"
        self.path.write_text(json.dumps(settings), encoding="utf-8")
        config = load(self.path)
        self.tokens = {
            role: accounts.create_token(config, role, role, None)[0]
            for role in roles or ()
            if role != "anonymous"
        }
        self.server = Server(config)
        self.server.start()

    def ask(
        self, method: str, path: str, role: str = "", body: Any = None, **headers: Optional[str]
    ) -> Answer:
        if role:
            headers["Authorization"] = "Bearer " + self.tokens[role]
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        if body is not None:
            headers.setdefault("Content-Length", str(len(text)))
        head = opening(path, method, Upgrade=None, Connection=None, **headers)
        return exchange(self.server, head + (b"" if body is None else text))

    def names(self, role: str = "") -> Any:
        return json.loads(self.ask("GET", "/views", role).body)["Views"]


ROLES = {
    "anonymous": {"read": ["Boiler.*"]},
    "engineer": {"read": ["Boiler.*"], "views": True},
    "all": {"read": ["*"]},
    "monitoring": {"endpoints": ["status"]},
}


@pytest.fixture
def site(plant: PlantProcess, tmp_path: Path) -> Iterator[Site]:
    made = Site(plant.endpoint, tmp_path, ROLES)
    yield made
    made.server.stop()
    support.no_threads_left()


def view(name: str, *variables: str) -> Dict[str, Any]:
    return {"Name": name, "Panels": [{"Kind": "chart", "Variables": list(variables)}]}


def test_a_view_is_for_everybody_who_may_see_its_variables(site: Site) -> None:
    boiler, both = view("Boiler", "Boiler.Level"), view("Both", "Boiler.Level", "Motor.Speed")
    assert site.ask("PUT", "/views/Boiler", "engineer", boiler).status == 201
    assert site.ask("PUT", "/views/Both", "engineer", both).status == 201
    assert site.names("engineer") == site.names("all") == ["Boiler", "Both"]
    assert site.names() == ["Boiler"]
    assert json.loads(site.ask("GET", "/views/boiler").body) == boiler
    hidden, absent = site.ask("GET", "/views/Both"), site.ask("GET", "/views/None")
    assert (hidden.status, hidden.body) == (absent.status, absent.body)
    assert hidden.status == 404
    assert site.ask("GET", "/views", "monitoring").status == 403
    assert site.ask("GET", "/views/Boiler", "monitoring").status == 403


def test_who_has_the_right_changes_views_and_nobody_else(site: Site) -> None:
    boiler = view("Boiler", "Boiler.Level")
    for role in ("", "all", "monitoring"):
        for method in ("PUT", "DELETE"):
            assert site.ask(method, "/views/Boiler", role, boiler).status == 403
    assert site.names("engineer") == []
    assert json.loads(site.ask("GET", "/whoami", "engineer").body)["Views"] is True
    assert json.loads(site.ask("GET", "/views", "engineer").body)["MayChange"] is True
    assert json.loads(site.ask("GET", "/views", "all").body)["MayChange"] is False
    made = site.ask("PUT", "/views/Boiler", "engineer", boiler, **{"If-None-Match": "*"})
    assert made.status == 201
    tag = made.headers["etag"]
    assert site.ask("GET", "/views/Boiler", "all").headers["etag"] == tag
    other = view("Boiler", "Boiler.Pressure")
    again = site.ask("PUT", "/views/Boiler", "engineer", other, **{"If-Match": tag})
    assert again.status == 200
    late = site.ask("PUT", "/views/Boiler", "engineer", boiler, **{"If-Match": tag})
    assert late.status == 412 and b"load it again" in late.body
    assert site.ask("DELETE", "/views/Boiler", "engineer", **{"If-Match": tag}).status == 412
    assert site.ask("DELETE", "/views/Boiler", "engineer").status == 200
    assert site.ask("DELETE", "/views/Boiler", "engineer").status == 404


def test_what_is_no_view_is_refused_with_what_is_wrong(site: Site) -> None:
    def put(body: Any, path: str = "/views/Boiler", **headers: Optional[str]) -> Answer:
        return site.ask("PUT", path, "engineer", body, **headers)

    wrong = put({"Name": "Boiler", "Panels": [{"Kind": "pie", "Variables": ["a"]}]})
    assert wrong.status == 400
    assert wrong.body == b'Panels[0].Kind: expected "chart" or "values", got "pie"\n'
    assert put(b"{").status == 400
    step = put(view("..", "Boiler.Level"), "/views/%2E%2E")
    assert step.status == 400
    assert step.body == b"Name: .. cannot be a name, because it has a meaning in addresses\n"
    assert b"as in the path" in put(view("Other", "Boiler.Level")).body
    assert put(b"x" * 65537).status == 413
    assert put(None).status == 411
    assert put(b"1", **{"Content-Length": None, "Transfer-Encoding": "chunked"}).status == 411
    assert put(view("Boiler", "Boiler.Level"), "/views").status == 405
    assert site.ask("POST", "/views/Boiler", "engineer", view("Boiler")).status == 405
    assert site.names("engineer") == []


def test_pages_from_elsewhere_neither_see_nor_change_views(
    plant: PlantProcess, tmp_path: Path
) -> None:
    site = Site(plant.endpoint, tmp_path, None)
    try:
        boiler = view("Boiler", "Boiler.Level")
        for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            for method, path in (("PUT", "/views/Boiler"), ("GET", "/views")):
                assert site.ask(method, path, body=boiler, **headers).status == 403
        assert site.names() == []
        assert site.ask("PUT", "/views/Boiler", body=boiler).status == 201, "everybody may"
        assert site.names() == ["Boiler"]
    finally:
        site.server.stop()


LATE = json.dumps(view("Late", "Boiler.Level")).encode()


def late(site: Site) -> bytes:
    """The head of a request whose body, LATE, is to come."""
    return opening(
        "/views/Late",
        "PUT",
        Upgrade=None,
        Connection=None,
        Expect="100-continue",
        Authorization="Bearer " + site.tokens["engineer"],
        **{"Content-Length": str(len(LATE))},
    )


def test_a_body_may_come_late_or_never(site: Site) -> None:
    text, head = LATE, late(site)
    with connect(site.server) as peer:
        peer.send(head)
        assert peer.head()[0] == 100
        peer.send(text[:10])
        assert site.names("engineer") == [], "nobody waits for it"
        peer.send(text[10:])
        assert peer.head()[0] == 201
    with connect(site.server) as peer:
        peer.send(head)
        peer.send(text[:10])
    assert site.names("engineer") == ["Late"]


@pytest.mark.parametrize("lost", ["right", "role", "token"])
def test_who_loses_the_right_while_the_body_comes_changes_nothing(site: Site, lost: str) -> None:
    with connect(site.server) as peer:
        peer.send(late(site))
        assert peer.head()[0] == 100
        peer.send(LATE[:10])
        if lost == "token":
            accounts.revoke_token(site.server.config, "engineer")
        else:
            engineer = {} if lost == "role" else {"engineer": {"read": ["Boiler.*"]}}
            roles = {name: role for name, role in ROLES.items() if name != "engineer"}
            settings = {**site.settings, "roles": {**roles, **engineer}}
            site.path.write_text(json.dumps(settings), encoding="utf-8")
            site.server.reload(load(site.path))
        peer.send(LATE[10:])
        assert peer.head()[0] == 403
    assert site.names("all") == []
