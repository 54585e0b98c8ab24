"""The page *A secured plant, step by step* is gone through as it stands, with a secured server."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import List

from opcws.docs import topics

from ... import support
from ...support import PATIENCE, readme
from ..clients.test_examples import ENVIRONMENT, running
from ..plants.test_security import secured

#: What a command asks for.
GIVEN = {"user": "anna's secret\nanna's secret\n", "write": "anna's secret\n"}
#: Exit codes of commands that the page shows failing.
CODES = {"is not trusted": 4, "show a credential": 5}


def test_each_step_says_what_the_page_says(tmp_path: Path) -> None:
    ports = {"4840": str(support.free_port()), "8081": str(support.free_port())}
    blocks = [
        re.sub("4840|8081", lambda port: ports[port.group()], code)
        for code in readme.codes(topics.source("secured"))
    ]
    here = tmp_path / "here"
    here.mkdir()
    password = here / "plant.password"
    password.write_text("plant's secret\n", encoding="utf-8")
    password.chmod(0o600)
    steps = 0
    with secured(
        "opcua",
        tmp_path / "server",
        trusted=False,
        port=int(ports["4840"]),
        users={"opcws": "plant's secret"},
        tokens=["Username"],
        policies=["Basic256Sha256_SignAndEncrypt"],
        setpoint=True,
    ) as plant:
        sha1 = hashlib.sha1(plant.made.der).hexdigest().upper()
        while not blocks[0].startswith("opcws serve"):
            steps += step(blocks, here, sha1)
        with running([sys.executable, "-m", *blocks.pop(0).split()], here):
            support.wait_until(lambda: answers(here, ports["8081"]), "ready", 3 * PATIENCE)
            while blocks:
                steps += step(blocks, here, sha1)
    assert steps == 10


def opcws(command: str, here: Path) -> "subprocess.CompletedProcess[str]":
    words = command.split()
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=str(here),
        env={**ENVIRONMENT, "COLUMNS": "200"},
        input=GIVEN.get(words[1], ""),
        capture_output=True,
        encoding="utf-8",
        timeout=3 * PATIENCE,
    )


def answers(here: Path, port: str) -> bool:
    """Whether the plant is connected behind the opcws at *port*."""
    command = "opcws read --url wss://127.0.0.1:%s/ --ca opcws-tls.pem --user anna Counter" % port
    env = {**ENVIRONMENT, "OPCWS_PASSWORD": "anna's secret"}
    done = subprocess.run(
        [sys.executable, "-m", *command.split()], cwd=str(here), env=env, capture_output=True
    )
    return done.returncode == 0


def step(blocks: List[str], here: Path, sha1: str) -> int:
    """Do what the first block says; the number of commands that were run."""
    block = blocks.pop(0)
    if not block.startswith("opcws "):
        with (here / "opcws.yaml").open("a", encoding="utf-8") as file:
            file.write(block + "\n")
        return 0
    said = blocks.pop(0)
    done = opcws(block.replace("SHA1", sha1), here)
    output = " ".join((done.stdout + done.stderr).split())
    wanted = [code for words, code in CODES.items() if words in said]
    assert done.returncode == (wanted or [0])[0], (block, output)
    parts = [re.escape(" ".join(part.split())) for part in said.split("…")]
    assert re.search(".*".join(parts), output), (block, output)
    return 1
