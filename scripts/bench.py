"""Measure opcws: by itself, or beside other gateways with a benchmark kit.

    python3 scripts/bench.py                      the fan-out alone, needs nothing else
    python3 scripts/bench.py --growth             ... with more variables and more clients
    python3 scripts/bench.py --growth --picture FILE.svg          ... and a picture of the results
    python3 scripts/bench.py --crowd [--only opcws,compiled]      thousands of clients at once
    python3 scripts/bench.py --large [--kit FOLDER]       100,000 variables and 2,000 clients
    python3 scripts/bench.py --record [--minutes M]       what recording costs
    python3 scripts/bench.py --broker --kit FOLDER        what a broker and an edge cost
    python3 scripts/bench.py --kit FOLDER [--only opcws,node] [--reps 5] [--results FILE]
    python3 scripts/bench.py --kit FOLDER [--cells table,disjoint,idle,plant,wss,...]
    python3 scripts/bench.py --kit FOLDER -- --ramp 1x1000

Arguments after ``--`` go to the kit's run_bench.py, after those of ``--cells``: *plant* is a plant
with Basic256Sha256 and SignAndEncrypt, *wss* is TLS towards the clients.  The kit is built and run
in a copy of its own; runs that other processes disturbed are left out of the table.
``--results`` appends every run to a file, one line of JSON each.

(Windows: py scripts\\bench.py, without a kit)
"""

import sys

# Before the imports, which an older Python 3 cannot even parse.
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
import ssl
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import environment

#: Percent of one core that other processes may use during a run that counts, as in the kit.
QUIET_PCT = 20.0
#: Adds security to programs of the kit.
SCRIPT = Path(__file__).resolve().parent / "secured.js"
#: What the kit builds or installs, and its copy can share.
BUILT = (".envs", "peers/node_gateway/node_modules")

#: The figures of each kind of run: member of a result, heading, format.
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


class Cells(NamedTuple):
    """Cells of the kit: their arguments for run_bench.py, and whether ``plant`` or ``clients`` are
    *secured*."""

    arguments: Sequence[str]
    secured: str = ""


_RAMP = ("--ramp-rates", "40,80,160,320,640,1280")
CELLS = {
    "all": Cells(()),
    "table": Cells(("--cells", "fanout,rpc")),
    "disjoint": Cells(("--cells", "fanout", "--fanout", "100x10", "--assign", "disjoint")),
    "idle": Cells(("--cells", "idle", "--idle", "1000")),
    "ramp-1x1000": Cells(("--ramp", "1x1000", *_RAMP)),
    "ramp-10x100": Cells(("--ramp", "10x100", *_RAMP)),
    # The plant of node-opcua sustains no more changes.
    "plant": Cells(
        (
            *("--source", "node", "--cells", "fanout,rpc", "--ops", "read"),
            *("--fanout", "1x1000", "--rate", "5"),
        ),
        "plant",
    ),
    "wss": Cells(("--cells", "fanout,rpc", "--ops", "read", "--fanout", "10x100"), "clients"),
}
#: Figures that must be 0.
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
#: The ApplicationUri in the certificate that the plant, its clients and opcws all use.
SECURED_URI = "urn:bench:secured"


def security(secured: str, certificate: Path, key: Path) -> Dict[str, str]:
    """Configuration that makes ``plant`` or ``clients`` *secured*, by the line that it follows."""
    return {
        "": {},
        "plant": {
            "    endpoint: {endpoint}": "    application_uri: %s\n"
            "    security: {policy: Basic256Sha256, mode: SignAndEncrypt, "
            "server_certificate: '%s', certificate: '%s', key: '%s'}"
            % (SECURED_URI, certificate, certificate, key)
        },
        "clients": {"  port: {port}": "  tls: {certificate: '%s', key: '%s'}" % (certificate, key)},
    }[secured]


#: How to prepare the Python of each form of opcws, by the form's name.
FORMS = {"opcws": environment.prepare, "compiled": environment.prepare_compiled}


def crowd(only: str, arguments: Sequence[str] = ()) -> int:
    """Measure a crowd of clients with each form of opcws; returns 1 if a promise was broken."""
    failed = 0
    for name in only.split(","):
        command = [FORMS[name]("run"), str(environment.ROOT / "scripts" / "crowd.py"), *arguments]
        print("\n%s" % name, flush=True)
        failed |= run(command, environment.ROOT, dict(os.environ))
    return failed


