"""What the page, the documentation and the schemas are over a real socket: compressed where the
client takes that (RFC 9110 12.5.3), never what changes."""

import gzip
from typing import Iterator, Optional

import pytest

from opcws.app import Server
from opcws.wire import schema_files
from opcws.ws import content_coding

from ...support.byte_client import Answer, exchange, opening, serving
from ...support.readme import ROOT

STATIC = ROOT / "opcws" / "static"
FILES = sorted(each.name for each in STATIC.iterdir())


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def get(
    server: Server, path: str, method: str = "GET", coding: Optional[str] = "gzip", **headers: str
) -> Answer:
    return exchange(
        server,
        opening(path, method, Upgrade=None, Connection=None, Accept_Encoding=coding, **headers),
    )


@pytest.mark.parametrize(
    "path", ["/", *("/" + name for name in FILES), "/docs/settings", "/docs/schemas/ERROR.json"]
)
def test_it_is_the_same_compressed_and_not_and_is_sent_once(server: Server, path: str) -> None:
    plain, packed = get(server, path, coding=None), get(server, path)
    assert plain.status == packed.status == 200
    assert "content-encoding" not in plain.headers
    compressible = len(plain.body) >= content_coding.LEAST_BYTES and not path.endswith(".png")
    assert ("content-encoding" in packed.headers) == compressible
    assert ("vary" in plain.headers) == ("vary" in packed.headers) == compressible
    assert (gzip.decompress(packed.body) if compressible else packed.body) == plain.body
    assert len(packed.body) < len(plain.body) or not compressible
    own = {"etag", "content-encoding", "content-length"}
    assert {k: v for k, v in plain.headers.items() if k not in own} == {
        k: v for k, v in packed.headers.items() if k not in own
    }
    for answer, coding in ((plain, None), (packed, "gzip")):
        assert answer.headers["cache-control"] == "no-cache"
        head = get(server, path, "HEAD", coding)
        assert (head.status, head.headers, head.body) == (200, answer.headers, b"")
        for method in ("GET", "HEAD"):
            again = get(server, path, method, coding, If_None_Match=answer.headers["etag"])
            assert (again.status, again.headers, again.body) == (304, answer.headers, b"")


def test_every_schema_and_every_form_of_the_codings_name_is_right(server: Server) -> None:
    for name in schema_files.names():
        packed = get(server, "/docs/schemas/" + name, coding="br, x-gzip;q=0.5")
        body = packed.body
        if packed.headers.get("content-encoding"):
            assert packed.headers["content-encoding"] == "gzip"
            body = gzip.decompress(body)
        assert body == schema_files.read(name)


@pytest.mark.parametrize("path", ["/status", "/metrics", "/healthz", "/readyz", "/nothing"])
def test_what_changes_is_not_compressed_and_nobody_keeps_it(server: Server, path: str) -> None:
    answer = get(server, path)
    assert not {"content-encoding", "vary", "etag"} & set(answer.headers)
    assert answer.headers["cache-control"] == "no-store"


def test_a_file_that_changes_is_sent_as_it_is_now(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from opcws.ws import web_pages

    folder = tmp_path_factory.mktemp("static")
    monkeypatch.setattr(web_pages, "_STATIC", folder)
    tag = ""
    for text in (b"one " * 1000, b"two " * 1000):
        (folder / "page.js").write_bytes(text)
        answer = get(server, "/page.js", If_None_Match=tag)
        assert gzip.decompress(answer.body) == text
        tag = answer.headers["etag"]
    assert get(server, "/page.js", If_None_Match=tag).status == 304
