"""Who the client behind a reverse proxy is; what is hearsay counts for nothing."""

import time
from typing import Dict, List, Optional, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcws.model.addresses import Peer
from opcws.ws.forwarded import FORWARDED, X_FORWARDED_FOR, ForwardedClient, client

PROXY = Peer("10.0.0.1", 5000)
TRUSTED = ("10.0.0.0/8",)


def _client(
    header: str,
    peer: Peer = PROXY,
    trusted: "tuple[str, ...]" = TRUSTED,
    **sent: Union[str, List[str]],
) -> ForwardedClient:
    values: Dict[str, List[str]] = {
        name.replace("_", "-"): [each] if isinstance(each, str) else each
        for name, each in sent.items()
    }
    return client(peer, lambda name: values.get(name, []), header, trusted)


@pytest.mark.parametrize(
    ("sent", "host"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7:4711 ", "203.0.113.7"),
        ("2001:db8::7", "2001:db8::7"),
        # What stands left of the first address that is no proxy's is the client's invention.
        ("198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("10.0.0.9, 203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, 10.0.0.2", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7, 10.0.0.2, 10.0.0.3", "203.0.113.7"),
        (["198.51.100.1", "203.0.113.7, 10.0.0.2"], "203.0.113.7"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        # What is no address ends the reading at the last one that was.
        ("203.0.113.7, unknown", "10.0.0.1"),
        ("203.0.113.7, unknown, 10.0.0.2", "10.0.0.2"),
        ("203.0.113.7,", "10.0.0.1"),
        ("", "10.0.0.1"),
        ([], "10.0.0.1"),
        ("\xff\x00", "10.0.0.1"),
    ],
)
def test_the_rightmost_address_that_is_no_proxys_is_the_clients(
    sent: Union[str, List[str]], host: str
) -> None:
    assert _client(X_FORWARDED_FOR, x_forwarded_for=sent).peer.host == host


@pytest.mark.parametrize(
    ("sent", "host", "secure"),
    [
        ("for=203.0.113.7", "203.0.113.7", None),
        ("For=203.0.113.7;Proto=HTTPS;by=10.0.0.1", "203.0.113.7", True),
        ('for="203.0.113.7:4711";proto=http', "203.0.113.7", False),
        ('for="[2001:db8::7]:4711"', "2001:db8::7", None),
        ("for=[2001:db8::7]", "2001:db8::7", None),
        ('proto=https;for="203.0.113.7"', "203.0.113.7", True),
        ("for=198.51.100.1;proto=http, for=203.0.113.7;proto=https", "203.0.113.7", True),
        ("for=203.0.113.7;proto=https, for=10.0.0.2;proto=http", "203.0.113.7", True),
        (["for=198.51.100.1", "for=203.0.113.7"], "203.0.113.7", None),
        # A client's unfinished quote does not swallow what the proxy adds.
        ('for="198.51.100.1, for=203.0.113.7;proto=https', "203.0.113.7", True),
        (['for="', "for=203.0.113.7"], "203.0.113.7", None),
        # A quoted text of the proxy's own element is no element.
        ('for=203.0.113.7;host="a, for=198.51.100.1"', "203.0.113.7", None),
        (r'for=203.0.113.7;host="a\", for=198.51.100.1"', "203.0.113.7", None),
        ("for=unknown", "10.0.0.1", None),
        ("for=203.0.113.7, for=_hidden, for=10.0.0.2", "10.0.0.2", None),
        ("proto=https", "10.0.0.1", None),
        ("203.0.113.7", "10.0.0.1", None),
        ("", "10.0.0.1", None),
    ],
)
def test_forwarded_is_read_as_rfc_7239_writes_it(
    sent: Union[str, List[str]], host: str, secure: Optional[bool]
) -> None:
    found = _client(FORWARDED, forwarded=sent)
    assert (found.peer.host, found.secure) == (host, secure)


def test_nobody_but_a_trusted_proxy_is_believed() -> None:
    stranger = Peer("192.0.2.66", 4000)
    for header in (X_FORWARDED_FOR, FORWARDED):
        for trusted in (TRUSTED, ()):
            found = _client(
                header,
                peer=stranger,
                trusted=trusted,
                x_forwarded_for="203.0.113.7",
                x_forwarded_proto="https",
                forwarded="for=203.0.113.7;proto=https",
            )
            assert found == ForwardedClient(stranger, None)


def test_the_header_that_the_proxy_does_not_write_is_the_clients_own_and_ignored() -> None:
    both = {"x_forwarded_for": "203.0.113.7", "forwarded": "for=198.51.100.1"}
    assert _client(X_FORWARDED_FOR, **both).peer.host == "203.0.113.7"
    assert _client(FORWARDED, **both).peer.host == "198.51.100.1"
    assert _client(X_FORWARDED_FOR, forwarded="for=198.51.100.1").peer == PROXY
    assert _client(FORWARDED, x_forwarded_for="203.0.113.7").peer == PROXY


@pytest.mark.parametrize(
    ("sent", "secure"),
    [("https", True), ("HTTP", False), ("wss", True), ("ws", False), ("https, http", True)]
    + [(each, None) for each in ("", "ftp", "\xff")],
)
def test_the_scheme_is_the_one_by_which_the_client_came(sent: str, secure: Optional[bool]) -> None:
    found = _client(X_FORWARDED_FOR, x_forwarded_for="203.0.113.7", x_forwarded_proto=sent)
    assert found == ForwardedClient(Peer("203.0.113.7"), secure)


@given(st.text(max_size=60), st.sampled_from([X_FORWARDED_FOR, FORWARDED]))
def test_whatever_a_client_sends_the_proxys_own_word_counts(junk: str, header: str) -> None:
    found = _client(
        header, x_forwarded_for=junk + ", 203.0.113.7", forwarded=[junk, "for=203.0.113.7"]
    )
    assert found.peer.host == "203.0.113.7"


@given(st.text(alphabet='for=;," \\[]:.019ax', max_size=80))
def test_no_text_is_a_defect_or_an_address_that_does_not_stand_there(text: str) -> None:
    for header in (X_FORWARDED_FOR, FORWARDED):
        _client(header, x_forwarded_for=text, forwarded=text)


@pytest.mark.parametrize("piece", ['"', ",", 'a="', ";", " ", "for=10.0.0.2,", 'a="\\', "[", "\\,"])
def test_a_header_as_long_as_they_come_is_read_in_no_time(piece: str) -> None:
    text = (piece * 16384)[:16384]
    began = time.thread_time()
    _client(FORWARDED, forwarded=text)
    _client(FORWARDED, forwarded=text + ", for=10.0.0.2")
    _client(X_FORWARDED_FOR, x_forwarded_for=text)
    assert time.thread_time() - began < 1.0
