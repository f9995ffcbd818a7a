"""Says what each role of HQ's staff may see and do in the console: one table.

Pure: no I/O, no clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What somebody of HQ's staff works as, as their sign-in says."""

    PRIVACY = "privacy"
    OPERATIONS = "operations"
    INTEGRATOR = "integrator"


class View(StrEnum):
    """A part of the console, or something that is done in it."""

    STORES = "stores"
    POLICY = "policy"
    REFUSED = "refused"  # lines of imports that were not taken
    HOOKS = "hooks"  # where other systems are called, and what they did not take
    RESEND = "resend"
    ALERTS = "alerts"
    QUESTIONS = "questions"
    ANSWER = "answer"
    REQUESTS = "requests"
    FIGURES = "figures"
    MODELS = "models"  # for suggestions: their versions and cards
    RELEASE = "release"  # spends of the budget
    MEMBER = "member"
    VALUES = "values"  # what the member's profile says


MAY: dict[View, frozenset[Role]] = {
    View.STORES: frozenset({Role.PRIVACY, Role.OPERATIONS}),
    View.POLICY: frozenset({Role.PRIVACY, Role.OPERATIONS, Role.INTEGRATOR}),
    View.REFUSED: frozenset({Role.OPERATIONS, Role.INTEGRATOR}),
    View.HOOKS: frozenset({Role.OPERATIONS, Role.INTEGRATOR}),
    View.RESEND: frozenset({Role.INTEGRATOR}),
    View.ALERTS: frozenset({Role.PRIVACY, Role.OPERATIONS}),
    View.QUESTIONS: frozenset({Role.PRIVACY}),
    View.ANSWER: frozenset({Role.PRIVACY}),
    View.REQUESTS: frozenset({Role.PRIVACY}),
    View.FIGURES: frozenset({Role.PRIVACY, Role.OPERATIONS}),
    View.MODELS: frozenset({Role.PRIVACY, Role.OPERATIONS}),
    View.RELEASE: frozenset({Role.PRIVACY}),
    View.MEMBER: frozenset({Role.PRIVACY, Role.OPERATIONS}),
    View.VALUES: frozenset({Role.PRIVACY}),
}


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody of HQ's staff who is signed in: the subject of their sign-in, at most 255 characters, and the role."""

    subject: str
    role: Role

    def may(self, view: View) -> bool:
        """Whether the role may; what is not in the table nobody may."""
        return self.role in MAY.get(view, frozenset())


def role_of(claimed: Iterable[object]) -> Role | None:
    """The one role among what a sign-in claims; None: none of ours, or more than one, which is none.

    Roles are apart on purpose: who needs two signs in twice.
    """
    said = {claim for claim in claimed if isinstance(claim, str)}
    found = {one for one in Role if one.value in said}
    return next(iter(found)) if len(found) == 1 else None
