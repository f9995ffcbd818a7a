"""Why a program of ours cannot run, each with what the operator can do about it.

    ProgramError(text, remedy)        exit_code
    ├── ConfigError                   78, the configuration is not as it should be
    │   ├── CredentialError           78, a secret is missing or malformed
    │   └── TlsError                  78, certificate and key do not serve
    └── UnavailableError              69, something outside is not there
        └── ListenError               69, the address cannot be listened on

Pure: no I/O, no clock.
"""

from pathlib import Path
from typing import ClassVar, Final

EXIT_OK: Final = 0
EXIT_UNAVAILABLE: Final = 69  # EX_UNAVAILABLE of sysexits.h
EXIT_SOFTWARE: Final = 70  # EX_SOFTWARE
EXIT_CONFIG: Final = 78  # EX_CONFIG; the units list it in RestartPreventExitStatus
EXIT_INTERRUPTED: Final = 130  # 128 + SIGINT, as shells count it


class ProgramError(Exception):
    """The program ends: one line `text`, what to do about it in `remedy`, and `exit_code`.

    A package derives its own from one of those below, so that `runtime.cli` can end on it.
    Neither text may repeat a secret or a member's value.
    """

    exit_code: ClassVar[int] = EXIT_SOFTWARE

    def __init__(self, text: str, remedy: str) -> None:
        super().__init__(f"{text} ({remedy})")
        self.text = text
        self.remedy = remedy


class ConfigError(ProgramError):
    """`key` of the configuration `file` has not the form `expected`; never repeats the value found."""

    exit_code = EXIT_CONFIG

    def __init__(self, file: Path, key: str, expected: str) -> None:
        where = f"{file}: {key}" if key else str(file)
        super().__init__(f"{where}: {expected}", "correct the file, then start again")
        self.file = file
        self.key = key
        self.expected = expected

    def __str__(self) -> str:
        return self.text


class CredentialError(ConfigError):
    """The secret `key` cannot be had from the directory `file`."""


class TlsError(ConfigError):
    """Certificate and key are not what a TLS server needs."""


class UnavailableError(ProgramError):
    """Something outside that the program cannot do without is not there: worth another try later."""

    exit_code = EXIT_UNAVAILABLE


class ListenError(UnavailableError):
    """The address or port cannot be listened on."""
