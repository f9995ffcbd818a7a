"""Reads a TOML file into a frozen dataclass and names the key that is wrong.

The dataclass is the schema: field names are keys, type hints are forms. Understood are `str`, `int`, `float`, `bool`,
`Path`, a `StrEnum`, `tuple[X, ...]`, a nested dataclass (a TOML table), and `X | None` (the key may be absent). Bounds
and patterns are given by `key(...)`. A unit is the suffix of the name, and is told when a value has not its form.

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


def key(
    default: Any = dataclasses.MISSING,
    *,
    form: str | None = None,
    pattern: str | None = None,
    low: float | None = None,
    high: float | None = None,
) -> Any:
    """A dataclass field with bounds: `pattern` a whole text must match, `low` and `high` inclusive, `form` in words."""
    return dataclasses.field(default=default, metadata={"form": form, "pattern": pattern, "low": low, "high": high})


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
    hints = typing.get_type_hints(shape)
    fields = {field.name: field for field in dataclasses.fields(shape) if field.init}  # type: ignore[arg-type]
    for name in table:
        if name not in fields:
            raise ConfigError(file, prefix + name, f"no such key; known are {', '.join(sorted(fields))}")
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in table:
            values[name] = _value(file, prefix + name, table[name], hints[name], field.metadata)
        elif _optional(hints[name]) is not None and _has_no_default(field):
            values[name] = None
        elif _has_no_default(field):
            raise ConfigError(
                file, prefix + name, f"is missing: {_form(name, hints[name], field.metadata)} is expected"
            )
    try:
        return shape(**values)
    except ValueError as error:  # a rule over several keys, raised in __post_init__
        raise ConfigError(file, prefix.rstrip("."), str(error)) from error


def _has_no_default(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _optional(hint: Any) -> Any:
    """`X` of `X | None`, else None."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        others = [one for one in typing.get_args(hint) if one is not types.NoneType]
        if len(others) == 1:
            return others[0]
        raise TypeError("a configuration key has one type, or one type and None")
    return None


def _value(file: Path, name: str, value: Any, hint: Any, bounds: typing.Mapping[str, Any]) -> Any:
    inner = _optional(hint)
    hint = hint if inner is None else inner
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if isinstance(value, dict):
            return _table(file, name + ".", value, hint)
    elif typing.get_origin(hint) is tuple:
        if isinstance(value, list):
            item = typing.get_args(hint)[0]
            return tuple(_value(file, f"{name}[{n}]", one, item, bounds) for n, one in enumerate(value))
    else:
        found = _scalar(value, hint)
        if found is not None and _within(found, bounds):
            return found
    raise ConfigError(file, name, f"{_form(name, hint, bounds)} is expected")


def _scalar(value: Any, hint: Any) -> Any:
    """The value as the type `hint`, or None where it is not one."""
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint(value) if isinstance(value, str) and value in {one.value for one in hint} else None
    if hint is Path:
        return Path(value) if isinstance(value, str) and value and "\0" not in value else None
    if hint is float:
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    if hint in (str, int, bool):
        return value if type(value) is hint else None  # a bool is an int to Python, not to an operator
    raise TypeError(f"no configuration form for {hint!r}")


def _within(value: Any, bounds: typing.Mapping[str, Any]) -> bool:
    pattern, low, high = bounds.get("pattern"), bounds.get("low"), bounds.get("high")
    if pattern is not None and isinstance(value, str) and re.fullmatch(pattern, value) is None:
        return False
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (low is None or value >= low) and (high is None or value <= high)
    return True


def _form(name: str, hint: Any, bounds: typing.Mapping[str, Any]) -> str:
    """The form expected, in words: what the operator has to write."""
    inner = _optional(hint)
    hint = hint if inner is None else inner
    if bounds.get("form"):
        return str(bounds["form"])
    if dataclasses.is_dataclass(hint):
        return "a table"
    if typing.get_origin(hint) is tuple:
        return f"a list, each {_form(name, typing.get_args(hint)[0], bounds)},"
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return f"one of {', '.join(repr(one.value) for one in hint)}"
    words = {str: "a text", Path: "a path as a text", bool: "true or false"}.get(hint)
    if words is None:
        unit = next((words for suffix, words in _UNITS.items() if name.endswith(suffix)), "")
        words = " ".join(filter(None, ["a whole number" if hint is int else "a number", unit]))
    if hint is str and bounds.get("pattern"):
        return f"a text that matches {bounds['pattern']}"
    low, high = bounds.get("low"), bounds.get("high")
    if low is not None and high is not None:
        return f"{words} from {low} to {high}"
    if low is not None:
        return f"{words}, at least {low},"
    return words if high is None else f"{words}, at most {high},"
