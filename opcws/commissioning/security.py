"""The security policies and modes that a configuration can have, and their short form on a command
line, such as ``Basic256Sha256/Sign``.  Pure."""

from typing import Tuple

from ..model.errors import ConfigError

MODES = ("None", "Sign", "SignAndEncrypt")
DEPRECATED_POLICIES = ("Basic128Rsa15", "Basic256")
_SOUND_POLICIES = ("Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss")
POLICIES = ("None", *DEPRECATED_POLICIES, *_SOUND_POLICIES)


def parse_security(text: str) -> Tuple[str, str]:
    """Policy and mode of a text such as ``Basic256Sha256/Sign``, in upper or lower case; without a
    mode the best one.  Raises :exc:`~opcws.model.errors.ConfigError`."""
    policy, _slash, mode = text.strip().partition("/")
    by_lower = {each.lower(): each for each in (*POLICIES, *MODES)}
    found = by_lower.get(policy.strip().lower(), "")
    if not mode:
        mode = "None" if found == "None" else "SignAndEncrypt"
    level = by_lower.get(mode.strip().lower(), "")
    if found not in POLICIES or level not in MODES or (found == "None") != (level == "None"):
        raise ConfigError(
            "%r is not a security setting; expected None, or a policy with a mode such as "
            "Basic256Sha256/SignAndEncrypt. Policies: %s. 'opcws discover' shows which of them "
            "the server offers" % (text, ", ".join(_SOUND_POLICIES))
        )
    return found, level
