"""How the accounts of cheap receivers are made: passwords, mosquitto's list of them, and texts that hold one.

I/O: the system's random generator alone; no clock.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from provisioning.recipes import Inputs

PLACE: Final = "{password}"  # in a text, where the password belongs
_PASSWORD_BYTES: Final = 16
# mosquitto's own form (password_mosq.c): PBKDF2 with SHA-512, 101 rounds, 12 bytes of salt. A password of 128 random
# bits is not found by trying, however few the rounds.
_ROUNDS: Final = 101
_SALT_BYTES: Final = 12
_HASH_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class Password:
    """A random password: 32 hex digits and a line's end."""

    inputs: tuple[str, ...] = ()

    def make(self, inputs: Inputs, before: bytes | None, now: datetime) -> bytes:
        """New."""
        return secrets.token_hex(_PASSWORD_BYTES).encode() + b"\n"

    def fault(self, content: bytes, inputs: Inputs, now: datetime) -> str | None:
        """Another form is damage."""
        return None if re.fullmatch(rb"[0-9a-f]{32}\n", content) else "damaged"


@dataclass(frozen=True, slots=True)
class PasswordFile:
    """mosquitto's password_file: `accounts` are names and the files of their passwords."""

    accounts: tuple[tuple[str, str], ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The passwords."""
        return tuple(path for _, path in self.accounts)

    def make(self, inputs: Inputs, before: bytes | None, now: datetime) -> bytes:
        """New, with new salts."""
        lines = [
            f"{name}:{_hashed(inputs[path].strip(), secrets.token_bytes(_SALT_BYTES))}" for name, path in self.accounts
        ]
        return ("\n".join(lines) + "\n").encode()

    def fault(self, content: bytes, inputs: Inputs, now: datetime) -> str | None:
        """Other accounts or other passwords."""
        held = dict(line.split(":", 1) for line in content.decode(errors="replace").splitlines() if ":" in line)
        if list(held) != [name for name, _ in self.accounts]:
            return "accounts changed"
        good = all(_is_of(inputs[path].strip(), held[name]) for name, path in self.accounts)
        return None if good else "a password changed"


@dataclass(frozen=True, slots=True)
class Filled:
    """A text with a password in it."""

    text: str
    password: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """The password."""
        return (self.password,)

    def make(self, inputs: Inputs, before: bytes | None, now: datetime) -> bytes:
        """The text, filled in."""
        return self.text.replace(PLACE, inputs[self.password].decode().strip()).encode()

    def fault(self, content: bytes, inputs: Inputs, now: datetime) -> str | None:
        """Any difference counts."""
        return None if content == self.make(inputs, None, now) else "settings changed"


def _hashed(password: bytes, salt: bytes) -> str:
    found = hashlib.pbkdf2_hmac("sha512", password, salt, _ROUNDS, _HASH_BYTES)
    return f"$7${_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(found).decode()}"


def _is_of(password: bytes, line: str) -> bool:
    parts = line.split("$")
    if len(parts) != 5:
        return False
    try:
        salt = base64.b64decode(parts[3], validate=True)
    except binascii.Error:
        return False
    return hmac.compare_digest(_hashed(password, salt), line)
