"""What is asked of the gateway: each request, with the replies that it may get.

A request with a `session` is a signed-in associate's. What belongs to one part of the gateway alone may have a module
of its own beside this one; `wire.query` joins them all.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from wire.events import Seen
from wire.policy import Section
from wire.schema import Size
from wire.views import Handle, Name, Secret, Text


@dataclass(frozen=True, slots=True, repr=False)
class Pair:
    """Pair this tablet with a one-time code (26 base32 characters for 128 bits). → Paired | Refused"""

    code: Annotated[str, Size(1, 64)]
    label: Text  # what to call the tablet
    browser: Text


@dataclass(frozen=True, slots=True, repr=False)
class SignIn:
    """Sign an associate in on a paired tablet, which ends whatever session it had. → SignedIn | Refused

    `browser`: what the tablet says of itself now; None: nothing.
    """

    tablet: Secret
    associate: Name
    pin: Annotated[str, Size(1, 64)]
    browser: Text | None = None


@dataclass(frozen=True, slots=True, repr=False)
class SignOut:
    """End a session. → Accepted"""

    session: Secret


@dataclass(frozen=True, slots=True, repr=False)
class AskSession:
    """Who is signed in, without counting as activity. → SessionView | Refused"""

    session: Secret


@dataclass(frozen=True, slots=True, repr=False)
class AskFloor:
    """The roster as this session's role may see it. → Roster | Refused"""

    session: Secret


@dataclass(frozen=True, slots=True, repr=False)
class Watch:
    """Follow the roster. → Roster at once, then Roster or CardChanged after each change, until closed | Refused"""

    session: Secret


@dataclass(frozen=True, slots=True, repr=False)
class Acknowledge:
    """The tablet now shows this version of the roster. → Accepted | Refused"""

    session: Secret
    version: int


@dataclass(frozen=True, slots=True, repr=False)
class AskCard:
    """The card of a visit, or one section of it. → Card | Withheld | Refused"""

    session: Secret
    handle: Handle
    section: Section | None


class Action(StrEnum):
    """What an associate says about a call for help."""

    ATTENDING = "attending"
    DONE = "done"


@dataclass(frozen=True, slots=True, repr=False)
class Attend:
    """Who helps. → Accepted | Withheld | Conflict | Refused"""

    session: Secret
    handle: Handle
    action: Action


@dataclass(frozen=True, slots=True, repr=False)
class Withdraw:
    """The shopper asked in person: everything (None), or one scope. → Accepted | Withheld | Refused"""

    session: Secret
    handle: Handle
    scope: Annotated[str, Size(1, 64)] | None


@dataclass(frozen=True, slots=True)
class AskStatus:
    """How the store is: no session needed, no member in it. → Status"""


@dataclass(frozen=True, slots=True)
class MintPairing:
    """A one-time pairing code; on the operator's socket only. → PairingCode | Refused"""


class Task(StrEnum):
    """What an operator can have done at once."""

    RETRY = "retry"  # what is quarantined
    CHECK = "check"  # the whole cache


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Something that the gateway does by itself is to be done at once; on the operator's socket only.

    → Accepted | Refused
    """

    task: Task


@dataclass(frozen=True, slots=True)
class AskProbe:
    """What a probe needs to be the synthetic member's phone and associate; on its socket only. → ProbeKit | Refused"""


@dataclass(frozen=True, slots=True)
class TellProbe:
    """What the probe's tablet shows of the synthetic member from now on. → Accepted | Refused"""

    seen: Seen
