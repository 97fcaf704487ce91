"""Who may use the server: names with passwords for the page, keys for programs; read once, kept as digests, compared in constant time.

Each kind comes from a file or from the environment, one entry a line; empty lines and lines that begin with ``#`` do not count.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

from engine.errors import OptionError

AUTH_VARIABLE, KEYS_VARIABLE = "LIGHTVOICE_AUTH", "LIGHTVOICE_API_KEYS"
#: Shorter keys can be guessed.
SHORTEST_KEY = 16
_KEY_WORD = 8

_log = logging.getLogger(__name__)


class Credentials:
    """The persons and keys that are known; empty where no authentication is asked for."""

    def __init__(self, *, persons: Iterable[str] = (), keys: Iterable[str] = ()) -> None:
        # A key of this process alone: what is compared reveals nothing of what is stored, and all are of one length.
        self._pepper = secrets.token_bytes(32)
        self._persons = {self._digest(person): f"person:{person.partition(':')[0]}" for person in persons}
        self._keys = {self._digest(key): f"key:{hashlib.sha256(key.encode()).hexdigest()[:_KEY_WORD]}" for key in keys}

    @property
    def for_page(self) -> bool:
        """Whether the page asks for a name and a password."""
        return bool(self._persons)

    @property
    def for_programs(self) -> bool:
        """Whether ``/v1`` asks for a key."""
        return bool(self._keys or self._persons)

    def caller(self, authorization: str) -> str | None:
        """Whom an ``Authorization`` header stands for: ``person:NAME`` or ``key:WORD``; None for one that is not known."""
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return self._found(self._keys, value.strip())
        if scheme.lower() == "basic":
            try:
                person = base64.b64decode(value.strip(), validate=True).decode("utf-8")
            except (binascii.Error, UnicodeDecodeError):
                return None
            return self._found(self._persons, person)
        return None

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self._pepper, text.encode(), "sha256")

    def _found(self, known: dict[bytes, str], offered: str) -> str | None:
        digest, found = self._digest(offered), None
        for one, caller in known.items():  # all of them, always: the time reveals nothing of which one was near
            if hmac.compare_digest(one, digest):
                found = caller
        return found


def read_credentials(*, auth: Path | None = None, api_keys: Path | None = None) -> Credentials:
    """Credentials from the files named, or else from the environment; OptionError for a line that is none."""
    persons, keys = _lines(auth, AUTH_VARIABLE, "--auth"), _lines(api_keys, KEYS_VARIABLE, "--api-keys")
    for number, person in enumerate(persons, 1):
        name, colon, password = person.partition(":")
        if not (name and colon and password):
            raise OptionError(f"--auth or {AUTH_VARIABLE}: entry {number} is not NAME:PASSWORD; write one such line a person")
    for number, key in enumerate(keys, 1):
        if len(key) < SHORTEST_KEY or not key.isascii() or " " in key:
            raise OptionError(
                f"--api-keys or {KEYS_VARIABLE}: entry {number} is not {SHORTEST_KEY} or more ASCII characters without spaces; "
                "make one with `openssl rand -hex 24`"
            )
    return Credentials(persons=persons, keys=keys)


def _lines(file: Path | None, variable: str, option: str) -> list[str]:
    text = os.environ.get(variable, "")
    if file is not None:
        try:
            text, mode = file.read_text(encoding="utf-8"), file.stat().st_mode
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise OptionError(f"{option}: cannot read {file} ({reason}); name a text file that this user may read") from error
        if mode & (stat.S_IRGRP | stat.S_IROTH):
            _log.warning("%s can be read by other users of this machine; `chmod 600 %s` keeps it to you", file, file)
    kept = [line.strip() for line in text.splitlines()]
    lines = [line for line in kept if line and not line.startswith("#")]
    if file is not None and not lines:
        raise OptionError(f"{option}: {file} holds no entry; without any, leave the option out")
    return lines
