"""Node-RED as a process of a test, and the output of the flows on its documentation page."""

import contextlib
import json
import subprocess
from pathlib import Path
from typing import Any, Dict, Iterator, List

from .node import PACKAGES, node_with
from .recipes import code

#: Node-RED without its editor.
_SETTINGS = {
    "httpAdminRoot": False,
    "httpNodeRoot": False,
    "uiHost": "127.0.0.1",
    "uiPort": 0,
    "telemetry": {"enabled": False},
}


class NodeRed:
    """The nodes of the flow on the page whose first id begins with *name*; its output goes to files
    in *directory*.  Change the nodes before it runs."""

    def __init__(self, name: str, directory: Path) -> None:
        self._directory = directory
        self.nodes: Dict[str, Dict[str, Any]] = {}
        for each in json.loads(code("node-red", '[\n{"id": "%s.' % name)):
            self.nodes[each["id"]] = each
            if each["type"] == "debug":
                self._keep(each)

    def _keep(self, node: Dict[str, Any]) -> None:
        """Write to a file instead of the debug pane."""
        file = node["id"] + ".file"
        node.update(
            type="function",
            func="return {payload: JSON.stringify(msg)};",
            outputs=1,
            wires=[[file]],
        )
        self.nodes[file] = {
            "id": file,
            "z": node["z"],
            "type": "file",
            "filename": str(self._directory / node["id"]),
            "filenameType": "str",
            "appendNewline": True,
            "overwriteFile": "false",
            "wires": [[]],
        }

    def shown(self, node: str) -> List[Dict[str, Any]]:
        """The messages that *node* has shown."""
        path = self._directory / node
        # The last line may be incomplete.
        lines = path.read_text("utf-8").split("\n")[:-1] if path.exists() else []
        return [json.loads(line) for line in lines]

    @property
    def log(self) -> str:
        return (self._directory / "log").read_text("utf-8")

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        directory = self._directory
        node = node_with("node-red")
        (directory / "flows.json").write_text(json.dumps(list(self.nodes.values())), "utf-8")
        settings = directory / "settings.cjs"
        settings.write_text("module.exports = " + json.dumps(_SETTINGS), "utf-8")
        command = [node, str(PACKAGES / "node-red" / "red.js"), "--userDir", str(directory)]
        command += ["--settings", str(settings), "flows.json"]
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.kill()
            process.wait()
