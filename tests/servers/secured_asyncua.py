"""A secured asyncua server as a process: ``python -m tests.servers.secured_asyncua JSON``.

The JSON object: ``port``, ``certificate``, ``key``, ``uri``, ``policies`` (names of
SecurityPolicyType), ``users`` {name: password}, ``user_certificates`` (their files), ``trust``
(a directory; only clients whose certificates are in it are let in).
It prints ``ready`` and serves until its input ends.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Dict

from asyncua import Server, ua
from asyncua.crypto.truststore import TrustStore
from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions
from asyncua.server.user_managers import User, UserRole

WANTED: Dict[str, Any] = json.loads(sys.argv[1]) if __name__ == "__main__" else {}


class Users:
    """Lets in whom the JSON names, and anonymous users if it names nobody."""

    def get_user(
        self, iserver: Any, username: Any = None, password: Any = None, certificate: Any = None
    ) -> Any:
        known = [Path(path).read_bytes() for path in WANTED.get("user_certificates", [])]
        users = WANTED.get("users", {})
        good = (
            users.get(username) == password
            if username is not None
            else certificate in known or not (known or users)
        )
        return User(role=UserRole.User) if good else None


async def main() -> None:
    server = Server(user_manager=Users())
    await server.init()
    server.set_endpoint("opc.tcp://127.0.0.1:%d" % WANTED["port"])
    await server.set_application_uri(WANTED["uri"])
    await server.load_certificate(WANTED["certificate"])
    await server.load_private_key(WANTED["key"])
    server.set_security_policy([getattr(ua.SecurityPolicyType, n) for n in WANTED["policies"]])
    if "trust" in WANTED:
        store = TrustStore([Path(WANTED["trust"])], [])
        await store.load()
        options = CertificateValidatorOptions.TRUSTED_VALIDATION
        server.set_certificate_validator(
            CertificateValidator(options | CertificateValidatorOptions.PEER_CLIENT, store)
        )
    tokens = [ua.AnonymousIdentityToken]
    if WANTED.get("users"):
        tokens = [ua.UserNameIdentityToken]
    if WANTED.get("user_certificates"):
        tokens = [ua.X509IdentityToken]
    if hasattr(server, "set_identity_tokens"):
        server.set_identity_tokens(tokens)
    else:  # asyncua for Python 3.8 takes their names, of which one is that of a policy
        names = {
            ua.AnonymousIdentityToken: "Anonymous",
            ua.UserNameIdentityToken: "Username",
            ua.X509IdentityToken: "Basic256Sha256",
        }
        server.set_security_IDs([names[token] for token in tokens])
    index = await server.register_namespace("urn:test:values")
    counter = await server.nodes.objects.add_variable(
        ua.NodeId("Counter", index), "Counter", 0, ua.VariantType.Int64
    )
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    async with server:
        print("ready", flush=True)
        value = 0
        while not ended.done():
            value += 1
            await counter.write_value(ua.Variant(value, ua.VariantType.Int64))
            await asyncio.wait([ended], timeout=0.01)


if __name__ == "__main__":
    asyncio.run(main())
