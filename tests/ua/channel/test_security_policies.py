"""The security policies: what they sign and encrypt, and a channel whose keys change."""

import os
from typing import Any, Tuple

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from opcua import ua
from opcua.common.connection import SecureConnection
from opcua.common.utils import Buffer
from opcua.ua.ua_binary import header_from_binary

from opcws.ua.channel import security_policies
from opcws.ua.channel.secure_channel import SecureChannel
from opcws.ua.channel.security_policies import BY_NAME, BY_URI, POLICIES, Policy
from opcws.x509.certificates import Identity

from ...support import pki

SERVER = pki.make("server", own_key=pki.key("policies server"))
CLIENT = pki.make("client", own_key=pki.key("policies client"))

each_policy = pytest.mark.parametrize("policy", POLICIES, ids=[each.name for each in POLICIES])


def identity(made: pki.Made) -> Identity:
    return Identity(made.certificate, made.key, "", "")


def token(number: int) -> Any:
    made = ua.ChannelSecurityToken()
    made.TokenId, made.ChannelId, made.RevisedLifetime = number, 7, 60000
    return made


def opened(policy: Policy, mode: str) -> Tuple[SecureChannel, SecureConnection]:
    """A client's channel and a server's, with keys."""
    client = SecureChannel(policy.secure(SERVER.certificate, identity(CLIENT), mode))
    server = SecureConnection(policy.secure(CLIENT.certificate, identity(SERVER), mode))
    renew(client, server, 1, ua.SecurityTokenRequestType.Issue)
    server.security_token = token(1)
    return client, server


def renew(
    client: SecureChannel, server: SecureConnection, number: int, kind: Any
) -> Tuple[bytes, bytes]:
    """Give both sides the nonces of a token; the server's keys change when *kind* is Issue."""
    result = ua.OpenSecureChannelResult()
    result.SecurityToken = token(number)
    nonce, result.ServerNonce = os.urandom(32), os.urandom(32)
    client.set_channel(result, kind, nonce)
    if kind == ua.SecurityTokenRequestType.Issue:
        use(server, nonce, result.ServerNonce)
    return nonce, result.ServerNonce


def use(server: SecureConnection, client_nonce: bytes, server_nonce: bytes) -> None:
    server.security_policy.make_local_symmetric_key(client_nonce, server_nonce)
    server.security_policy.make_remote_symmetric_key(server_nonce, client_nonce)


def received(connection: Any, data: bytes) -> Any:
    buffer = Buffer(data)
    return connection.receive_from_header_and_body(header_from_binary(buffer), buffer)


def body(message: Any) -> bytes:
    buffer = message.body()
    text: bytes = buffer.read(len(buffer))
    return text


@each_policy
@pytest.mark.parametrize("mode", ["Sign", "SignAndEncrypt"])
def test_messages_of_every_policy_arrive_in_both_directions(policy: Policy, mode: str) -> None:
    client, server = opened(policy, mode)
    for sender, receiver in ((client, server), (server, client)):
        for size in (1, 15, 16, 17, 70000):
            text = os.urandom(size)
            chunks = sender.message_to_binary(text, request_id=1)
            assert (text[:16] in chunks) == (mode == "Sign") or size < 15
            buffer = Buffer(chunks)
            message = None
            while message is None:
                header = header_from_binary(buffer)
                message = receiver.receive_from_header_and_body(header, buffer)
            assert body(message) == text


@each_policy
def test_a_changed_byte_is_noticed(policy: Policy) -> None:
    client, server = opened(policy, "Sign")
    data = bytearray(server.message_to_binary(b"temperature 20", request_id=1))
    data[30] ^= 1
    with pytest.raises(InvalidSignature):
        received(client, bytes(data))


@each_policy
def test_the_opening_of_a_channel_can_be_read_by_the_server_only(policy: Policy) -> None:
    client, server = opened(policy, "SignAndEncrypt")
    text = b"the client's nonce" * 30
    data = client.message_to_binary(text, ua.MessageType.SecureOpen, request_id=1)
    assert text[:18] not in data
    assert body(received(server, data)) == text
    stranger = SecureConnection(policy.secure(SERVER.certificate, identity(CLIENT), "Sign"))
    # A newer OpenSSL gives noise instead of an error for PKCS #1 v1.5.
    with pytest.raises((ValueError, InvalidSignature)):
        received(stranger, data)


