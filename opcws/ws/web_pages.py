"""What a browser gets at each path: the page, the documentation, and the operators' reports.

Pure, except that it reads files of the package.
"""

import json
import re
from pathlib import Path
from typing import Any, Callable

from ..config.roles import ENDPOINTS
from ..docs import search, topics
from ..operations.page_texts import PageTexts
from ..wire import schema_files
from . import content_coding
from .http_message import Request, Response, refuse

#: Path of the documentation: below it a page for each topic, and the schemas.
DOCS = "/docs"
_SCHEMAS = "schemas/"

#: File with the codes of the page's languages; pattern for the texts of one.
LANGUAGES = "texts.json"
_TEXTS = re.compile(r"texts\.([a-z]+)\.json")

_STATIC = Path(__file__).resolve().parent.parent / "static"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".ts": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}

_POLICY_OF_DOCS = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)

# A picture that is opened by itself needs its own style sheet to be dark.
_POLICY_OF_PICTURES = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

# Fetched with npm when opcws is packaged, if there is npm.  The page works without them, but a
# browser would report a 404 as an error.
_OPTIONAL = ("uplot.js", "uplot.css")

# Foreign pages may load these; listen.origins decides whether they may connect.
_FOR_ALL = ("opcws.js", "opcws.d.ts")

# Our pages load nothing from elsewhere and have no inline script or style; no foreign page may
# show them in a frame, where it could give a click another meaning.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


def answer(request: Request, report: Callable[[str], Response], texts: PageTexts) -> Response:
    """The response to *request*; *report* makes the document at one of
    :data:`~opcws.config.roles.ENDPOINTS`, and *texts* are those of the page.

    Raises :exc:`~opcws.ws.http_message.Refused`.
    """
    if request.method not in ("GET", "HEAD"):
        raise refuse(405, "only GET is allowed here", ("Allow", "GET, HEAD"))
    if request.path == "/ws":
        raise refuse(426, "this is a WebSocket; upgrade", ("Upgrade", "websocket"))
    if request.name in ENDPOINTS:
        return report(request.name)
    if request.path == DOCS:
        return Response(301, headers=(("Location", DOCS[1:] + "/"),))
    if request.path.startswith(DOCS + "/"):
        name = request.path[len(DOCS) + 1 :]
        if name.startswith(_SCHEMAS):
            return _schema(request, name[len(_SCHEMAS) :])
        return _documentation(request, name)
    if request.name == LANGUAGES:
        return _json(request, texts.languages())
    language = _TEXTS.fullmatch(request.name)
    if language is not None:
        return _json(request, texts.table(language.group(1)))
    return _static(request, "index.html" if request.path == "/" else request.name)


def _json(request: Request, document: Any) -> Response:
    return content_coding.response(request, json.dumps(document).encode("ascii"), _TYPES[".json"])


def _static(request: Request, name: str) -> Response:
    if "/" in name or "\\" in name or name.startswith("."):
        raise refuse(404, "nothing is here")
    file = _STATIC / name
    content_type = _TYPES.get(file.suffix)
    if content_type is None:
        raise refuse(404, "nothing is here")
    try:
        body = file.read_bytes()
    except (OSError, ValueError):
        if name not in _OPTIONAL:
            raise refuse(404, "nothing is here") from None
        body = b""
    headers = [("Content-Security-Policy", _POLICY), ("Referrer-Policy", "no-referrer")]
    if name in _FOR_ALL:
        headers.append(("Access-Control-Allow-Origin", "*"))
    return content_coding.response(request, body, content_type, *headers)


def _schema(request: Request, name: str) -> Response:
    if not name:
        return Response(301, headers=(("Location", "../schemas"),))
    if name not in schema_files.names():
        raise refuse(404, "no such schema file; /docs/schemas has a list")
    body = schema_files.read(name)
    content_type = "application/schema+json" if b'"$schema"' in body else _TYPES[".json"]
    return content_coding.response(
        request,
        body,
        content_type,
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Expose-Headers", "ETag"),
    )


def _documentation(request: Request, name: str) -> Response:
    picture = topics.picture(name)
    if picture is not None:
        policy = ("Content-Security-Policy", _POLICY_OF_PICTURES)
        return content_coding.response(request, picture, _TYPES[".svg"], policy)
    if name and name not in topics.NAMES:
        raise refuse(404, "no such page; /docs has a list")
    # Imports docutils, which is not needed until a client opens a page.
    from ..docs import html

    headers = (("Content-Security-Policy", _POLICY_OF_DOCS), ("Referrer-Policy", "no-referrer"))
    wanted = request.query.get("q")
    if wanted and not name:
        if len(wanted[0]) > search.MAX_LENGTH:
            raise refuse(400, "search for at most %d characters" % search.MAX_LENGTH)
        return Response(200, html.results(wanted[0]).encode("utf-8"), _TYPES[".html"], headers)
    page = html.page(name)
    return content_coding.response(request, page.encode("utf-8"), _TYPES[".html"], *headers)
