"""What is the same for everybody: compressed for who takes that (RFC 9110 12.5.3), and not sent
again to who has it (RFC 9110 13.1.2).

Rules:

* Nothing that is compressed here holds a secret, or what a client sent: its length tells nobody
  anything (BREACH).
* Each content is compressed once, by the first who asks for it, and at most :data:`KEPT` are kept.

Threads: the readers of connections.
"""

import gzip
import hashlib
import re
import threading
from typing import Dict, Tuple

from .http_message import Request, Response

#: Contents of which the compressed form is kept: more than there are files, schemas and pages.
KEPT = 256
#: Bytes below which a content fits a packet as it is.
LEAST_BYTES = 1024

_COMPRESSIBLE = ("text/", "application/", "image/svg")

# One coding and its weight (RFC 9110 12.4.2); x-gzip is an old name of gzip (8.4.1.3).
_CODING = re.compile(
    r"(?:x-(?=gzip))?(?P<coding>[^\s;]+)\s*(?:;\s*q=(?P<weight>0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?$",
    re.ASCII,
)

#: Guards the one below: of many who ask for a content at once one compresses it.
_lock = threading.Lock()
#: By what identifies its content, oldest first.
_compressed: Dict[str, bytes] = {}


def response(
    request: Request, body: bytes, content_type: str, *headers: Tuple[str, str]
) -> Response:
    """*body*, as *request* wants it; whoever has it already gets a 304."""
    found = hashlib.sha256(body).hexdigest()[:32]
    tag = '"%s"' % found
    if len(body) >= LEAST_BYTES and content_type.startswith(_COMPRESSIBLE):
        headers += (("Vary", "Accept-Encoding"),)
        if takes_gzip(request):
            tag = '"%s-gzip"' % found  # a strong one is that of one form (RFC 9110 8.8.3.3)
            headers += (("Content-Encoding", "gzip"),)
            body = _gzip(found, body)
    headers += (("ETag", tag), ("Cache-Control", "no-cache"))
    known = {"*", tag, "w/" + tag} & {*request.tokens("if-none-match")}
    return Response(304 if known else 200, body, content_type, headers)


def takes_gzip(request: Request) -> bool:
    """Whether the client takes gzip, and would not rather have it as it is."""
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
