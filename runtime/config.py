"""Reads a TOML file into a frozen dataclass and names the key that is wrong.

The dataclass is the schema: field names are keys, type hints are forms. Understood are `str`, `int`, `float`, `bool`,
`Path`, a `StrEnum`, `tuple[X, ...]`, a nested dataclass (a TOML table), and `X | None` (the key may be absent). Bounds
and patterns are given by `Annotated[X, Form(...)]`. A unit is the suffix of the name, and is told when a value has not
its form.

I/O: reads the configuration file and the credentials; the only reader of both.
"""

import dataclasses
import os
import re
import tomllib
import types
import typing
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar

from runtime.errors import ConfigError, CredentialError

T = TypeVar("T")

MAX_FILE_BYTES: Final = 256 * 1024
MAX_CREDENTIAL_BYTES: Final = 1024 * 1024  # systemd's own limit for one credential
CREDENTIALS_VARIABLE: Final = "CREDENTIALS_DIRECTORY"  # set by systemd for a unit with credentials

_UNITS: Final = {
    "_s": "of seconds",
    "_dbm": "of dBm",
    "_bytes": "of bytes",
    "_days": "of days",
    "_ms": "of milliseconds",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """Narrows a type hint: `port: Annotated[int, Form(low=1, high=65535)] = 8883`.

    `pattern` is what a whole text must match, `low` and `high` are inclusive, `words` replaces the
    form told in an error.
    """

    words: str | None = None
    pattern: str | None = None
    low: float | None = None
    high: float | None = None


_ANY_FORM: Final = Form()


def load(file: Path, shape: type[T]) -> T:
    """The configuration in `file` as a `shape` (a dataclass).

    Raises: ConfigError where the file cannot be read, or a key is unknown, missing or not of its form.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise ConfigError(file, "", f"a configuration of at most {MAX_FILE_BYTES} bytes is expected")
        table = tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        raise ConfigError(file, "", f"cannot be read: {os.strerror(error.errno or 0)}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(file, "", "is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"\(at (line \d+)", str(error))
        raise ConfigError(file, "", f"is not TOML{' at ' + where.group(1) if where else ''}") from error
    return _table(file, "", table, shape)


def credential(name: str, directory: Path | None = None, *, length: int | None = None) -> bytes:
    """The secret `name` (of exactly `length` bytes, where given) from a systemd credentials directory.

    `directory` is the configuration's `credentials_dir`; None means the one that systemd names in the environment.

    Raises: CredentialError; its text names the file, never what is in it.
    """
    if directory is None:
        named = os.environ.get(CREDENTIALS_VARIABLE)
        if not named:
            raise CredentialError(
                Path(name), "", f"no credentials: start it by systemd (${CREDENTIALS_VARIABLE}) or set credentials_dir"
            )
        directory = Path(named)
    try:
        with (directory / name).open("rb") as stream:
            secret = stream.read(MAX_CREDENTIAL_BYTES + 1)
    except OSError as error:
        raise CredentialError(directory, name, f"cannot be read: {os.strerror(error.errno or 0)}") from error
    if not secret or len(secret) > MAX_CREDENTIAL_BYTES:
        raise CredentialError(directory, name, f"1 to {MAX_CREDENTIAL_BYTES} bytes are expected")
    if length is not None and len(secret) != length:
        raise CredentialError(directory, name, f"exactly {length} bytes are expected")
    return secret


def _table(file: Path, prefix: str, table: dict[str, Any], shape: type[T]) -> T:
    hints = typing.get_type_hints(shape, include_extras=True)
    fields = {field.name: field for field in dataclasses.fields(shape) if field.init}  # type: ignore[arg-type]
    for name in table:
        if name not in fields:
            raise ConfigError(file, prefix + name, f"no such key; known are {', '.join(sorted(fields))}")
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in table:
            values[name] = _value(file, prefix + name, table[name], hints[name])
        elif _split(hints[name]).may_be_absent and _has_no_default(field):
            values[name] = None
        elif _has_no_default(field):
            raise ConfigError(file, prefix + name, f"is missing: {_words(name, hints[name])} is expected")
    try:
        return shape(**values)
    except ValueError as error:  # a rule over several keys, raised in __post_init__
        raise ConfigError(file, prefix.rstrip("."), str(error)) from error


def _has_no_default(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


@dataclasses.dataclass(frozen=True, slots=True)
class _Hint:
    type: Any
    form: Form
    may_be_absent: bool


def _split(hint: Any) -> _Hint:
    """A type hint without its `Annotated` and `| None`."""
    form, may_be_absent = _ANY_FORM, False
    while True:
        if typing.get_origin(hint) is typing.Annotated:
            hint, *notes = typing.get_args(hint)
            form = next((note for note in notes if isinstance(note, Form)), form)
        elif typing.get_origin(hint) in (types.UnionType, typing.Union):
            others = [one for one in typing.get_args(hint) if one is not types.NoneType]
            if len(others) != 1:
                raise TypeError("a configuration key has one type, or one type and None")
            hint, may_be_absent = others[0], True
        else:
            return _Hint(hint, form, may_be_absent)


def _value(file: Path, name: str, value: Any, hint: Any) -> Any:
    wanted = _split(hint)
    if dataclasses.is_dataclass(wanted.type) and isinstance(wanted.type, type):
        if isinstance(value, dict):
            return _table(file, name + ".", value, wanted.type)
    elif typing.get_origin(wanted.type) is tuple:
        if isinstance(value, list):
            item = typing.get_args(wanted.type)[0]
            return tuple(_value(file, f"{name}[{n}]", one, item) for n, one in enumerate(value))
    else:
        found = _scalar(value, wanted.type)
        if found is not None and _within(found, wanted.form):
            return found
    raise ConfigError(file, name, f"{_words(name, hint)} is expected")


def _scalar(value: Any, wanted: Any) -> Any:
    """The value as the type `wanted`, or None where it is not one."""
    if isinstance(wanted, type) and issubclass(wanted, StrEnum):
        return wanted(value) if isinstance(value, str) and value in {one.value for one in wanted} else None
    if wanted is Path:
        return Path(value) if isinstance(value, str) and value and "\0" not in value else None
    if wanted is float:
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    if wanted in (str, int, bool):
        return value if type(value) is wanted else None  # a bool is an int to Python, not to an operator
    raise TypeError(f"no configuration form for {wanted!r}")


def _within(value: Any, form: Form) -> bool:
    if form.pattern is not None and isinstance(value, str) and re.fullmatch(form.pattern, value) is None:
        return False
    if isinstance(value, int | float) and not isinstance(value, bool):
        # Written so that a NaN, which TOML knows, is outside of any bounds.
        return (form.low is None or value >= form.low) and (form.high is None or value <= form.high)
    return True


def _words(name: str, hint: Any) -> str:
    """The form expected, in words: what the operator has to write."""
    wanted = _split(hint)
    form, kind = wanted.form, wanted.type
    if form.words:
        return form.words
    if dataclasses.is_dataclass(kind):
        return "a table"
    if typing.get_origin(kind) is tuple:
        return f"a list, each {_words(name, typing.get_args(kind)[0])},"
    if issubclass(kind, StrEnum):
        return f"one of {', '.join(repr(one.value) for one in kind)}"
    if kind is str and form.pattern:
        return f"a text that matches {form.pattern}"
    plain = {str: "a text", Path: "a path as a text", bool: "true or false"}.get(kind)
    if plain is not None:
        return plain
    unit = next((words for suffix, words in _UNITS.items() if name.endswith(suffix)), "")
    words = " ".join(filter(None, ["a whole number" if kind is int else "a number", unit]))
    if form.low is not None and form.high is not None:
        return f"{words} from {form.low} to {form.high}"
    if form.low is not None:
        return f"{words}, at least {form.low},"
    return words if form.high is None else f"{words}, at most {form.high},"
