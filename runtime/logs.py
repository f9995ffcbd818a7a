"""Writes what happened as one line each to stderr: `event=… key=value`, the remedy last.

A value is bare or in quotes with escapes, so that nothing from outside can begin a second line or a second key. Lines
of libraries name the place and never the message, which could hold an address or a value.

I/O: logging to stderr; its only importer.
"""

import hashlib
import json
import logging
import os
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Final, TextIO

Value = str | int | float | bool | Path | None
_BARE: Final = re.compile(r"[A-Za-z0-9_.,/:@+*%-]+")
_SALT: Final = os.urandom(16)  # of this start only: tags cannot be joined over two starts
_OURS: Final = "consentry"
_JOURNAL_PRIORITY: Final = {logging.ERROR: "<3>", logging.WARNING: "<4>", logging.INFO: "<6>", logging.DEBUG: "<7>"}


class Level(StrEnum):
    """How much is written; a configuration may name one."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def tag(identity: bytes) -> str:
    """Eight hex digits that stand for a member in the lines of this start, and tell nothing of who it is."""
    return hashlib.blake2b(identity, digest_size=4, key=_SALT).hexdigest()


def line(event: str, fields: dict[str, Value]) -> str:
    """`event=… key=value …`; keys in the order given, a `remedy` at the end."""
    ordered = {name: value for name, value in fields.items() if name != "remedy"}
    if fields.get("remedy") is not None:
        ordered["remedy"] = fields["remedy"]
    return " ".join([f"event={_text(event)}", *(f"{name}={_text(value)}" for name, value in ordered.items())])


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    if _BARE.fullmatch(text):
        return text
    return json.dumps(text).replace("\x7f", "\\u007f")


class Log:
    """The lines of one part of a program, for example `Log("hq_link")`; usable before `setup`."""

    __slots__ = ("_logger",)

    def __init__(self, part: str = "") -> None:
        self._logger = logging.getLogger(f"{_OURS}.{part}" if part else _OURS)

    def debug(self, event: str, **fields: Value) -> None:
        """For whoever looks into one program; off by default."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Value) -> None:
        """What happened, as it should."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, remedy: str | None = None, **fields: Value) -> None:
        """Look today."""
        self._write(logging.WARNING, event, {**fields, "remedy": remedy})

    def error(self, event: str, *, remedy: str, **fields: Value) -> None:
        """Look now; `remedy` says what to do and ends the line."""
        self._write(logging.ERROR, event, {**fields, "remedy": remedy})

    def _write(self, level: int, event: str, fields: dict[str, Value]) -> None:
        if self._logger.isEnabledFor(level):
            # The text is for whoever listens without `setup`, a test for example; ours is made of the parts.
            self._logger.log(level, "%s", line(event, fields), extra={"parts": (event, fields)})


class _Lines(logging.Formatter):
    def __init__(self, process: str, journal: bool) -> None:
        super().__init__()
        self._process = process
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        """One line, whoever wrote it."""
        event, fields = getattr(record, "parts", None) or (
            "library",
            {"at": f"{record.name}:{record.funcName}:{record.lineno}"},
        )
        if record.exc_info and record.exc_info[0] is not None:
            fields = {**fields, "exception": record.exc_info[0].__name__}
        prefix = _JOURNAL_PRIORITY.get(record.levelno, "") if self._journal else ""
        return prefix + line(event, {"process": self._process, "level": record.levelname.lower(), **fields})


def setup(process: str, level: Level = Level.INFO, stream: TextIO | None = None) -> None:
    """Sends every line of this process to stderr (or `stream`); once, at the start. A second call replaces the first.

    Libraries are heard from WARNING on, whatever `level` is.
    """
    target = logging.StreamHandler(stream or sys.stderr)
    target.setFormatter(_Lines(process, journal="JOURNAL_STREAM" in os.environ and stream is None))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(target)
    root.setLevel(logging.WARNING)
    logging.getLogger(_OURS).setLevel(level.value.upper())
    logging.raiseExceptions = False  # a closed stderr must not stop the program


def is_set_up() -> bool:
    """True after `setup`."""
    return any(isinstance(one.formatter, _Lines) for one in logging.getLogger().handlers)
