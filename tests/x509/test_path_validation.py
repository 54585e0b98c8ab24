"""What RFC 5280 has against a path of certificates, and which revocation list counts."""

import ipaddress
from typing import Any, List

import pytest
from cryptography import x509

from opcws.x509.path_validation import Revocation, RevocationLists, find_fault

from ..support import pki
from ..support.pki import Made

ROOT = pki.authority("root")
UNKNOWN = (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00"), True)
DELTA = (x509.DeltaCRLIndicator(1), True)


def constraints(permitted: Any = None, excluded: Any = None) -> Any:
    return (x509.NameConstraints(permitted, excluded), True)


def network(text: str) -> x509.IPAddress:
    return x509.IPAddress(ipaddress.ip_network(text))


def policy_constraints() -> Any:
    return (x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=None), True)


def path(*made: Made) -> List[x509.Certificate]:
    return [each.certificate for each in made]


def leaf(issuer: Made = ROOT, **more: Any) -> Made:
    return pki.make("plant", issuer=issuer, **more)


def below(issuer: Made = ROOT, name: str = "middle", **more: Any) -> Made:
    return pki.authority(name, issuer, **more)


# -- paths ----------------------------------------------------------------------------------


def test_what_plants_have_is_right() -> None:
    middle = below(path_length=0)
    assert find_fault(path(leaf(middle), middle, ROOT)) is None
    assert find_fault(path(pki.make())) is None, "a server's own word"
    old = pki.make(days=(-9, -1), server=False)
    assert find_fault(path(old)) is None, "neither time nor purpose is judged here"
    within = below(more=[constraints([network("127.0.0.0/8"), x509.DNSName("localhost")])])
    assert find_fault(path(leaf(within, uri=None), within, ROOT)) is None


@pytest.mark.parametrize(
    ("middle", "end", "depth", "words"),
    [
        ({"more": [constraints([network("10.0.0.0/8")])]}, {}, 0, "(nameConstraints)"),
        ({"more": [constraints([x509.DNSName("plant.example")])]}, {}, 0, "(nameConstraints)"),
        ({"more": [constraints(None, [x509.DNSName("localhost")])]}, {}, 0, "(nameConstraints)"),
        ({}, {"more": [UNKNOWN]}, 0, "critical extension that opcws does not know (1.2.3.4.5)"),
        ({"more": [UNKNOWN]}, {}, 1, "critical extension that opcws does not know (1.2.3.4.5)"),
        ({"more": [policy_constraints()]}, {}, None, "(policyConstraints)"),
    ],
    ids=["address", "other host", "excluded host", "critical", "critical above", "policies"],
)
def test_what_an_authority_or_an_extension_forbids_is_found(
    middle: Any, end: Any, depth: Any, words: str
) -> None:
    issuer = below(**middle)
    fault = find_fault(path(leaf(issuer, **end), issuer, ROOT))
    assert fault is not None and words in fault.text
    assert depth is None or fault.depth == depth
    assert not fault.issuing


def test_an_unknown_critical_extension_is_found_in_a_self_signed_one_too() -> None:
    fault = find_fault(path(pki.make(more=[UNKNOWN])))
    assert fault is not None and "1.2.3.4.5" in fault.text


def test_an_authority_below_one_that_may_have_none_is_found() -> None:
    first = below(path_length=0)
    second = below(first, "lower")
    fault = find_fault(path(leaf(second), second, first, ROOT))
    assert fault is not None and fault.issuing and "(pathLenConstraint)" in fault.text
    assert fault.depth == 2


def test_who_is_no_authority_is_found() -> None:
    server = pki.make("server", issuer=ROOT, own_key=pki.key("other server"))
    fault = find_fault(path(leaf(server), server, ROOT))
    assert fault is not None and fault.issuing and fault.depth == 1
    assert "is not that of an authority" in fault.text


def test_a_wrong_signature_is_found() -> None:
    false_root = pki.authority("root", own_key=pki.key("false root"))
    fault = find_fault(path(leaf(false_root), ROOT))
    assert fault is not None and "signature" in fault.text


# -- revocation lists -----------------------------------------------------------------------


