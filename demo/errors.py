"""Why the demo cannot go on, each with what its visitor can do about it.

    runtime.errors.UnavailableError            69
    └── DemoError                              a program did not start, ended, or did not show what it should

Pure: no I/O, no clock.
"""

from runtime.errors import UnavailableError


class DemoError(UnavailableError):
    """The demo ends with this line; everything it started is ended by then."""
