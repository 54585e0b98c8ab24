"""Measure opcws: by itself, or beside other gateways with a benchmark kit.

    python3 scripts/bench.py                      the fan-out alone, needs nothing else
    python3 scripts/bench.py --growth             ... with more variables and more clients
    python3 scripts/bench.py --growth --picture FILE.svg          ... and what came of it, drawn
    python3 scripts/bench.py --crowd [--only opcws,compiled]      thousands of clients at once
    python3 scripts/bench.py --kit FOLDER [--only opcws,node] [--reps 5] [--results FILE]
    python3 scripts/bench.py --kit FOLDER -- --ramp 1x1000

What follows ``--`` is given to the kit's run_bench.py.  The kit is built and run in a copy of its
own; runs during which other processes took part of the machine are left out of the table.
``--results`` adds every run to a file, a line of JSON each.

(Windows: py scripts\\bench.py, without a kit)
"""

import sys

# Before the imports, which an older Python 3 could not even parse.
if sys.version_info < (3, 8):
    sys.exit(
        "bench.py: needs Python 3.8 or newer, this is %d.%d; install a newer one, and start this "
        "with it." % sys.version_info[:2]
    )

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import environment

#: Percent of one core that others may take during a run that counts, as the kit's warning has it.
QUIET_PCT = 20.0
#: What the kit builds or installs, and what its copy can share with it.
BUILT = (".envs", "peers/node_gateway/node_modules")

#: What each kind of run is judged by: member of a result, heading, format.
FIGURES: Dict[str, Sequence[Tuple[str, str, str]]] = {
    "fanout": [
        ("gw_us_per_msg", "us/update", "%.1f"),
        ("lat_p50_ms", "p50 ms", "%.1f"),
        ("lat_p99_ms", "p99 ms", "%.1f"),
    ],
    "rpc": [
        ("requests_per_s", "requests/s", "%.0f"),
        ("gw_us_per_msg", "us/request", "%.1f"),
        ("lat_p99_ms", "p99 ms", "%.1f"),
    ],
    "idle": [
        ("kb_per_conn", "kB/client", "%.1f"),
        ("gw_threads", "threads", "%.0f"),
        ("connects_per_s", "connects/s", "%.0f"),
    ],
    "slow": [("rate_kept_pct", "kept %", "%.1f"), ("gw_rss_peak_mb", "peak MB", "%.0f")],
}
#: What must be 0.
WRONG = ("lost", "duplicates", "out_of_order", "bad_value", "errors")

CONFIGURATION = {
    "suffix": ".yaml",
    "join": "\n",
    "template": [
        "listen:",
        "  host: 127.0.0.1",
        "  port: {port}",
        # For the kit's --idle 2000.
        "  limits: {max_connections: 5000, max_connections_per_address: 5000}",
        "servers:",
        "  bench:",
        "    endpoint: {endpoint}",
        "    publishing_interval_ms: {publish_ms}",
        "    variables:",
        "{variables}",
    ],
    "variable_template": '      {name}: {node: "nsu=urn:bench;s={name}", access: readwrite, '
    "sampling_interval_ms: 0, queue_size: 1000}",
}


#: How the Python of each form of opcws is prepared, by the name it has here.
FORMS = {"opcws": environment.prepare, "compiled": environment.prepare_compiled}


def crowd(only: str) -> int:
    """Print what a crowd of clients asks of each form of opcws; returns 1 if a promise broke."""
    failed = 0
    for name in only.split(","):
        command = [FORMS[name]("run"), str(environment.ROOT / "scripts" / "crowd.py")]
        print("\n%s" % name, flush=True)
        failed |= environment.run(command)
    return failed


def gateway(name: str, python: str) -> Dict[str, Any]:
    """The opcws of *python*, as an entry of the kit's gateways.json."""
    return {
        "name": name,
        "argv": [str(Path(python).parent / "opcws"), "serve", "--config", "{config}"],
        "path": "/",
        "env": {"PYTHONUNBUFFERED": "1"},
        "config": CONFIGURATION,
    }


def copy_of(kit: Path, folder: Path) -> Path:
    """A built copy of *kit* in *folder* that knows this checkout."""
    copy = folder / "kit"
    ignored = shutil.ignore_patterns(*[Path(each).name for each in BUILT], "__pycache__")
    shutil.copytree(str(kit), str(copy), ignore=ignored)
    for name in BUILT:
        if (kit / name).exists():
            os.symlink(str((kit / name).resolve()), str(copy / name))
    for directory, _folders, files in os.walk(str(copy)):
        for name in [directory, *[os.path.join(directory, each) for each in files]]:
            if not os.path.islink(name):
                os.chmod(name, os.stat(name).st_mode | 0o200)
    if subprocess.call(["make", "-s", "-C", str(copy), "all", "peers"]):
        environment.fail("cannot build the kit; make's own words are above")
    path = copy / "gateways.json"
    gateways = json.loads(path.read_text(encoding="utf-8"))["gateways"]
    others = [each for each in gateways if each["name"] != "opcws"]
    own = [gateway("opcws", environment.prepare("run"))]
    if not environment.lacks():
        own.append(gateway("compiled", environment.prepare_compiled("run")))
    text = json.dumps({"gateways": [*own, *others]}, indent=1)
    path.write_text(text, encoding="utf-8")
    return copy


