"""What is compressed for whom, once, and how much of it is kept."""

import gzip
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, List, Tuple

import pytest

from opcws.ws import content_coding
from opcws.ws.http_message import Request, Response

TEXT = b"the same words " * 100


def asked(*headers: Tuple[str, str], body: bytes = TEXT, content_type: str = "text/css") -> Any:
    request = Request("GET", "1.1", "/", {}, list(headers))
    return content_coding.response(request, body, content_type, ("X-Own", "kept"))


def coding(response: Response) -> str:
    return dict(response.headers).get("Content-Encoding", "")


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content_coding, "_compressed", {})


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("gzip ; q=0.001", True),
        ("gzip;Q=1.000", True),
        ("*", True),
        ("gzip, *;q=0", True),
        ("identity;q=0, gzip;q=0.1", True),
        ("gzip;q=0.5, identity;q=0.5", True),
        ("", False),
        (",", False),
        ("br", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("gzip;q=0.5, identity", False),
        # What is no weight, or no coding, is not what it looks like.
        ("gzip;q=2", False),
        ("gzip;q=-1", False),
        ("gzip;q=nan", False),
        ("gzip;q=0.\u0661", False),
        ("gzip;q=", False),
        ("gzip;level=9", False),
        ("x-x-gzip", False),
        ("notgzip", False),
        (";q=1", False),
        (" " * 5000 + ";", False),
    ],
)
def test_a_text_is_compressed_for_who_takes_that(accepted: str, compressed: bool) -> None:
    response = asked(("accept-encoding", accepted))
    assert coding(response) == ("gzip" if compressed else "")
    assert (gzip.decompress(response.body) if compressed else response.body) == TEXT
    assert ("Vary", "Accept-Encoding") in response.headers
    assert ("X-Own", "kept") in response.headers


def test_who_says_nothing_gets_it_as_it_is() -> None:
    response = asked()
    assert (coding(response), response.body) == ("", TEXT)
    assert ("Vary", "Accept-Encoding") in response.headers


@pytest.mark.parametrize(
    ("body", "content_type"), [(b"short" * 100, "text/css"), (b"\x89PNG" * 1000, "image/png")]
)
def test_what_would_gain_nothing_is_sent_as_it_is(body: bytes, content_type: str) -> None:
    response = asked(("accept-encoding", "gzip"), body=body, content_type=content_type)
    assert (coding(response), response.body) == ("", body)
    assert "Vary" not in dict(response.headers)


def test_each_form_has_its_own_tag_and_is_not_sent_to_who_has_it() -> None:
    packed = ("accept-encoding", "gzip")
    plain, smaller = (dict(asked(*headers).headers)["ETag"] for headers in ((), (packed,)))
    assert plain != smaller
    for tag in (smaller, "W/" + smaller, '"other", %s' % smaller, "*"):
        again = asked(packed, ("if-none-match", tag))
        assert again.status == 304
        head, _, body = again.encoded().partition(b"\r\n\r\n")
        assert not body and b"\r\nVary: Accept-Encoding" in head
        assert b"\r\nETag: " + smaller.encode("ascii") in head
    assert asked(packed, ("if-none-match", plain)).status == 200
    assert asked(("if-none-match", smaller)).status == 200
    assert asked(("if-none-match", plain), body=TEXT + b"changed").status == 200


def test_of_many_who_ask_at_once_one_compresses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made: List[str] = []
    compress = gzip.compress

    def counted(body: bytes, **options: Any) -> bytes:
        made.append(threading.current_thread().name)
        return compress(body, **options)

    monkeypatch.setattr(gzip, "compress", counted)
    with ThreadPoolExecutor(8) as threads:
        bodies = {
            each.body
            for each in threads.map(lambda _: asked(("accept-encoding", "gzip")), range(100))
        }
    assert len(bodies) == len(made) == 1


def test_what_is_kept_is_bounded() -> None:
    for number in range(content_coding.KEPT + 10):
        asked(("accept-encoding", "gzip"), body=TEXT + b"%d" % number)
    assert len(content_coding._compressed) == content_coding.KEPT
