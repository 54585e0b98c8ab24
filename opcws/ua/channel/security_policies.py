"""The security policies (OPC 10000-7 6.6): those of the library, and the two that it lacks.

A :class:`Policy` has the name of a policy, its requirements for keys, and its signing and
encryption outside of the secure channel: the password and the signature of a user (OPC 10000-4
7.36). ``Policy.suite`` is the class for the library's framing.  Aes128_Sha256_RsaOaep is
Basic256Sha256 with a shorter key; Aes256_Sha256_RsaPss differs in its asymmetric algorithms only.
"""

from functools import partial
from typing import Any, Callable, Dict, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from opcua import ua
from opcua.crypto import security_policies as library

from ...x509.certificates import Identity

PREFIX = "http://opcfoundation.org/UA/SecurityPolicy#"
NONE_URI = PREFIX + "None"

RSA_SHA1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
RSA_PSS_SHA256 = "http://opcfoundation.org/UA/security/rsa-pss-sha2-256"
RSA_15 = "http://www.w3.org/2001/04/xmlenc#rsa-1_5"
RSA_OAEP = "http://www.w3.org/2001/04/xmlenc#rsa-oaep"
RSA_OAEP_SHA256 = "http://opcfoundation.org/UA/security/rsa-oaep-sha2-256"

#: Fewest bytes of the nonce of a session (OPC 10000-4 5.6.2.2).
SESSION_NONCE = 32


def _oaep(algorithm: hashes.HashAlgorithm) -> padding.OAEP:
    return padding.OAEP(mgf=padding.MGF1(algorithm), algorithm=algorithm, label=None)


_oaep_sha1 = partial(_oaep, hashes.SHA1())
_oaep_sha256 = partial(_oaep, hashes.SHA256())


def _pss() -> padding.PSS:
    return padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=hashes.SHA256.digest_size)


class _PssSigner(library.SignerSha256):  # type: ignore[misc]
    def signature(self, data: bytes) -> Any:
        return self.client_pk.sign(data, _pss(), hashes.SHA256())


class _PssVerifier(library.VerifierSha256):  # type: ignore[misc]
    def verify(self, data: bytes, signature: bytes) -> None:
        self.server_cert.public_key().verify(signature, data, _pss(), hashes.SHA256())


class _HmacVerifier(library.VerifierHMac256):  # type: ignore[misc]
    """That of the library, with a comparison in constant time."""

    def verify(self, data: bytes, signature: bytes) -> None:
        expected = hmac.HMAC(self.key, hashes.SHA256())
        expected.update(data)
        expected.verify(signature)


class _Basic256Sha256(library.SecurityPolicyBasic256Sha256):  # type: ignore[misc]
    def make_remote_symmetric_key(self, secret: bytes, seed: bytes) -> None:
        super().make_remote_symmetric_key(secret, seed)
        crypto = self.symmetric_cryptography
        crypto.Verifier = _HmacVerifier(crypto.Verifier.key)


class _Aes128Sha256RsaOaep(_Basic256Sha256):
    URI = PREFIX + "Aes128_Sha256_RsaOaep"
    symmetric_key_size = 16


class _Aes256Sha256RsaPss(_Basic256Sha256):
    URI = PREFIX + "Aes256_Sha256_RsaPss"
    AsymmetricEncryptionURI = RSA_OAEP_SHA256
    AsymmetricSignatureURI = RSA_PSS_SHA256

    def __init__(self, server_cert: Any, client_cert: Any, client_pk: Any, mode: Any) -> None:
        super().__init__(server_cert, client_cert, client_pk, mode)
        crypto = self.asymmetric_cryptography
        crypto.Signer = _PssSigner(client_pk)
        crypto.Verifier = _PssVerifier(server_cert)
        crypto.Encryptor = library.EncryptorRsa(
            server_cert, lambda key, data: key.encrypt(data, _oaep_sha256()), 66
        )
        crypto.Decryptor = library.DecryptorRsa(
            client_pk, lambda key, data: key.decrypt(data, _oaep_sha256()), 66
        )


class Policy(NamedTuple):
    """One security policy; the defaults are those of most policies.  ``min_bits`` and ``max_bits``
    bound RSA keys, ``nonce`` is the length of the secure channel's nonces in bytes, ``sha1``
    whether it accepts certificates signed with SHA-1, ``overhead`` the bytes of padding in each
    encrypted block."""

    name: str
    suite: Any
    signature_uri: str = RSA_SHA256
    encryption_uri: str = RSA_OAEP
    sign_padding: Callable[[], Any] = padding.PKCS1v15
    sign_hash: Callable[[], hashes.HashAlgorithm] = hashes.SHA256
    encrypt_padding: Callable[[], Any] = _oaep_sha1
    overhead: int = 42
    min_bits: int = 2048
    max_bits: int = 4096
    nonce: int = 32
    sha1: bool = False
    deprecated: bool = False

    @property
    def uri(self) -> str:
        return PREFIX + self.name

    def secure(self, certificate: x509.Certificate, own: Identity, mode: str) -> Any:
        """The security of the library's framing for the holder of *certificate*."""
        return self.suite(
            certificate, own.certificate, own.key, getattr(ua.MessageSecurityMode, mode)
        )

    def sign(self, key: rsa.RSAPrivateKey, data: bytes) -> bytes:
        return key.sign(data, self.sign_padding(), self.sign_hash())

    def verify(self, certificate: x509.Certificate, data: bytes, signature: bytes) -> bool:
        """Whether the key of *certificate* made *signature* of *data*."""
        key = certificate.public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            return False
        try:
            key.verify(signature, data, self.sign_padding(), self.sign_hash())
        except InvalidSignature:
            return False
        return True

    def encrypt(self, certificate: x509.Certificate, data: bytes) -> bytes:
        """*data* for the holder of *certificate*, block by block (OPC 10000-4 7.36.2.2)."""
        key = certificate.public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        size = key.key_size // 8 - self.overhead
        return b"".join(
            key.encrypt(data[start : start + size], self.encrypt_padding())
            for start in range(0, len(data), size)
        )


_DEPRECATED = Policy(
    "",
    None,
    signature_uri=RSA_SHA1,
    sign_hash=hashes.SHA1,
    min_bits=1024,
    max_bits=2048,
    sha1=True,
    deprecated=True,
)
#: From the best to the worst: the order of preference to protect a user's token.
POLICIES = (
    Policy(
        "Aes256_Sha256_RsaPss",
        _Aes256Sha256RsaPss,
        signature_uri=RSA_PSS_SHA256,
        encryption_uri=RSA_OAEP_SHA256,
        sign_padding=_pss,
        encrypt_padding=_oaep_sha256,
        overhead=66,
    ),
    Policy("Aes128_Sha256_RsaOaep", _Aes128Sha256RsaOaep),
    Policy("Basic256Sha256", _Basic256Sha256),
    _DEPRECATED._replace(name="Basic256", suite=library.SecurityPolicyBasic256),
    _DEPRECATED._replace(
        name="Basic128Rsa15",
        suite=library.SecurityPolicyBasic128Rsa15,
        encryption_uri=RSA_15,
        encrypt_padding=padding.PKCS1v15,
        overhead=11,
        nonce=16,
    ),
)
BY_NAME: Dict[str, Policy] = {policy.name: policy for policy in POLICIES}
BY_URI: Dict[str, Policy] = {policy.uri: policy for policy in POLICIES}


def short_name(uri: str) -> str:
    """The name of the policy in the configuration, or the whole *uri* if it is not one of OPC
    UA's."""
    return uri[len(PREFIX) :] if uri.startswith(PREFIX) else uri or "None"
