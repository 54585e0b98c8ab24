"""Measures a broker between two opcws: processor time per value, and its delay.

    python scripts/through_broker.py --source OPCSIM --client WSLOAD [--only rate,later,ten]

bench.py runs it in an environment of its own, with the load source and the load client of the kit.
Mosquitto is the broker; everything is on this machine.

rate
    Every value of 100 variables, published as deltas of 100: microseconds of processor time per
    value in the collector and in an edge, and Mosquitto's share of one core, at increasing rates of
    change.  A rate is sustained if the edge lost nothing and no process fell behind.
later
    1,000 values per second to ten clients: the time from the plant's change to the client, from the
    collector itself and by way of an edge.
ten
    1,000 variables that change twice per second, ten edges, a client at each.
"""

import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence

CELLS = ("rate", "later", "ten")
RATES = (100, 200, 300, 400, 500, 600, 800)
PATIENCE_S = 60.0
MOSQUITTO = "/usr/sbin/mosquitto"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


class Process:
    """*command*, and its processor time."""

    def __init__(self, command: Sequence[str]) -> None:
        quiet: Any = subprocess.DEVNULL
        self._process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)

    @property
    def cpu_s(self) -> float:
        text = Path("/proc/%d/stat" % self._process.pid).read_text("ascii")
        fields = text.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


class Opcws(Process):
    """``opcws serve`` with *settings*."""

    def __init__(self, folder: str, settings: Dict[str, Any]) -> None:
        self.port = free_port()
        limits = {"max_connections": 5000, "max_connections_per_address": 5000}
        settings = {"listen": {"port": self.port, "limits": limits}, **settings}
        settings["state_dir"] = os.path.join(folder, "state%d" % self.port)
        path = Path(folder, "opcws%d.json" % self.port)
        path.write_text(json.dumps(settings), "utf-8")
        super().__init__([sys.executable, "-m", "opcws", "serve", "--config", str(path)])
        until(lambda: self.status("State") == "connected", "opcws is connected")

    def _get(self, name: str) -> str:
        try:
            url = "http://127.0.0.1:%d/%s" % (self.port, name)
            with urllib.request.urlopen(url, timeout=5.0) as answer:
                text: str = answer.read().decode("utf-8")
                return text
        except OSError:
            return ""

    def status(self, member: str) -> Any:
        text = self._get("status")
        return json.loads(text)["Servers"][0].get(member) if text else None

    def number(self, name: str) -> float:
        """A number of /metrics."""
        for line in self._get("metrics").splitlines():
            if line.startswith(name) and line[len(name)] in " {":
                return float(line.rpartition(" ")[2])
        return 0.0


