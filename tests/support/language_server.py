"""yaml-language-server, which VS Code and other editors use for YAML files, over its standard
streams (Language Server Protocol)."""

import itertools
import json
import queue
import shutil
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, List, Optional, Sequence, Type

import pytest

from . import readme
from .waiting import PATIENCE

_PROGRAM = readme.ROOT.joinpath(
    *("tests", "javascript", "node_modules", "yaml-language-server"),
    *("bin", "yaml-language-server"),
)
needed = pytest.mark.skipif(
    not _PROGRAM.exists() or shutil.which("node") is None,
    reason="not run: needs Node and yaml-language-server (npm install in tests/javascript)",
)

_SETTINGS = {
    **{"validate": True, "hover": True, "completion": True},
    "schemaStore": {"enable": False},  # there may be no network
}
_CAN = {
    "textDocument": {
        "hover": {"contentFormat": ["markdown"]},
        "completion": {"completionItem": {"snippetSupport": True}},
    },
    "workspace": {"configuration": True},
}


class LanguageServer:
    """A server that runs until the end of the ``with`` block.

    In each text, ``|`` is the cursor.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = itertools.count(1)
        self._told: Dict[str, List[str]] = {}
        self._messages: "queue.Queue[Any]" = queue.Queue()
        command = ["node", str(_PROGRAM), "--stdio"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read)

    def __enter__(self) -> "LanguageServer":
        self._reader.start()
        self._request("initialize", {"processId": None, "rootUri": None, "capabilities": _CAN})
        self._send({"method": "initialized", "params": {}})
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self._process.kill()
        self._reader.join(PATIENCE)
        self._process.communicate()

    def problems(self, text: str) -> List[str]:
        """The problems that it marks in *text*."""
        return self.problems_of([text])[0]

    def problems_of(self, texts: Sequence[str]) -> List[List[str]]:
        """The same for several texts; it waits before it checks, once for all of them."""
        opened = [self._open(text) for text in texts]
        while not self._told.keys() >= set(opened):
            self._receive()
        return [self._told[uri] for uri in opened]

    def completions(self, text: str) -> Dict[str, str]:
        """Its completions at the cursor, and the description of each."""
        found = self._ask("completion", text)["items"]
        return {each["label"].strip('"'): str(each.get("documentation", "")) for each in found}

    def hover(self, text: str) -> str:
        """Its description, in Markdown, of the text under the cursor."""
        return str(self._ask("hover", text)["contents"]["value"])

    def _ask(self, what: str, text: str) -> Any:
        before, after = text.split("|")
        position = {
            "line": before.count("\n"),
            "character": len(before) - before.rfind("\n") - 1,
        }
        params = {"textDocument": {"uri": self._open(before + after)}, "position": position}
        return self._request("textDocument/" + what, params)

    def _open(self, text: str) -> str:
        uri = (self._directory / ("%d.yaml" % next(self._numbers))).as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        return uri

    def _request(self, method: str, params: Dict[str, Any]) -> Any:
        number = next(self._numbers)
        self._send({"id": number, "method": method, "params": params})
        while True:
            answer = self._receive()
            if answer.get("id") == number and "method" not in answer:
                return answer["result"]

    def _receive(self) -> Dict[str, Any]:
        message: Dict[str, Any] = self._messages.get(timeout=PATIENCE)
        method = message.get("method")
        if method == "textDocument/publishDiagnostics":
            params = message["params"]
            self._told[params["uri"]] = [each["message"] for each in params["diagnostics"]]
        elif method == "workspace/configuration":
            items = message["params"]["items"]
            result = [_SETTINGS if each.get("section") == "yaml" else {} for each in items]
            self._send({"id": message["id"], "result": result})
        elif method is not None and "id" in message:
            self._send({"id": message["id"], "result": None})
        return message

    def _send(self, message: Dict[str, Any]) -> None:
        assert self._process.stdin is not None
        content = json.dumps({"jsonrpc": "2.0", **message}).encode("utf-8")
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(content), content))
        self._process.stdin.flush()

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        length = 0
        for line in iter(stream.readline, b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            elif not line.strip():
                self._messages.put(json.loads(stream.read(length)))
