"""Node ids as text, there and back."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcws.model.data_types import (
    NULL_NODE_ID,
    TYPE_IDS,
    TYPE_NAMES,
    NodeId,
    format_node_id,
    parse_node_id,
    resolve_node_id,
)

STANDARD = "http://opcfoundation.org/UA/"
NAMESPACES = [STANDARD, "urn:server", "urn:demo:plant", "odd;uri with 100% of it"]
GUID = uuid.UUID("72962b91-fa75-4ae6-8d28-b404dc7daf63")

identifiers = st.one_of(
    st.integers(0, 2**32 - 1), st.text(min_size=1), st.uuids(), st.binary(max_size=40)
)
uris = st.text(min_size=1).filter(lambda uri: uri != STANDARD)
local_node_ids = st.builds(NodeId, st.integers(0, 65535), identifiers, st.none(), st.just(0))
node_ids = st.one_of(
    local_node_ids,
    st.builds(NodeId, st.just(0), identifiers, uris, st.integers(0, 2**32 - 1)),
)


@given(node_ids)
def test_every_node_id_reads_back_from_its_text(node_id):
    assert parse_node_id(format_node_id(node_id)) == node_id


@given(local_node_ids)
def test_a_node_id_written_with_uris_resolves_to_the_same_index(node_id):
    text = format_node_id(node_id, NAMESPACES)
    assert resolve_node_id(parse_node_id(text), NAMESPACES) == node_id


@pytest.mark.parametrize(
    "text, node_id",
    [
        ("i=2258", NodeId(0, 2258)),
        ("i=0", NULL_NODE_ID),
        ("i=4294967295", NodeId(0, 2**32 - 1)),
        ("ns=2;i=3", NodeId(2, 3)),
        ("ns=65535;s=x", NodeId(65535, "x")),
        ("s=Boiler.Temperature", NodeId(0, "Boiler.Temperature")),
        ('ns=3;s=DB1."Tank; level" = 5 ', NodeId(3, 'DB1."Tank; level" = 5 ')),
        ("ns=1;s=ns=2;i=3", NodeId(1, "ns=2;i=3")),
        ("ns=1;s=100%3B", NodeId(1, "100%3B")),
        ("ns=1;s=two\nlines", NodeId(1, "two\nlines")),
        ("nsu=urn:demo:plant;s=Name", NodeId(0, "Name", "urn:demo:plant")),
        ("nsu=odd%3Buri with 100%25 of it;i=1", NodeId(0, 1, NAMESPACES[3])),
        ("nsu=" + STANDARD + ";i=2258", NodeId(0, 2258)),
        ("g=72962b91-fa75-4ae6-8d28-b404dc7daf63", NodeId(0, GUID)),
        ("ns=1;g=72962B91-FA75-4AE6-8D28-B404DC7DAF63", NodeId(1, GUID)),
        ("ns=1;b=AP8=", NodeId(1, b"\x00\xff")),
        ("b=", NodeId(0, b"")),
        ("svr=3;nsu=urn:x;i=1", NodeId(0, 1, "urn:x", 3)),
        ("svr=3;ns=2;i=1", NodeId(2, 1, None, 3)),
    ],
)
def test_a_node_id_text_means_this_node_id(text, node_id):
    assert parse_node_id(text) == node_id


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("", "expected a NodeId"),
        ("2258", "expected a NodeId"),
        ("x=5", "expected a NodeId"),
        (" i=5", "expected a NodeId"),
        ("i=5;ns=2", "after 'i='"),
        ("ns=2", "expected a NodeId"),
        ("ns=2,i=5", "expected a NodeId"),
        ("ns=-1;i=5", "expected a NodeId"),
        ("nsu=urn:a;ns=2;i=5", "expected a NodeId"),
        ("ns=65536;i=5", "over 65535"),
        ("svr=4294967296;i=5", "over 4294967295"),
        ("nsu=;i=5", "is empty"),
        ("s=", "is empty"),
        ("i=", "after 'i='"),
        ("i=-1", "after 'i='"),
        ("i=1.5", "after 'i='"),
        ("i=4294967296", "after 'i='"),
        ("i=99999999999999999999", "after 'i='"),
        ("i=\u0665", "after 'i='"),
        ("ns=\u0665;i=5", "expected a NodeId"),
        ("g=72962b91", "a Guid"),
        ("g={72962b91-fa75-4ae6-8d28-b404dc7daf63}", "a Guid"),
        ("b=AP8", "base64"),
        ("b=A P8=", "base64"),
    ],
)
def test_a_text_that_is_no_node_id_is_refused_with_a_sentence(text, complaint):
    with pytest.raises(ValueError) as caught:
        parse_node_id(text)
    assert complaint in str(caught.value)


@given(st.text())
def test_any_text_is_a_node_id_or_a_value_error(text):
    try:
        parse_node_id(text)
    except ValueError:
        pass


def test_a_namespace_is_named_by_uri_where_the_server_is_known_to_have_it():
    assert format_node_id(NodeId(2, "Name"), NAMESPACES) == "nsu=urn:demo:plant;s=Name"
    assert format_node_id(NodeId(9, "Name"), NAMESPACES) == "ns=9;s=Name"
    assert format_node_id(NodeId(0, 2258), NAMESPACES) == "i=2258"
    twice = (*NAMESPACES, "urn:demo:plant", "")
    assert format_node_id(NodeId(2, 1), twice) == "nsu=urn:demo:plant;i=1"
    for index in range(len(NAMESPACES), len(twice)):
        assert format_node_id(NodeId(index, 1), twice) == "ns=%d;i=1" % index
    assert format_node_id(NodeId(3, 1), NAMESPACES) == "nsu=odd%3Buri with 100%25 of it;i=1"


def test_a_namespace_that_the_server_does_not_have_is_a_lookup_error_that_names_it():
    with pytest.raises(LookupError, match="no namespace 'urn:gone'"):
        resolve_node_id(NodeId(0, 1, "urn:gone"), NAMESPACES)


def test_the_built_in_types_are_numbered_1_to_25_and_names_lead_back():
    assert sorted(TYPE_NAMES) == list(range(1, 26))
    assert all(TYPE_NAMES[TYPE_IDS[name]] == name for name in TYPE_IDS)