def large(only: str, kit: Optional[Path]) -> int:
    """Measure very many variables with each form of opcws, in front of the *kit*'s plant."""
    with tempfile.TemporaryDirectory(prefix="opcws-bench-") as folder:
        source = []
        if kit is not None:
            source = ["--source", str(Kit(kit, Path(folder), only).folder / "source" / "opcsim")]
        return crowd(only, ["--large", *source])


def through_broker(only: str, kit: Path) -> int:
    """Measure a broker between two opcws of each form, in front of the *kit*'s plant."""
    failed = 0
    with tempfile.TemporaryDirectory(prefix="opcws-bench-") as folder:
        built = Kit(kit, Path(folder), only).folder
        tools = ["--source", str(built / "source" / "opcsim")]
        tools += ["--client", str(built / "wsload" / "wsload")]
        for name in only.split(","):
            script = str(environment.ROOT / "scripts" / "through_broker.py")
            print("\n%s" % name, flush=True)
            failed |= run([FORMS[name]("run"), script, *tools], environment.ROOT, dict(os.environ))
    return failed


def gateway(name: str, python: str, more: Mapping[str, str]) -> Dict[str, Any]:
    """The opcws of *python*, as an entry of the kit's gateways.json, with *more* inserted after
    lines of its configuration."""
    template = []
    for line in CONFIGURATION["template"]:
        template += [line, more[line]] if line in more else [line]
    return {
        "name": name,
        "argv": [str(Path(python).parent / "opcws"), "serve", "--config", "{config}"],
        "path": "/",
        "env": {"PYTHONUNBUFFERED": "1"},
        "config": {**CONFIGURATION, "template": template},
    }


class Kit:
    """A built copy, in *folder*, of the kit at *origin*, with an entry for this checkout."""

    def __init__(self, origin: Path, folder: Path, only: str) -> None:
        self.folder = folder / "kit"
        ignored = shutil.ignore_patterns(*[Path(each).name for each in BUILT], "__pycache__")
        shutil.copytree(str(origin), str(self.folder), ignore=ignored)
        for name in BUILT:
            if (origin / name).exists():
                os.symlink(str((origin / name).resolve()), str(self.folder / name))
        for directory, _folders, files in os.walk(str(self.folder)):
            for name in [directory, *[os.path.join(directory, each) for each in files]]:
                if not os.path.islink(name):
                    os.chmod(name, os.stat(name).st_mode | 0o200)
        if subprocess.call(["make", "-s", "-C", str(self.folder), "all", "peers"]):
            environment.fail("cannot build the kit; make's own words are above")
        self._pythons = {
            name: prepare("run")
            for name, prepare in FORMS.items()
            if name == "opcws" or name in only.split(",")
        }
        self._others = [
            each
            for each in json.loads(self._gateways.read_text(encoding="utf-8"))["gateways"]
            if each["name"] not in FORMS
        ]
        self._certificate = folder / "secured.pem"
        self._key = folder / "own" / "private" / "opcws.pem"

    @property
    def _gateways(self) -> Path:
        return self.folder / "gateways.json"

    def prepare(self, secured: str) -> Dict[str, str]:
        """Configure what must be *secured*, and return the environment for the kit's programs."""
        if secured and not self._certificate.exists():
            self._make_certificate()
        more = security(secured, self._certificate, self._key)
        own = [gateway(name, python, more) for name, python in self._pythons.items()]
        text = json.dumps({"gateways": [*own, *self._others]}, indent=1)
        self._gateways.write_text(text, encoding="utf-8")
        if not secured:
            return dict(os.environ)
        return {
            **os.environ,
            "NODE_OPTIONS": "--require " + str(SCRIPT),
            "SECURED": secured,
            "SECURED_CERTIFICATE": str(self._certificate),
            "SECURED_KEY": str(self._key),
        }

    def _make_certificate(self) -> None:
        """Make a certificate, and run the load client, which has no TLS, with TLS where needed."""
        opcws = str(Path(self._pythons["opcws"]).parent / "opcws")
        command = [opcws, "cert", "create", "--pki", str(self._certificate.parent)]
        subprocess.check_call(
            [*command, "--host", "127.0.0.1", "--uri", SECURED_URI], stdout=subprocess.DEVNULL
        )
        der = self._certificate.parent / "own" / "certs" / "opcws.der"
        self._certificate.write_text(ssl.DER_cert_to_PEM_cert(der.read_bytes()), encoding="ascii")
        client = self.folder / "wsload" / "wsload"
        plain = client.with_name("wsload-plain")
        client.rename(plain)
        client.write_text(
            '#!/bin/sh\n[ "$SECURED" = clients ] && exec env -u NODE_OPTIONS node "%s" "%s" "$@"\n'
            'exec "%s" "$@"\n' % (SCRIPT, plain, plain),
            encoding="utf-8",
        )
        client.chmod(0o755)


