"""The secure channel (OPC 10000-6 6.7): the library's, with the keys kept by token.

A renewal gives a new token while messages under the old one are still on their way
(OPC 10000-4 5.5.2.1).  The library swaps keys on the sender's thread and on the receiver's, and a
message that comes between two of its steps is judged by the wrong key.  Here each thread has its
own half: the receiver picks the peer's keys by the token of each chunk, the sender changes over
in one step.

Without security a chunk is its headers and its part of the message, so :meth:`SecureChannel.unwrap`
and :meth:`SecureChannel.wrap` do by hand what the library takes most of a small message's time for.
The rules are the library's, and so is the state: either may take the next chunk.

Threads: ``set_channel``, ``unwrap`` and ``_check_sym_header`` on the receiver, ``revolve_tokens``
and ``wrap`` on a sender that holds the socket's lock.
"""

import struct
from collections import OrderedDict
from typing import Any, List, Optional, Tuple

from opcua import ua
from opcua.common.connection import SecureConnection

#: MessageType and chunk type, MessageSize, SecureChannelId, TokenId, SequenceNumber, RequestId
#: (OPC 10000-6 6.7.2).
_HEADERS = struct.Struct("<4sIIIII")
#: SequenceNumbers may begin again below this, and before 2**32 less it (OPC 10000-6 6.7.2.4).
_WRAP = 1024

#: Tokens whose messages are still taken: the newest and the one before.
TOKENS = 2


class SecureChannel(SecureConnection):  # type: ignore[misc]
    """One secure channel of a client."""

    def __init__(self, security_policy: Any) -> None:
        super().__init__(security_policy)
        # The library's, named here for the type checker: how many were sent, which came last,
        # and the chunks of the message that is coming in.
        self._sequence_number: int = 0
        self._peer_sequence_number: Optional[int] = None
        self._incoming_parts: List[Any] = []
        # Of the receiver: what checks and decrypts the peer's messages, by token.
        self._peers: "OrderedDict[int, Tuple[Any, Any]]" = OrderedDict()
        # Written whole by the receiver, taken by the sender: token and nonces of the renewal.
        self._renewed: Tuple[Any, bytes, bytes] = (self.next_security_token, b"", b"")
        #: Whether messages are neither signed nor encrypted.
        self.plain = type(security_policy) is ua.SecurityPolicy
        # Of the receiver: the RequestId of the message that is coming in by unwrap, its parts.
        self._request_id = 0
        self._parts: List[bytes] = []

    def set_channel(self, params: Any, request_type: Any, client_nonce: bytes) -> None:
        """Take the answer to OpenSecureChannel."""
        policy = self.security_policy
        crypto = policy.symmetric_cryptography
        token = params.SecurityToken
        policy.make_remote_symmetric_key(client_nonce, params.ServerNonce)
        self._peers[token.TokenId] = (
            getattr(crypto, "Verifier", None),
            getattr(crypto, "Decryptor", None),
        )
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

    def unwrap(self, chunk: bytes) -> Optional[Tuple[int, bytes]]:
        """RequestId and body of the message that the MSG *chunk* completes; ``None`` if it does
        not.  Raises ``ua.UaError`` or :exc:`struct.error`: the channel must be closed."""
        kind, _size, channel, token, number, request_id = _HEADERS.unpack_from(chunk)
        if token not in self._peers:
            raise ua.UaError("a message under the unknown security token %d" % token)
        if channel != self.security_token.ChannelId:
            raise ua.UaError("a message of the unknown secure channel %d" % channel)
        before = self._peer_sequence_number
        if before is not None and number != before + 1:
            if number >= _WRAP or before < 2**32 - _WRAP:
                raise ua.UaError("message %d where %d was expected" % (number, before + 1))
        self._peer_sequence_number = number
        parts = self._parts
        if kind == b"MSGF" and not parts:
            return request_id, chunk[_HEADERS.size :]
        if parts and request_id != self._request_id:
            raise ua.UaError(
                "a chunk of message %d inside of message %d" % (request_id, self._request_id)
            )
        self._parts = []
        if kind == b"MSGA":  # the sender gave up; the channel lives (OPC 10000-6 6.7.3)
            return None
        parts.append(chunk[_HEADERS.size :])
        if kind == b"MSGF":
            return request_id, b"".join(parts)
        if kind != b"MSGC":
            raise ua.UaError("a chunk that begins with %r" % kind)
        self._request_id, self._parts = request_id, parts
        return None

    def wrap(self, body: bytes, request_id: int) -> bytes:
        """The chunks of a MSG."""
        if not self.plain or len(body) + _HEADERS.size > self._max_chunk_size:
            chunks: bytes = self.message_to_binary(body, request_id=request_id)
            return chunks
        number = self._sequence_number + 1
        # As the library counts.
        self._sequence_number = number = number if number < 2**32 else 1
        token = self.security_token
        size = _HEADERS.size + len(body)
        head = _HEADERS.pack(b"MSGF", size, token.ChannelId, token.TokenId, number, request_id)
        return head + body

    def drop_parts(self) -> None:
        """Keep of the message that is coming in only what tells which one it is."""
        del self._incoming_parts[1:]
        del self._parts[1:]

    def forget_parts(self) -> None:
        """Drop the parts of a message that never became whole, perhaps many."""
        self._incoming_parts = []
        self._parts = []

    def _check_sym_header(self, header: Any) -> None:
        """Make ready for a chunk under the token that its header names."""
        peer = self._peers.get(header.TokenId)
        if peer is None:
            raise ua.UaError("a message under the unknown security token %d" % header.TokenId)
        # Without security there is nothing that checks, and no place to keep it.
        if peer != (None, None):
            crypto = self.security_policy.symmetric_cryptography
            crypto.Verifier, crypto.Decryptor = peer
