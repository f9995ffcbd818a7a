"""Which of a member's statements carry at a moment: of two on one matter the later choice, and in doubt the withdrawal.

A matter is (purpose, scope, store). Presence is one matter however a statement on it is scoped; so is any purpose whose
grant names no scope. A withdrawal that names no scope withdraws every scope of its purpose.

Pure: no I/O, no clock.
"""

from collections.abc import Sequence
from dataclasses import replace

from consent.verdict import Rule
from wire.member import Member, State, Statement

PRESENCE = "presence"  # the purpose "be recognised in store"
SUGGEST = "suggest"  # the purpose "suggest things to me": it shows suggestions, and uses what they are made of
INSIGHT = "insight"  # the purpose "count my visit in statistics", which names no scope either


def carrying(member: Member, store: str, purpose: str, scope: str | None, now_s: int) -> tuple[Statement, ...] | Rule:
    """The grants with the latest time of choice on one matter, whole and not yet judged; or why there are none.

    `scope` None: the purpose itself. Several grants of one instant come together: each of them has to allow.
    `now_s`: Unix seconds UTC of trusted time.
    """
    return latest(speaking([one for one in member.statements if one.purpose == purpose], scope), store, now_s)


def speaking(statements: Sequence[Statement], scope: str | None) -> list[Statement]:
    """Those statements of one purpose that speak of a scope; None: of the purpose itself. In their order."""
    return [one for one in statements if _speaks_of(one, scope)]


def latest(on_it: Sequence[Statement], store: str, now_s: int) -> tuple[Statement, ...] | Rule:
    """`carrying`, of the statements that speak on the matter."""
    here = [one for one in on_it if one.store == store]
    if not here:
        return Rule.OTHER_STORE if on_it else Rule.NOT_GRANTED
    known = [one for one in here if one.chosen_s is not None and one.chosen_s <= now_s]
    if len(known) < len(here):
        doubtful = [one for one in here if one.chosen_s is None or one.chosen_s > now_s]
        if State.WITHDRAWN in [one.state for one in doubtful]:
            return Rule.WITHDRAWN
        if not known:
            return Rule.CHOICE_UNTIMED if None in [one.chosen_s for one in doubtful] else Rule.CHOICE_IN_FUTURE
    latest_s = max([one.chosen_s or 0 for one in known])
    newest = [one for one in known if one.chosen_s == latest_s]
    return Rule.WITHDRAWN if State.WITHDRAWN in [one.state for one in newest] else tuple(newest)


def lapse(statement: Statement, now_s: int) -> Rule | None:
    """Why a grant does not hold at this moment; None where it does. The end is exclusive."""
    if now_s < statement.from_s:
        return Rule.NOT_YET_VALID
    if now_s >= statement.until_s:
        return Rule.NO_LONGER_VALID
    return None


def in_force(member: Member, store: str, now_s: int) -> tuple[Statement, ...]:
    """The grants in force, each narrowed to the scopes for which it still carries; for showing, never for deciding.

    A narrowed grant no longer tells whether it named a scope alone, which a special category needs: `decide`
    judges the whole statements.
    """
    found = []
    for statement in member.statements:
        if statement.state is not State.GIVEN or statement.store != store or lapse(statement, now_s) is not None:
            continue
        if not statement.scopes or statement.purpose == PRESENCE:
            if _carries(member, statement, None, now_s):
                found.append(statement)
            continue
        scopes = tuple(scope for scope in statement.scopes if _carries(member, statement, scope, now_s))
        if scopes:
            found.append(replace(statement, scopes=scopes))
    return tuple(found)


def _carries(member: Member, statement: Statement, scope: str | None, now_s: int) -> bool:
    latest = carrying(member, statement.store, statement.purpose, scope, now_s)
    return not isinstance(latest, Rule) and statement in latest


def _speaks_of(statement: Statement, scope: str | None) -> bool:
    if statement.purpose == PRESENCE or (statement.state is State.WITHDRAWN and not statement.scopes):
        return True
    return not statement.scopes if scope is None else scope in statement.scopes
