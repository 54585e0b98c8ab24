"""What scripts/bench.py draws and keeps of what it measures."""

import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List
from xml.etree import ElementTree

import pytest

from opcws.config import loads
from opcws.wire.frames import text_frame

from . import ROOT

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))


@pytest.fixture
def fanout(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script, whose every cell costs something else."""
    script = importlib.import_module("fanout")

    def measure(cell: Any, _seconds: float) -> Any:
        cost = 1.0 + cell.clients / 400 + cell.variables / 3000
        return script.Result(cost - 0.5, cost, 0)

    monkeypatch.setattr(script, "measure", measure)
    return script


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_the_clients_of_the_scripts_find_frames_wherever_data_is_cut(size: int) -> None:
    split = importlib.import_module("frames").split
    first, second = text_frame("a" * size), text_frame("b" * size)
    assert split(first + second) == ([(1, b"a" * size), (1, b"b" * size)], b"")
    for cut in (*range(min(12, len(second))), len(second) - 1):
        assert split(first + second[:cut]) == ([(1, b"a" * size)], second[:cut])


def test_the_clients_of_fanout_count_every_update() -> None:
    script = importlib.import_module("fanout")
    assert script.measure(script.Cell(2, 4, 2, 5), 2.0).lost == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the clients wait for more than select can")
@pytest.mark.parametrize("cell", ["storm", "starts", "refused"])
def test_a_crowd_gets_its_values(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    script = importlib.import_module("crowd")
    monkeypatch.setattr(script, "LASTS_S", 1.0)
    result = script.measure(cell, 4)
    assert result.ended == result.lost == 0
    assert (result.refused > 0) == (cell == "refused")
    assert result.plant_s > 0


@pytest.mark.skipif(sys.platform != "linux", reason="memory is what /proc tells")
def test_many_variables_have_values_again_after_the_plant_was_away(
    capsys: pytest.CaptureFixture[str],
) -> None:
    importlib.import_module("crowd").large(variables=6, number=3, source="")
    told = capsys.readouterr().out
    assert "3 clients connect" in told and "first values of 6 monitors" in told
    assert re.search(r"values again once the plant is back +\d", told)
    assert re.search(r"connections that ended +0\b", told)


def circles(panel: Any) -> Iterator[Any]:
    return panel.iter(SVG + "circle")


def texts(element: Any) -> List[str]:
    return ["".join(each.itertext()) for each in element.iter(SVG + "text")]


@pytest.mark.skipif(
    sys.platform == "win32", reason="Windows counts the time of processors in steps of 15.6 ms"
)
def test_a_cell_is_measured_and_loses_nothing() -> None:
    script = importlib.import_module("fanout")
    result = script.measure(script.Cell(clients=2, variables=3, changes=3, rate=5), 2.0)
    assert result.lost == 0
    assert 0 < result.least <= result.median


@pytest.mark.skipif(sys.platform != "linux", reason="no other system tells a thread's time so")
def test_what_recording_costs_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = importlib.import_module("recording")
    for name, value in {"VARIABLES": 20, "RATE": 400, "MANY": 20, "DAY": 7200}.items():
        monkeypatch.setattr(script, name, value)
    assert script.main(["--seconds", "1", "--minutes", "0.01"]) == 0
    rate, size, day, many = capsys.readouterr().out.splitlines()
    assert re.search("us each [0-9.]+ .* dropped 0.00", rate)
    assert 4.0 < float(re.findall("bytes each ([0-9.]+)", size)[0]) < 24.0
    assert "values 7200" in day
    assert "values 12.00" in many


def test_the_picture_has_every_point_that_growth_measured(fanout: Any, tmp_path: Path) -> None:
    file = tmp_path / "speed.svg"
    assert fanout.main(["--growth", "--picture", str(file)]) == 0
    tree = ElementTree.fromstring(file.read_bytes())
    variables, clients = tree.findall(SVG + "g")
    for panel, cells, unit, member in (
        (variables, fanout.MORE_VARIABLES, "variables", 1),
        (clients, fanout.MORE_CLIENTS, "clients", 0),
    ):
        told = [point.findtext(SVG + "title") for point in circles(panel)]
        assert told == [
            "{:,} {}: {:.2f} µs per update".format(
                cell[member], unit, fanout.measure(cell, 0).median
            )
            for cell in cells
        ]
        shown = texts(panel)
        assert {"{:,}".format(cell[member]) for cell in cells} <= set(shown)
        assert {unit + " (log scale)", "CPU µs per update", "0"} <= set(shown)


def test_points_stand_where_their_figures_are() -> None:
    picture = importlib.import_module("picture")
    one = picture.Panel("A & B", "clients", [(1, 4.0), (10, 2.0), (100, 1.0)])
    tree = ElementTree.fromstring(picture.svg("<x>", [one, one._replace(points=[(7, 3.0)])], "&"))
    panel, lone = tree.findall(SVG + "g")
    xs = [float(point.get("cx")) for point in circles(panel)]
    ys = [float(point.get("cy")) for point in circles(panel)]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)  # a decade is a decade
    bottom = picture.TOP + picture.PLOT_HEIGHT
    assert (bottom - ys[0]) / (bottom - ys[2]) == pytest.approx(4.0, rel=0.01)
    assert len(list(circles(lone))) == 1
    assert "A & B" in texts(panel)


@pytest.mark.parametrize("largest", [0.013, 0.9, 1.0, 2.5, 9.99, 10.0, 49.0, 730.0])
def test_the_scale_has_room_and_few_marks(largest: float) -> None:
    end, ticks = importlib.import_module("picture").scale(largest)
    assert largest < end <= 2.1 * largest
    assert ticks[0] == 0 and ticks[-1] == end and 3 <= len(ticks) <= 7


def test_the_picture_is_readable_in_light_and_in_dark() -> None:
    picture = importlib.import_module("picture")
    panel = picture.Panel("x", "clients", [(1, 1.0)])
    document = picture.svg("x", [panel, panel], "x")
    drawn = set(re.findall(r'class="(\w+)"', document))
    dark = document[document.index("prefers-color-scheme: dark") : document.index("</style>")]
    assert set(re.findall(r"\.(\w+) {", dark)) == drawn
    for line in document.split("</style>")[1].splitlines():
        assert "class=" not in line or "fill=" in line or "stroke=" in line, line


def test_the_picture_in_the_documentation_has_all_of_it(fanout: Any) -> None:
    tree = ElementTree.parse(str(ROOT / "opcws" / "docs" / "pages" / "speed.svg"))
    points = len(list(tree.getroot().iter(SVG + "circle")))
    assert points == len(fanout.MORE_VARIABLES) + len(fanout.MORE_CLIENTS)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--picture", "x.svg"],
        ["--growth", "--only", "1x1000", "--picture", "x.svg"],
        ["--results", "x"],
        ["--crowd", "--only", "node"],
        ["--kit", "x", "--cells", "y"],
    ],
)
def test_what_cannot_be_drawn_or_kept_is_refused_before_it_is_measured(
    arguments: List[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        importlib.import_module("bench").main(arguments)
    assert left.value.code == 2
    assert "give" in capsys.readouterr().err


def test_a_picture_needs_a_folder(fanout: Any, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        fanout.main(["--growth", "--picture", str(tmp_path / "no" / "x.svg")])


def test_every_run_of_the_kit_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = importlib.import_module("bench")
    line = {"cell": "idle K=500", "gateway": "opcws", "ok": True, "kb_per_conn": 9.5}

    class Kit:
        def __init__(self, _origin: Path, folder: Path, _only: str) -> None:
            self.folder = folder

        def prepare(self, _secured: str) -> Dict[str, str]:
            return {}

    def run(command: List[str], _folder: Path, _env: Dict[str, str]) -> int:
        file = Path(command[command.index("--out") + 1])
        file.write_text(json.dumps(line) + "\n", encoding="utf-8")
        return 0

    monkeypatch.setattr(bench, "Kit", Kit)
    monkeypatch.setattr(bench, "run", run)
    results = tmp_path / "results.jsonl"
    for cells in ("all", "table,idle"):
        assert bench.beside_others(tmp_path, "opcws", 1, cells, results, []) == 0
    kept = [json.loads(each) for each in results.read_text(encoding="utf-8").splitlines()]
    assert kept == [{**line, "cells": cells} for cells in ("all", "table", "idle")]


@pytest.mark.parametrize("secured", ["", "plant", "clients"])
def test_the_configuration_for_the_kit_is_good_and_lets_all_its_clients_in(secured: str) -> None:
    bench = importlib.import_module("bench")
    more = bench.security(secured, Path("secured.pem"), Path("key.pem"))
    made = bench.gateway("opcws", sys.executable, more)["config"]
    one = made["variable_template"].replace("{name}", "Var0")
    text = made["join"].join(made["template"]).replace("{variables}", one)
    for name, value in (("port", "8081"), ("endpoint", "opc.tcp://h:1"), ("publish_ms", "20")):
        text = text.replace("{%s}" % name, value)
    loaded = loads(text)
    assert not loaded.warnings
    assert (loaded.listen[0].tls is not None) == (secured == "clients")
    assert (loaded.servers["bench"].security.mode == "SignAndEncrypt") == (secured == "plant")
    assert loaded.listen[0].limits.max_connections >= 2000
    assert loaded.listen[0].limits.max_connections_per_address >= 2000
