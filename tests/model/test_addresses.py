"""Addresses written, read, compared and counted."""

from typing import Optional

import pytest

from opcws.model import addresses
from opcws.model.addresses import (
    Peer,
    counted_as,
    is_loopback,
    parse,
    parse_network,
    parse_peer,
    within,
)


@pytest.mark.parametrize(
    ("text", "peer"),
    [
        ("192.0.2.1", Peer("192.0.2.1")),
        ("192.0.2.1:4711", Peer("192.0.2.1", 4711)),
        ("2001:db8::1", Peer("2001:db8::1")),
        ("2001:DB8:0::1", Peer("2001:db8::1")),
        ("[2001:db8::1]", Peer("2001:db8::1")),
        ("[2001:db8::1]:80", Peer("2001:db8::1", 80)),
        ("::ffff:192.0.2.1", Peer("192.0.2.1")),
        ("192.0.2.1:99999", Peer("192.0.2.1")),
        ("", None),
        ("unknown", None),
        ("_hidden", None),
        ("plant.example", None),
        ("192.0.2", None),
        ("192.0.2.256", None),
        ("192.0.2.1:x", None),
        ("192.0.2.1:\u0663", None),
        ("[2001:db8::1", None),
        ("[2001:db8::1]80", None),
        ("[]", None),
    ],
)
def test_an_address_is_read_with_and_without_a_port(text: str, peer: Optional[Peer]) -> None:
    assert parse_peer(text) == peer


@pytest.mark.parametrize("text", ["192.0.2.1:80", "192.0.2.1", "[2001:db8::1]:80", "[2001:db8::1]"])
def test_what_is_written_is_what_was_read(text: str) -> None:
    assert str(parse_peer(text)) == text


def test_an_ipv6_address_is_counted_as_its_network_of_64_bits() -> None:
    assert counted_as("2001:db8:0:1::1") == counted_as("2001:db8:0:1:ffff::") == "2001:db8:0:1::/64"
    assert counted_as("2001:db8:0:2::1") != counted_as("2001:db8:0:1::1")
    assert counted_as("fe80::1%eth0") == "fe80::/64"
    assert counted_as("::1") == "::1"
    assert counted_as("192.0.2.1") == counted_as("::ffff:192.0.2.1") == "192.0.2.1"
    assert counted_as("no address") == "no address"


def test_an_address_is_within_networks_of_its_kind_only() -> None:
    networks = ("10.0.0.0/8", "2001:db8::/32", "192.0.2.7")
    for host in ("10.1.2.3", "2001:db8::1", "192.0.2.7", "::ffff:10.0.0.1"):
        assert within(host, networks), host
    for host in ("11.0.0.1", "2001:db9::1", "192.0.2.8", "::10.0.0.1", "plant.example", ""):
        assert not within(host, networks), host
    assert not within("10.1.2.3", ())


def test_a_network_that_is_none_is_told_with_what_would_be_right() -> None:
    with pytest.raises(ValueError, match="expected one such as"):
        parse_network("proxy.example")
    with pytest.raises(ValueError, match=r"did you mean 10\.0\.0\.0/8"):
        parse_network("10.0.0.5/8")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("plant.example", False),
    ],
)
def test_loopback_addresses_are_told_from_others(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_the_longest_address_is_one_and_what_is_longer_is_not_remembered() -> None:
    longest = "0000:0000:0000:0000:0000:ffff:192.168.255.255"
    assert str(parse(longest)) == str(parse(longest + "%" + "zone" * 20)) == "192.168.255.255"
    remembered = addresses._parsed.cache_info().currsize
    for length in (1, 10000):
        assert parse(longest + "0" * length) is None
    assert addresses._parsed.cache_info().currsize == remembered