def lists(*written: bytes) -> RevocationLists:
    return RevocationLists([x509.load_der_x509_crl(each) for each in written])


def part(**of: Any) -> Any:
    """An extension that makes a list one for some certificates only."""
    values = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return (x509.IssuingDistributionPoint(**{**values, **of}), True)


def test_a_current_list_says_good_or_revoked() -> None:
    end = leaf()
    good, revoked = pki.revocation_list(ROOT), pki.revocation_list(ROOT, [end])
    assert lists(good).state(path(end, ROOT)) == Revocation(good=True)
    assert lists(revoked).state(path(end, ROOT)) == Revocation(revoked=True)
    assert lists().state(path(end, ROOT)) == Revocation()
    assert lists(pki.revocation_list(leaf())).state(path(end, ROOT)) == Revocation()


def test_the_newest_list_counts_and_an_old_one_only_against() -> None:
    end = leaf()
    before = pki.revocation_list(ROOT, [end], days=(-9, -8))
    assert lists(before).state(path(end, ROOT)) == Revocation(revoked=True)
    assert lists(before, pki.revocation_list(ROOT)).state(path(end, ROOT)).good
    assert not lists(pki.revocation_list(ROOT, days=(-9, -8))).state(path(end, ROOT)).good
    assert not lists(pki.revocation_list(ROOT, days=(2, 9))).state(path(end, ROOT)).good


@pytest.mark.parametrize(
    ("extension", "words"),
    [
        (DELTA, ""),
        (part(full_name=[x509.UniformResourceIdentifier("http://a/1.crl")]), "other certificates"),
        (part(only_contains_ca_certs=True), "other certificates"),
        (part(only_contains_attribute_certs=True), "other certificates"),
        (part(only_some_reasons=frozenset([x509.ReasonFlags.key_compromise])), ""),
        (part(indirect_crl=True), ""),
        (UNKNOWN, "critical extension"),
    ],
    ids=["delta", "partition", "authorities", "attributes", "reasons", "indirect", "unknown"],
)
def test_a_list_that_is_not_the_whole_truth_proves_nothing_good(extension: Any, words: str) -> None:
    state = lists(pki.revocation_list(ROOT, more=[extension])).state(path(leaf(), ROOT))
    assert not state.good and not state.revoked
    assert words in state.reason and bool(words) == bool(state.reason)


def test_a_list_for_the_right_certificates_counts() -> None:
    servers = pki.revocation_list(ROOT, more=[part(only_contains_user_certs=True)])
    assert lists(servers).state(path(leaf(), ROOT)).good
    point = [x509.UniformResourceIdentifier("http://a/1.crl")]
    named = x509.CRLDistributionPoints([x509.DistributionPoint(point, None, None, None)])
    end = leaf(more=[(named, False)])
    partition = pki.revocation_list(ROOT, more=[part(full_name=point)])
    assert lists(partition).state(path(end, ROOT)).good


def test_what_a_delta_list_adds_to_a_complete_one_counts_until_there_is_a_newer_one() -> None:
    end = leaf()
    complete = pki.revocation_list(ROOT, days=(-3, 30))
    delta = pki.revocation_list(ROOT, [end], days=(-2, 30), more=[DELTA])
    assert lists(complete, delta).state(path(end, ROOT)).revoked
    newer = pki.revocation_list(ROOT, days=(-1, 30))
    assert lists(complete, delta, newer).state(path(end, ROOT)).good
    forged = pki.revocation_list(ROOT, [end], more=[DELTA], signer=pki.key())
    assert lists(complete, forged).state(path(end, ROOT)).good


def test_a_list_of_an_authority_that_may_not_sign_lists_does_not_count() -> None:
    middle = below(crl_sign=False)
    state = lists(pki.revocation_list(middle)).state(path(leaf(middle), middle, ROOT))
    assert state == Revocation(reason="its issuer may not sign such lists (keyUsage)")


def test_a_list_that_somebody_else_signed_does_not_count() -> None:
    forged = pki.revocation_list(ROOT, signer=pki.key())
    assert lists(forged).state(path(leaf(), ROOT)) == Revocation(reason="its signature is wrong")
