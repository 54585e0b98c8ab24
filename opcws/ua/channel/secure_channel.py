"""The secure channel (OPC 10000-6 6.7): that of the library, but with the keys by token.

A renewal gives a new token while messages under the old one are still on their way (OPC 10000-4
5.5.2.1).  The library changes keys on the sender's and on the receiver's thread, and checks a
message that comes between two steps with the wrong key.  Here each thread has its own half: the
receiver chooses the peer's keys by the token of each chunk, the sender changes its keys in one
step.

Without security a chunk is only headers and a part of the message, so :meth:`SecureChannel.unwrap`
and :meth:`SecureChannel.wrap` do by hand what takes the library most of the time for a small
message.  Rules and state are those of the library: either may handle the next chunk.

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

#: Number of tokens whose messages are accepted: the newest and the one before.
TOKENS = 2


class SecureChannel(SecureConnection):  # type: ignore[misc]
    """One secure channel of a client."""

    def __init__(self, security_policy: Any) -> None:
        super().__init__(security_policy)
        # Attributes of the library, for the type checker: the number of sent chunks, the last
        # received one, and the chunks of the incoming message.
        self._sequence_number: int = 0
        self._peer_sequence_number: Optional[int] = None
        self._incoming_parts: List[Any] = []
        # Of the receiver: keys to verify and decrypt the peer's messages, by token.
        self._peers: "OrderedDict[int, Tuple[Any, Any]]" = OrderedDict()
        # Token and nonces of a renewal; written in one step by the receiver, taken by the sender.
        self._renewed: Tuple[Any, bytes, bytes] = (self.next_security_token, b"", b"")
        #: Whether messages are neither signed nor encrypted.
        self.plain = type(security_policy) is ua.SecurityPolicy
        # Of the receiver: the RequestId and the parts of the incoming message of unwrap.
        self._request_id = 0
        self._parts: List[bytes] = []

    def set_channel(self, params: Any, request_type: Any, client_nonce: bytes) -> None:
        """Use the answer to OpenSecureChannel."""
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
            # Last, because the sender checks this.
            self.next_security_token = token

    def revolve_tokens(self) -> None:
        """Send with the renewed token from now on."""
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
        if kind == b"MSGA":  # aborted; the channel continues (OPC 10000-6 6.7.3)
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
        # Counts as the library does.
        self._sequence_number = number = number if number < 2**32 else 1
        token = self.security_token
        size = _HEADERS.size + len(body)
        head = _HEADERS.pack(b"MSGF", size, token.ChannelId, token.TokenId, number, request_id)
        return head + body

    def drop_parts(self) -> None:
        """Keep only the identification of the incoming message."""
        del self._incoming_parts[1:]
        del self._parts[1:]

    def forget_parts(self) -> None:
        """Drop the parts of an incomplete message, perhaps many."""
        self._incoming_parts = []
        self._parts = []

    def _check_sym_header(self, header: Any) -> None:
        """Prepare for a chunk with the token in its header."""
        peer = self._peers.get(header.TokenId)
        if peer is None:
            raise ua.UaError("a message under the unknown security token %d" % header.TokenId)
        # Without security there are no keys.
        if peer != (None, None):
            crypto = self.security_policy.symmetric_cryptography
            crypto.Verifier, crypto.Decryptor = peer
