"""A TLS 1.3 client that sends KeyUpdates, which Python's ssl cannot: it makes these records itself,
from the secret of the handshake (RFC 8446 4.6.3, 5.2, 7.1, 7.2)."""

import hashlib
import hmac
import socket
import ssl
import struct
from pathlib import Path
from typing import Tuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from . import PATIENCE

_HANDSHAKE, _APPLICATION_DATA = b"\x16", 23
_KEY_UPDATE = bytes([24, 0, 0, 1, 0])  # update_not_requested


class KeyUpdates:
    """A client at *address*; *directory* is for the file with its secret."""

    def __init__(self, address: Tuple[str, int], directory: Path) -> None:
        self.sock = socket.create_connection(address, PATIENCE)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        log = directory / "secrets"
        context.keylog_filename = str(log)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out)
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.sock.sendall(self._out.read())
                self._in.write(self.sock.recv(65536))
        self.sock.sendall(self._out.read())
        lines = [line.split() for line in log.read_text().splitlines()]
        (self._secret,) = (bytes.fromhex(x[2]) for x in lines if x[0] == "CLIENT_TRAFFIC_SECRET_0")
        cipher = self._tls.cipher()
        assert cipher is not None and "GCM" in cipher[0], cipher
        self._hash = hashlib.sha384 if cipher[0].endswith("384") else hashlib.sha256
        self._key_bytes = cipher[2] // 8
        self._sent = 0

    def send(self, data: bytes) -> None:
        """Send one record with *data*; not after a KeyUpdate."""
        self._tls.write(data)
        self.sock.sendall(self._out.read())
        self._sent += 1

    def receive(self) -> bytes:
        """Receive from the server."""
        while True:
            try:
                return self._tls.read(65536)
            except ssl.SSLWantReadError:
                self._in.write(self.sock.recv(65536))

    def records(self, number: int) -> bytes:
        """*number* KeyUpdates, one after the other."""
        made = []
        for _ in range(number):
            key, iv = self._expanded(b"key", self._key_bytes), self._expanded(b"iv", 12)
            nonce = bytes(a ^ b for a, b in zip(iv, self._sent.to_bytes(12, "big")))
            head = struct.pack("!BHH", _APPLICATION_DATA, 0x0303, len(_KEY_UPDATE) + 1 + 16)
            made.append(head + AESGCM(key).encrypt(nonce, _KEY_UPDATE + _HANDSHAKE, head))
            self._secret = self._expanded(b"traffic upd", self._hash().digest_size)
            self._sent = 0
        return b"".join(made)

    def _expanded(self, label: bytes, size: int) -> bytes:
        """HKDF-Expand-Label (RFC 8446 7.1) of the present secret, without a context."""
        label = b"tls13 " + label
        info = struct.pack("!H", size) + bytes([len(label)]) + label + b"\0"
        return hmac.new(self._secret, info + b"\1", self._hash).digest()[:size]
