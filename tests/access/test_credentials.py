"""Tokens and users as they are stored, and whether what is shown is one of them."""

import datetime
import json
import os
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcws.access import credentials
from opcws.access.credentials import CredentialFile, Credentials, Scrypt, Token, User
from opcws.model.errors import ConfigError

NOW = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.timezone.utc)
HOUR = datetime.timedelta(hours=1)


def cheap(password: str) -> Scrypt:
    """*password* as stored with parameters that cost nothing."""
    salt = b"0123456789abcdef"
    return Scrypt(2, 1, 1, salt, credentials._scrypt(password, 2, 1, 1, salt))


def token(name: str, text: str, **more: Any) -> Token:
    return Token(name, "r", credentials.token_hash(text), "2026-11-22T10:00:00Z", **more)


def user(name: str, password: str) -> User:
    return User(name, "r", cheap(password), "2026-11-22T10:00:00Z")


def known(*entries: Any) -> Credentials:
    return Credentials(
        {each.name: each for each in entries if isinstance(each, Token)},
        {each.name: each for each in entries if isinstance(each, User)},
    )


# -- tokens ---------------------------------------------------------------------------------


def test_a_token_has_256_random_bits_and_fits_a_url_and_a_subprotocol() -> None:
    made = {credentials.new_token() for _ in range(100)}
    assert len(made) == 100
    for text in made:
        assert len(text) >= 43
        assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_a_token_is_found_by_what_it_is_and_by_nothing_else() -> None:
    both = known(token("a", "first"), token("b", "second"))
    assert both.token("second", NOW) is both.tokens["b"]
    for wrong in ("", "secon", "second ", "a", "b", both.tokens["a"].sha256.hex(), "\ud800"):
        assert both.token(wrong, NOW) is None


def test_a_token_ends_at_its_moment() -> None:
    one = known(token("a", "text", expires=NOW))
    assert one.token("text", NOW - HOUR) is not None
    assert one.token("text", NOW) is None


# -- users ----------------------------------------------------------------------------------


def test_a_password_is_stored_with_scrypt_in_16_mib_and_its_own_salt() -> None:
    stored, again = credentials.hashed("correct horse"), credentials.hashed("correct horse")
    assert 128 * stored.n * stored.r == 16 * 1024 * 1024
    assert stored.salt != again.salt
    assert stored.hash != again.hash
    assert stored.matches("correct horse")
    assert not stored.matches("correct horse ")


def test_a_password_may_be_typed_in_either_unicode_form() -> None:
    assert user("u", "M\u00fchle").password.matches("Mu\u0308hle")


@given(st.text(), st.text())
def test_only_the_password_itself_is_right(right: str, other: str) -> None:
    normal = credentials.unicodedata.normalize
    one = known(user("u", right))
    assert one.user("u", right) is one.users["u"]
    assert (one.user("u", other) is not None) == (normal("NFC", right) == normal("NFC", other))


def test_a_name_that_nobody_has_costs_as_much_computing_as_a_wrong_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spent: List[Tuple[int, int, int]] = []
    compute = credentials._scrypt

    def counted(password: str, n: int, r: int, p: int, salt: bytes) -> bytes:
        spent.append((n, r, p))
        return compute(password, n, r, p, salt)

    one = known(user("anna", "right one"))
    monkeypatch.setattr(credentials, "_scrypt", counted)
    assert one.user("anna", "wrong one") is None
    assert one.user("nobody", "wrong one") is None
    assert spent == [(2, 1, 1), (2, 1, 1)]


# -- the file -------------------------------------------------------------------------------


def test_what_is_written_is_read_and_holds_no_secret(tmp_path: Path) -> None:
    before = known(
        token("panel", "the secret token"),
        token("old", "x", expires=NOW),
        user("anna", "the secret password"),
    )
    path = tmp_path / "credentials.json"
    path.write_bytes(credentials.written(before))
    assert credentials.load(str(path)) == before
    assert b"secret" not in path.read_bytes()


def test_no_file_means_nobody(tmp_path: Path) -> None:
    assert credentials.load(str(tmp_path / "none.json")) == Credentials({}, {})


GOOD = json.loads(credentials.written(known(token("t", "x"), user("u", "password"))))


def changed(path: str, value: Any) -> bytes:
    data: Dict[str, Any] = json.loads(json.dumps(GOOD))
    *parents, last = path.split(".")
    inner = data
    for key in parents:
        inner = inner[key]
    inner[last] = value
    return json.dumps(data).encode()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'{"version": 1, "tok', "not JSON"),
        (b"[]", "version 1"),
        (b"{}", "version 1"),
        (changed("version", 2), "version 1"),
        (changed("tokens", []), "tokens: expected an object"),
        (changed("tokens.t", None), "tokens.t: expected an object"),
        (changed("tokens.t.role", 1), "tokens.t.role: expected text"),
        (changed("tokens.t.sha256", "short"), "tokens.t.sha256: expected 32 bytes"),
        (changed("tokens.t.sha256", "\u00e4"), "tokens.t.sha256: expected 32 bytes"),
        (changed("tokens.t.expires", "soon"), "tokens.t.expires: expected a time"),
        (changed("tokens.a:b", GOOD["tokens"]["t"]), "a name"),
        (changed("tokens.a\nb", GOOD["tokens"]["t"]), "a name"),
        (changed("users.u.scrypt", None), "users.u.scrypt: expected an object"),
        (changed("users.u.scrypt.n", "2"), "users.u.scrypt.n: expected a whole number"),
        (changed("users.u.scrypt.n", 3), "users.u.scrypt: n, r and p"),
        (changed("users.u.scrypt.n", 2**30), "users.u.scrypt: n, r and p"),
        (changed("users.u.scrypt.p", 10**9), "users.u.scrypt: n, r and p"),
        (changed("users.u.scrypt.salt", ""), "users.u.scrypt.salt: expected 16 bytes"),
        (b"[" * 100000, "not a file with credentials"),
    ],
)
def test_a_broken_file_is_told_with_its_place_and_never_with_its_content(
    tmp_path: Path, raw: bytes, words: str
) -> None:
    path = tmp_path / "credentials.json"
    path.write_bytes(raw)
    with pytest.raises(ConfigError) as caught:
        credentials.load(str(path))
    text = str(caught.value)
    assert text.startswith(str(path)) and words in text
    assert GOOD["users"]["u"]["scrypt"]["hash"] not in text


def test_a_directory_in_its_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read|not a file with credentials"):
        credentials.load(str(tmp_path))


def test_a_change_of_the_file_is_seen_and_a_broken_one_is_an_error_until_it_is_mended(
    tmp_path: Path,
) -> None:
    path = tmp_path / "credentials.json"
    watched = CredentialFile(str(path))
    assert watched.current() == Credentials({}, {})
    one = known(token("t", "x"))
    path.write_bytes(credentials.written(one))
    found = watched.current()
    assert found == one
    assert watched.current() is found, "it is not read twice"
    path.write_bytes(b"{")
    errors = []
    for _ in range(2):
        with pytest.raises(ConfigError) as caught:
            watched.current()
        errors.append(caught.value)
    assert errors[0] is errors[1], "it is told once"
    path.write_bytes(credentials.written(one))
    assert watched.current() == one
    path.unlink()
    assert watched.current() == Credentials({}, {})


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such bits")
def test_a_file_that_others_may_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    assert credentials.exposure(str(path)) is None
    path.write_bytes(b"")
    path.chmod(0o640)
    assert "chmod 600" in str(credentials.exposure(str(path)))
    path.chmod(0o600)
    assert credentials.exposure(str(path)) is None