def beside_others(
    kit: Path, only: str, reps: int, results: Optional[Path], arguments: Sequence[str]
) -> int:
    """Run the kit's matrix and print what opcws and each other gateway came to."""
    with tempfile.TemporaryDirectory(prefix="opcws-bench-") as folder:
        copy = copy_of(kit, Path(folder))
        out = Path(folder) / "results.jsonl"
        command = [sys.executable, "run_bench.py", "gateways.json", "--only", only]
        command += ["--reps", str(reps), "--out", str(out), *arguments]
        code = run(command, copy)
        if "--ramp" in arguments or not out.exists():
            return code
        lines = out.read_text(encoding="utf-8").splitlines()
    if results is not None:
        with results.open("a", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)
    return code or summary([json.loads(line) for line in lines], only.split(","))


def run(command: Sequence[str], folder: Path) -> int:
    """Run the kit's script to its end.  Whoever ends this process early ends it by Ctrl-C: only
    then does it end the gateways and sources that it started, which have sessions of their own."""
    process = subprocess.Popen(command, cwd=str(folder), start_new_session=True)
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait()


def summary(results: Sequence[Dict[str, Any]], names: Sequence[str]) -> int:
    """Print medians of the quiet runs and the first gateway's ratios to the others; returns 1 if
    the first lost anything or had no quiet run."""
    failed = 0
    for cell in dict.fromkeys(result["cell"] for result in results):
        print("\n%s" % cell)
        figures = FIGURES[cell.split()[0]]
        base: Dict[str, float] = {}
        for name in names:
            runs = [each for each in results if (each["cell"], each["gateway"]) == (cell, name)]
            good = [each for each in runs if quiet(each)]
            wrong = ["%s %d" % (key, total(runs, key)) for key in WRONG if total(runs, key)]
            medians = dict(found(good, figures))
            base = base or medians
            print(
                "  %-10s %s" % (name, ", ".join(["%d of %d runs" % (len(good), len(runs)), *wrong]))
            )
            for key, heading, form in figures:
                if key in medians:
                    ratio = base.get(key, 0.0) / medians[key] if medians[key] else 0.0
                    print("    %-12s %10s   %.2f x" % (heading, form % medians[key], ratio))
            if name == names[0]:
                failed |= bool(wrong) or not good
    return int(failed)


def quiet(result: Dict[str, Any]) -> bool:
    """Whether *result* counts: it came, and nobody disturbed it or its source."""
    return bool(
        result.get("ok")
        and result.get("foreign_cpu_pct", 0.0) <= QUIET_PCT
        and not result.get("src_skipped")
    )


def found(
    results: Sequence[Dict[str, Any]], figures: Sequence[Tuple[str, str, str]]
) -> Iterator[Tuple[str, float]]:
    """The median of each figure that *results* have."""
    for key, _heading, _form in figures:
        values = [each[key] for each in results if isinstance(each.get(key), (int, float))]
        if values:
            yield key, statistics.median(values)


def total(results: Sequence[Dict[str, Any]], key: str) -> int:
    return sum(int(each.get(key) or 0) for each in results)


def main(arguments: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description="Measure opcws: by itself, or beside other gateways with a benchmark kit."
    )
    parser.add_argument("--kit", type=Path, help="folder of the kit; without it, the fan-out alone")
    parser.add_argument(
        "--only", help="gateways, opcws first; without a kit, cells such as 1x1000, or forms"
    )
    parser.add_argument("--crowd", action="store_true", help="thousands of clients at once")
    parser.add_argument("--reps", type=int, default=5, help="with a kit (default: 5)")
    parser.add_argument("--growth", action="store_true", help="more variables and more clients")
    parser.add_argument("--picture", metavar="FILE.svg", help="draw what --growth measured")
    parser.add_argument("--results", type=Path, metavar="FILE", help="with a kit: add every run")
    parser.add_argument("--seconds", default="6", help="per cell (default: 6)")
    parser.add_argument("more", nargs="*", help="after --, for the kit's run_bench.py")
    options = parser.parse_args(arguments)
    if options.picture and (options.kit or options.only or not options.growth):
        parser.error("--picture shows all of --growth: give that, and neither --only nor --kit")
    if options.results and options.kit is None:
        parser.error("--results keeps the runs of a kit: give --kit")
    if options.crowd:
        only = options.only or "opcws"
        if options.kit or options.growth or not FORMS.keys() >= set(only.split(",")):
            parser.error("--crowd needs no kit; --only gives forms: opcws, compiled")
        return crowd(only)
    if options.kit is None:
        command = [environment.prepare("run"), str(environment.ROOT / "scripts" / "fanout.py")]
        command += ["--seconds", options.seconds]
        command += ["--growth"] if options.growth else []
        command += ["--picture", options.picture] if options.picture else []
        command += ["--only", options.only] if options.only else []
        environment.become(command)
    if not (options.kit / "run_bench.py").is_file():
        environment.fail("%s has no run_bench.py; give the kit's folder" % options.kit)
    # Also where Ctrl-C was switched off for what a script runs in the background, and inherited.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    more = ["--seconds", options.seconds, *options.more]
    only = options.only or "opcws,node"
    return beside_others(options.kit, only, options.reps, options.results, more)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
