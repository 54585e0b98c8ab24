"""The secure channel (OPC 10000-6 6.7): the library's, with the keys kept by token.

A renewal gives a new token while messages under the old one are still on their way
(OPC 10000-4 5.5.2.1).  The library swaps keys on the sender's thread and on the receiver's, and a
message that comes between two of its steps is judged by the wrong key.  Here each thread has its
own half: the receiver picks the peer's keys by the token of each chunk, the sender changes over
in one step.

Threads: ``set_channel`` and ``_check_sym_header`` on the receiver, ``revolve_tokens`` on a sender
that holds the socket's lock.
"""

from collections import OrderedDict
from typing import Any, Tuple

from opcua import ua
from opcua.common.connection import SecureConnection

#: Tokens whose messages are still taken: the newest and the one before.
TOKENS = 2


class Channel(SecureConnection):  # type: ignore[misc]
    """One secure channel of a client."""

    def __init__(self, security_policy: Any) -> None:
        super().__init__(security_policy)
        # Of the receiver: what checks and decrypts the peer's messages, by token.
        self._peers: "OrderedDict[int, Tuple[Any, Any]]" = OrderedDict()
        # Written whole by the receiver, taken by the sender: token and nonces of the renewal.
        self._renewed: Tuple[Any, bytes, bytes] = (self.next_security_token, b"", b"")

    def set_channel(self, params: Any, request_type: Any, client_nonce: bytes) -> None:
        """Take the answer to OpenSecureChannel."""
        policy = self.security_policy
        crypto = policy.symmetric_cryptography
        token = params.SecurityToken
        policy.make_remote_symmetric_key(client_nonce, params.ServerNonce)
        self._peers[token.TokenId] = _peer_of(crypto)
        while len(self._peers) > TOKENS:
            self._peers.popitem(last=False)
        if request_type == ua.SecurityTokenRequestType.Issue:
            policy.make_local_symmetric_key(params.ServerNonce, client_nonce)
            self.security_token = token
            self._open = True
        else:
            self._renewed = (token, params.ServerNonce, client_nonce)
            # Last: this is what the sender looks at.
            self.next_security_token = token

    def revolve_tokens(self) -> None:
        """From here on send under the renewed token."""
        token, server_nonce, client_nonce = self._renewed
        self.security_policy.make_local_symmetric_key(server_nonce, client_nonce)
        self.security_token = token
        if self.next_security_token is token:
            self.next_security_token = ua.ChannelSecurityToken()

    def _check_sym_header(self, header: Any) -> None:
        """Make ready for a chunk under the token that its header names."""
        peer = self._peers.get(header.TokenId)
        if peer is None:
            raise ua.UaError("a message under the unknown security token %d" % header.TokenId)
        _use_peer(self.security_policy.symmetric_cryptography, peer)


def _peer_of(crypto: Any) -> Tuple[Any, Any]:
    return getattr(crypto, "Verifier", None), getattr(crypto, "Decryptor", None)


def _use_peer(crypto: Any, peer: Tuple[Any, Any]) -> None:
    # Without security there is nothing that checks, and no place to keep it.
    if peer != (None, None):
        crypto.Verifier, crypto.Decryptor = peer
