"""Who may ask what: every request, by every role, with and without a session, on every socket."""

import dataclasses
import typing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store_gateway.gateway import Asker
from store_gateway.rights import RIGHTS, Right, may
from tests.store_gateway.pad import ANYBODY, OPERATOR, Pad
from tests.strategies import instances
from tests.world import World
from wire import query
from wire.query import RefusedReason

REQUESTS = typing.get_args(query.Request)
ROLES = ("advisor", "manager", "stock", "privacy", "synthetic", "")
PROBE = Asker(False, None, True)
_OPEN = (Right.SIGNED_IN, Right.FLOOR)
_MANAGERS = (Right.MANAGER, Right.KEEPER)


def as_of(asked: query.Request, session: bytes | None) -> query.Request:
    """The same request with this session, where it has one."""
    named = {field.name for field in dataclasses.fields(asked)}
    return dataclasses.replace(asked, session=session) if "session" in named else asked  # type: ignore[call-arg]


def test_the_table_names_every_request() -> None:
    """What is forgotten in it could be asked by nobody; what is in it and no request is a mistake."""
    assert set(RIGHTS) == set(REQUESTS)


@pytest.mark.parametrize("asked", REQUESTS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_ask_what_the_table_says(asked: type, role: str) -> None:
    """Managers may all that others may; what is an operator's, the probe's or nobody's is no session's."""
    right = RIGHTS[asked]
    assert may(asked, role) is (right in _OPEN or (right in (Right.MANAGER, Right.KEEPER) and role == "manager"))


def test_what_is_not_in_the_table_nobody_may() -> None:
    """A request that somebody forgot there."""
    assert not any(may(object, role) for role in ROLES)


@pytest.mark.parametrize("asked", REQUESTS, ids=lambda one: one.__name__)
@settings(max_examples=1, deadline=None)
@given(data=st.data())
def test_the_gateway_keeps_to_the_table(asked: type, data: st.DataObject) -> None:
    """Refused where the role may not, else answered by whom it concerns; without a session, or locked: that is said."""
    world, right, request = World(), RIGHTS[asked], data.draw(instances(asked, most=1))
    pads = {role: Pad(world, one) for one, role in (("ada", "advisor"), ("sam", "stock"), ("max", "manager"))}

    def reason(session: bytes | None, asker: Asker = ANYBODY) -> RefusedReason | None:
        reply = world.gateway.answer(as_of(request, session), asker, world.now_s)
        return reply.reason if isinstance(reply, query.Refused) else None

    idle = Pad(world)
    world.ask(query.LockSession(idle.session))
    for role, pad in pads.items():
        closed = right in (Right.OPERATOR, Right.PROBE) or (right in _MANAGERS and role != "manager")
        assert (reason(pad.session) is RefusedReason.FORBIDDEN) is closed
    if right in (*_OPEN, *_MANAGERS):
        assert (reason(bytes(32)), reason(idle.session)) == (RefusedReason.SIGNED_OUT, RefusedReason.LOCKED)
    if right is Right.KEEPER:
        assert reason(None) is RefusedReason.FORBIDDEN is not reason(None, OPERATOR)
    assert (reason(pads["manager"].session, PROBE) is RefusedReason.FORBIDDEN) is (right is not Right.PROBE)
