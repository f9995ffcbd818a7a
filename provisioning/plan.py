"""Decides what has to be written so that a folder holds what is wanted, and nothing more.

Pure: no I/O, no clock.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from provisioning.errors import LostKeyError
from provisioning.layout import REVOKED
from provisioning.recipes import AuthorityKey, Secret
from provisioning.wanted import Wanted


class Action(StrEnum):
    """What happens to one file."""

    CREATE = "create"
    REPLACE = "replace"
    PROTECT = "protect"  # the content stays, the permission bits are set
    KEEP = "keep"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class State:
    """How a file was found. `fault` is why its content does not serve, None where it does; `mode` None: not there."""

    mode: int | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One file's part of a plan, with the reason for it; never its content."""

    action: Action
    path: str
    mode: int = 0
    reason: str = ""

    def __str__(self) -> str:
        mode = f"{self.mode:04o}" if self.mode else "    "
        return f"{self.action.value:8} {mode} {self.path}{f'  ({self.reason})' if self.reason else ''}"


def plan(wanted: Sequence[Wanted], states: Mapping[str, State], leftovers: Collection[str]) -> tuple[Step, ...]:
    """One step for each wanted file and each of the `leftovers`, in their orders.

    What is left over goes after the settings: by then the revocations of its certificates are written.

    Raises: LostKeyError, where a key that cannot be made again is missing or damaged.
    """
    steps: list[Step] = []
    changed: set[str] = set()
    for one in wanted:
        state = states.get(one.path, State())
        step = _step(one, state, next((path for path in one.recipe.inputs if path in changed), None))
        if isinstance(one.recipe, Secret | AuthorityKey):
            if state.mode is None and states.get(one.recipe.proof, State()).mode is not None:
                raise LostKeyError(one.path, "missing")
            if step.action is Action.REPLACE:
                raise LostKeyError(one.path, "damaged")
        if step.action in (Action.CREATE, Action.REPLACE):
            changed.add(one.path)
        steps.append(step)
        if one.path == REVOKED:
            steps += [Step(Action.REMOVE, path, reason="no longer wanted") for path in leftovers]
    return tuple(steps)


def changes(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps that write or remove."""
    return tuple(step for step in steps if step.action is not Action.KEEP)


def _step(one: Wanted, state: State, cause: str | None) -> Step:
    if state.mode is None:
        return Step(Action.CREATE, one.path, one.mode)
    if state.fault is not None:
        return Step(Action.REPLACE, one.path, one.mode, state.fault)
    if cause is not None:
        return Step(Action.REPLACE, one.path, one.mode, f"made from {cause}")
    if state.mode != one.mode:
        return Step(Action.PROTECT, one.path, one.mode, f"was {state.mode:04o}")
    return Step(Action.KEEP, one.path, one.mode)