def until(true: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > deadline:
            raise SystemExit("through_broker.py: not within %g s: %s" % (PATIENCE_S, what))
        threading.Event().wait(0.1)


class Stage:
    """A plant of *variables* that change *hertz* times a second, a collector, a broker, and so many
    *edges*."""

    def __init__(
        self, folder: str, tools: argparse.Namespace, variables: int, hertz: float, edges: int
    ) -> None:
        self._tools, self.variables, self.hertz = tools, variables, hertz
        self._stack = contextlib.ExitStack()
        plant, broker = free_port(), free_port()
        self.plant = self._add(
            Process(
                [tools.source, "--port", str(plant), "--vars", str(variables)]
                + ["--rate", str(hertz), "--publish-ms", "10", "--tick-ms", "10"]
            )
        )
        file = Path(folder, "mosquitto%d.conf" % broker)
        file.write_text(
            "listener %d 127.0.0.1\nallow_anonymous true\nmax_queued_messages 100000\n" % broker,
            "ascii",
        )
        program = shutil.which("mosquitto") or MOSQUITTO
        self.broker = self._add(Process([program, "-c", str(file)]))
        url = "mqtt://127.0.0.1:%d" % broker
        listed = {
            "Var%d" % each: {"node": "nsu=urn:bench;s=Var%d" % each} for each in range(variables)
        }
        server = {"endpoint": "opc.tcp://127.0.0.1:%d" % plant, "publishing_interval_ms": 10}
        server.update(sampling_interval_ms=0, queue_size=1000, variables=listed)
        mqtt = {"broker": url, "variables": ["*"], "interval_ms": 0, "encoding": "compact"}
        self.collector = self._add(
            Opcws(folder, {"servers": {"plant": server}, "publish": {"mqtt": mqtt}})
        )
        served = {"endpoint": url}
        self.edges = [
            self._add(Opcws(folder, {"servers": {"plant": served}})) for _ in range(edges)
        ]

    def _add(self, process: Any) -> Any:
        self._stack.callback(process.stop)
        return process

    def load(self, at: Opcws, clients: int, each: int, seconds: float) -> Dict[str, Any]:
        """The results of the load client for so many *clients*."""
        command = [self._tools.client, "--port", str(at.port), "--conns", str(clients)]
        command += ["--vars", str(each), "--total-vars", str(self.variables)]
        command += ["--seconds", str(seconds), "--rate", str(self.hertz)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        told: Dict[str, Any] = json.loads(done.stdout)
        return told

    def stop(self) -> None:
        self._stack.close()


@contextlib.contextmanager
def stage(tools: argparse.Namespace, *numbers: Any) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="opcws-bench-") as folder:
        made = Stage(folder, tools, *numbers)
        try:
            yield made
        finally:
            made.stop()


def rate(tools: argparse.Namespace) -> int:
    wrong = 0
    for hertz in RATES:
        with stage(tools, 100, hertz, 1) as on:
            edge = on.edges[0]
            until(lambda: edge.status("Configured") == 100, "the edge has found all")  # noqa: B023
            processes = [on.collector, edge, on.broker]
            before, began = [each.cpu_s for each in processes], time.monotonic()
            values = on.collector.number("opcws_publisher_values_total")
            told = on.load(edge, 1, 100, tools.seconds)
            seconds = time.monotonic() - began
            cpu = [each.cpu_s - at for each, at in zip(processes, before)]
            values = on.collector.number("opcws_publisher_values_total") - values
            waiting = on.collector.number("opcws_publisher_backlog")
            dropped = on.collector.number("opcws_publisher_dropped_total")
            sustained = not told["lost"] and not dropped and waiting < 100
            print(
                "rate   %6.0f values/s   collector %.1f us   edge with a client %.1f us   "
                "broker %.0f %%   p99 %.1f ms   lost %d   waiting %d   %s"
                % (
                    *(values / seconds, 1e6 * cpu[0] / values, 1e6 * cpu[1] / values),
                    *(100 * cpu[2] / seconds, told["lat_p99_ms"], told["lost"], waiting),
                    "sustained" if sustained else "NOT sustained",
                ),
                flush=True,
            )
            wrong += told["duplicates"] + told["out_of_order"]
    return wrong


def later(tools: argparse.Namespace) -> int:
    with stage(tools, 100, 10, 1) as on:
        wrong = 0
        for _ in range(tools.reps):
            for name, at in (("collector", on.collector), ("edge", on.edges[0])):
                told = on.load(at, 10, 10, tools.seconds)
                wrong += told["lost"] + told["duplicates"] + told["out_of_order"]
                print(
                    "later  %-10s p50 %.2f ms   p99 %.2f ms   lost %d"
                    % (name, told["lat_p50_ms"], told["lat_p99_ms"], told["lost"]),
                    flush=True,
                )
    return wrong


def ten(tools: argparse.Namespace) -> int:
    with stage(tools, 1000, 2, 10) as on:
        processes = [on.collector, on.broker, *on.edges]
        results: List[Dict[str, Any]] = [{} for _ in on.edges]

        def load(number: int) -> None:
            results[number] = on.load(on.edges[number], 1, 100, tools.seconds)

        threads = [threading.Thread(target=load, args=(n,)) for n in range(len(on.edges))]
        before, began = [each.cpu_s for each in processes], time.monotonic()
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        seconds = time.monotonic() - began
        cpu = [100 * (each.cpu_s - at) / seconds for each, at in zip(processes, before)]
        print(
            "ten    collector %.0f %%   broker %.0f %%   an edge %.1f %%   p99 %.1f ms   lost %d"
            % (
                *(cpu[0], cpu[1], sum(cpu[2:]) / len(on.edges)),
                max(each["lat_p99_ms"] for each in results),
                sum(each["lost"] for each in results),
            ),
            flush=True,
        )
        return sum(each["duplicates"] + each["out_of_order"] for each in results)


MEASURES: Dict[str, Callable[[argparse.Namespace], int]] = {
    "rate": rate,
    "later": later,
    "ten": ten,
}


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description="Measure what a broker costs.")
    parser.add_argument("--source", required=True, help="opcsim of the kit")
    parser.add_argument("--client", required=True, help="wsload of the kit")
    parser.add_argument("--only", default=",".join(CELLS), metavar="CELL,...")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each run (default: 6)")
    parser.add_argument("--reps", type=int, default=3, help="of later (default: 3)")
    tools = parser.parse_args(arguments)
    if not set(CELLS) >= set(tools.only.split(",")):
        parser.error("--only can give: " + ", ".join(CELLS))
    return int(0 < max(MEASURES[each](tools) for each in tools.only.split(",")))


if __name__ == "__main__":
    sys.exit(main())
