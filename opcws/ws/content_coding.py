"""Content that is the same for everybody: compressed for clients that accept gzip (RFC 9110
12.5.3), and not sent again to clients that have it (RFC 9110 13.1.2).

Rules:

* Nothing compressed here contains a secret or data from a client, so its length reveals nothing
  (BREACH).
* Each content is compressed once, for the first client that asks, and at most :data:`KEPT` are
  kept.

Threads: the readers of connections.
"""

import gzip
import hashlib
import re
import threading
from typing import Dict, Tuple

from .http_message import Request, Response

#: Number of compressed contents that are kept: more than there are files, schemas and pages.
KEPT = 256
#: Bytes; smaller contents fit a packet uncompressed.
LEAST_BYTES = 1024

_COMPRESSIBLE = ("text/", "application/", "image/svg")

# One coding and its weight (RFC 9110 12.4.2); x-gzip is an old name of gzip (8.4.1.3).
_CODING = re.compile(
    r"(?:x-(?=gzip))?(?P<coding>[^\s;]+)\s*(?:;\s*q=(?P<weight>0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?$",
    re.ASCII,
)

#: Guards _compressed: of many threads that ask for a content at once, one compresses it.
_lock = threading.Lock()
#: By the identity of the content, oldest first.
_compressed: Dict[str, bytes] = {}


def response(
    request: Request, body: bytes, content_type: str, *headers: Tuple[str, str]
) -> Response:
    """*body* in the form that *request* accepts; a 304 if the client has it already."""
    found = hashlib.sha256(body).hexdigest()[:32]
    tag = '"%s"' % found
    if len(body) >= LEAST_BYTES and content_type.startswith(_COMPRESSIBLE):
        headers += (("Vary", "Accept-Encoding"),)
        if takes_gzip(request):
            tag = '"%s-gzip"' % found  # each form has its own strong tag (RFC 9110 8.8.3.3)
            headers += (("Content-Encoding", "gzip"),)
            body = _gzip(found, body)
    headers += (("ETag", tag), ("Cache-Control", "no-cache"))
    known = {"*", tag, "w/" + tag} & {*request.tokens("if-none-match")}
    return Response(304 if known else 200, body, content_type, headers)


def takes_gzip(request: Request) -> bool:
    """Whether the client accepts gzip and does not prefer the uncompressed form."""
    weights: Dict[str, float] = {}
    for token in request.tokens("accept-encoding"):
        found = _CODING.match(token)
        if found:
            weights[found["coding"]] = float(found["weight"] or 1)
    weight = weights.get("gzip", weights.get("*", 0.0))
    return weight > 0 and weight >= weights.get("identity", 0.0)


def _gzip(found: str, body: bytes) -> bytes:
    with _lock:
        if found not in _compressed:
            while len(_compressed) >= KEPT:
                del _compressed[next(iter(_compressed))]
            _compressed[found] = gzip.compress(body, mtime=0)
        return _compressed[found]