def beside_others(
    origin: Path,
    only: str,
    reps: int,
    cells: str,
    results: Optional[Path],
    arguments: Sequence[str],
) -> int:
    """Run the kit's *cells* and print the results of opcws and of each other gateway."""
    with tempfile.TemporaryDirectory(prefix="opcws-bench-") as folder:
        kit = Kit(origin, Path(folder), only)
        failed = 0
        for name in cells.split(","):
            print("\n=== %s" % name, flush=True)
            out = Path(folder) / (name + ".jsonl")
            command = [sys.executable, "run_bench.py", "gateways.json", "--only", only]
            command += ["--reps", str(reps), "--out", str(out), *CELLS[name].arguments, *arguments]
            code = run(command, kit.folder, kit.prepare(CELLS[name].secured))
            lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
            found = [json.loads(line) for line in lines]
            if results is not None:
                with results.open("a", encoding="utf-8") as file:
                    file.writelines(json.dumps({**each, "cells": name}) + "\n" for each in found)
            ramp = "--ramp" in command
            failed |= code or (0 if ramp or not found else summary(found, only.split(",")))
    return failed


def run(command: Sequence[str], folder: Path, env: Dict[str, str]) -> int:
    """Run *command*, the kit's script or crowd.py, to its end.  If this process is ended early, it
    ends *command* by Ctrl-C: only then does that end its gateways and sources, some of which have
    sessions of their own."""
    process = subprocess.Popen(command, cwd=str(folder), env=env, start_new_session=True)
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait()


def interruptible() -> None:
    """Let Ctrl-C and SIGTERM end what :func:`run` runs, even if Ctrl-C is switched off, which
    background jobs of a script inherit."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)


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
    """Whether *result* counts: the run succeeded, and nothing disturbed it or its source."""
    return bool(
        result.get("ok")
        and result.get("foreign_cpu_pct", 0.0) <= QUIET_PCT
        and not result.get("src_skipped")
    )


def found(
    results: Sequence[Dict[str, Any]], figures: Sequence[Tuple[str, str, str]]
) -> Iterator[Tuple[str, float]]:
    """The median of each of *figures* that *results* have."""
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
    parser.add_argument("--large", action="store_true", help="very many variables and clients")
    parser.add_argument("--record", action="store_true", help="what recording costs")
    parser.add_argument("--broker", action="store_true", help="what a broker costs; with --kit")
    parser.add_argument("--minutes", default="10", help="of the longest of --record (default: 10)")
    parser.add_argument("--reps", type=int, default=5, help="with a kit (default: 5)")
    parser.add_argument(
        "--cells", default="all", metavar="NAME,...", help="with a kit: of " + ", ".join(CELLS)
    )
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
    if options.broker and options.kit is None:
        parser.error("--broker needs the load source of the kit: give --kit")
    if options.crowd or options.large or options.broker:
        only = options.only or "opcws"
        if not FORMS.keys() >= set(only.split(",")):
            parser.error("here --only can give: " + ", ".join(FORMS))
        interruptible()
        if options.broker:
            return through_broker(only, options.kit)
        return crowd(only) if options.crowd else large(only, options.kit)
    if not CELLS.keys() >= set(options.cells.split(",")):
        parser.error("--cells are some of these, give them by comma: " + ", ".join(CELLS))
    if options.record:
        command = [environment.prepare("run"), str(environment.ROOT / "scripts" / "recording.py")]
        command += ["--minutes", options.minutes]
        command += ["--only", options.only] if options.only else []
        environment.become(command)
    if options.kit is None:
        command = [environment.prepare("run"), str(environment.ROOT / "scripts" / "fanout.py")]
        command += ["--seconds", options.seconds]
        command += ["--growth"] if options.growth else []
        command += ["--picture", options.picture] if options.picture else []
        command += ["--only", options.only] if options.only else []
        environment.become(command)
    if not (options.kit / "run_bench.py").is_file():
        environment.fail("%s has no run_bench.py; give the kit's folder" % options.kit)
    interruptible()
    more = ["--seconds", options.seconds, *options.more]
    only = options.only or "opcws,node"
    return beside_others(options.kit, only, options.reps, options.cells, options.results, more)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