def test_messages_under_the_old_token_are_read_after_the_new_one_is_in_use() -> None:
    client, server = opened(BY_NAME["Aes256_Sha256_RsaPss"], "SignAndEncrypt")
    late = server.message_to_binary(b"late", request_id=1)
    nonces = renew(client, server, 2, ua.SecurityTokenRequestType.Renew)
    assert client.next_security_token.TokenId == 2
    client.revolve_tokens()
    assert (client.security_token.TokenId, client.next_security_token.TokenId) == (2, 0)
    assert body(received(client, late)) == b"late"
    use(server, *nonces)
    server.security_token = token(2)
    for text in (b"new", b"newer"):
        assert body(received(client, server.message_to_binary(text, request_id=2))) == text
    server._peer_sequence_number = None
    assert server.security_token.TokenId == 2
    assert body(received(server, client.message_to_binary(b"question", request_id=3)))


def test_a_new_token_is_read_before_anything_was_sent_under_it() -> None:
    client, server = opened(BY_NAME["Basic256Sha256"], "SignAndEncrypt")
    before = server.message_to_binary(b"before", request_id=1)
    nonces = renew(client, server, 2, ua.SecurityTokenRequestType.Renew)
    assert body(received(client, before)) == b"before"
    use(server, *nonces)
    server.security_token = token(2)
    assert body(received(client, server.message_to_binary(b"after", request_id=2))) == b"after"
    assert client.security_token.TokenId == 1, "we go on sending under ours until we change over"


def test_a_token_that_was_never_given_or_is_long_gone_is_refused() -> None:
    client, server = opened(BY_NAME["Basic256Sha256"], "Sign")
    old = server.message_to_binary(b"old", request_id=1)
    server.security_token = token(9)
    with pytest.raises(ua.UaError, match="unknown security token 9"):
        received(client, server.message_to_binary(b"never", request_id=1))
    for number in (2, 3):
        renew(client, server, number, ua.SecurityTokenRequestType.Renew)
        client.revolve_tokens()
    with pytest.raises(ua.UaError, match="unknown security token 1"):
        received(client, old)


@each_policy
@pytest.mark.parametrize("size", [0, 1, 213, 214, 215, 1000])
def test_a_password_of_any_length_is_encrypted_block_by_block(policy: Policy, size: int) -> None:
    secret = os.urandom(size)
    data = policy.encrypt(SERVER.certificate, secret)
    assert len(data) % 256 == 0
    blocks = [data[start : start + 256] for start in range(0, len(data), 256)]
    plain = [SERVER.key.decrypt(block, policy.encrypt_padding()) for block in blocks]
    assert b"".join(plain) == secret


@each_policy
def test_a_signature_is_good_for_its_key_and_text_only(policy: Policy) -> None:
    made = policy.sign(CLIENT.key, b"text")
    assert policy.verify(CLIENT.certificate, b"text", made)
    assert not policy.verify(CLIENT.certificate, b"texT", made)
    assert not policy.verify(SERVER.certificate, b"text", made)
    assert not policy.verify(CLIENT.certificate, b"text", b"")


def test_pss_and_pkcs1_signatures_are_not_taken_for_one_another() -> None:
    pss, pkcs1 = BY_NAME["Aes256_Sha256_RsaPss"], BY_NAME["Aes128_Sha256_RsaOaep"]
    assert not pkcs1.verify(CLIENT.certificate, b"text", pss.sign(CLIENT.key, b"text"))
    assert not pss.verify(CLIENT.certificate, b"text", pkcs1.sign(CLIENT.key, b"text"))


def test_policies_are_what_opc_10000_7_says() -> None:
    facts = {
        policy.name: (
            policy.suite.symmetric_key_size,
            policy.suite.signature_key_size,
            policy.nonce,
            (policy.min_bits, policy.max_bits),
            policy.sign_hash is hashes.SHA256,
            policy.deprecated,
        )
        for policy in POLICIES
    }
    assert facts == {
        "Aes256_Sha256_RsaPss": (32, 32, 32, (2048, 4096), True, False),
        "Aes128_Sha256_RsaOaep": (16, 32, 32, (2048, 4096), True, False),
        "Basic256Sha256": (32, 32, 32, (2048, 4096), True, False),
        "Basic256": (32, 24, 32, (1024, 2048), False, True),
        "Basic128Rsa15": (16, 16, 16, (1024, 2048), False, True),
    }
    for policy in POLICIES:
        assert policy.suite.URI == policy.uri and BY_URI[policy.uri] is policy
        assert policy.suite.AsymmetricSignatureURI == policy.signature_uri
        assert policy.suite.AsymmetricEncryptionURI == policy.encryption_uri
        assert security_policies.short_name(policy.uri) == policy.name
    assert [policy.deprecated for policy in POLICIES] == [False, False, False, True, True]
