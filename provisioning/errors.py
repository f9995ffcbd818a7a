"""Why provisioning stopped; what was written before stays and the next run goes on from it.

    ProgramError
    └── ProvisioningError             reason, 69: the folder cannot be worked with as it is
        ├── LostKeyError              a key that cannot be made again is missing or damaged
        └── RefusedError              the command asks for what cannot be

Pure: no I/O, no clock.
"""

from runtime.errors import UnavailableError


class ProvisioningError(UnavailableError):
    """Something has to be mended by the operator; `text` names the path, never what is in it."""


class LostKeyError(ProvisioningError):
    """A new key would cut off every box that knows the old one, so none is made."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(
            f"{path} is {what}",
            "restore it from your backup; to begin anew without it, remove what was made from it (see operating.md)",
        )


class RefusedError(ProvisioningError):
    """The command asks for something that is not there or not allowed."""
