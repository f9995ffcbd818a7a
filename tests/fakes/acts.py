"""The acts on a visit as the fake gateway answers them: it keeps what was asked, and decides nothing.

Pure: no I/O, no clock.
"""

import dataclasses
from typing import TYPE_CHECKING

from wire import acts
from wire.items import Response
from wire.policy import Section
from wire.query import Accepted, Conflict, Refused, RefusedReason, Reply, Request, SessionView, Withheld

if TYPE_CHECKING:
    from tests.fakes.gateway import FakeGateway

ROLES = (acts.FloorRole("associate", "Associate"), acts.FloorRole("manager", "Manager"))


def answer(gateway: "FakeGateway", asked: Request, view: SessionView) -> Reply:
    """As scripted: `names` are shown once introduced, `catalog` is what there is, suggestions are in `sections`."""
    match asked:
        case acts.AskColleagues():
            there = {one.associate: one for one in gateway.sessions.values() if one.associate != view.associate}
            found = tuple(acts.Colleague(one.associate, one.name, one.role) for one in there.values())
            return acts.Colleagues(found, ROLES)
        case acts.AskCatalog(_, text):
            return acts.CatalogFound(tuple(one for one in gateway.catalog if text.lower() in one.name.lower()))
        case acts.Introduce(_, handle) | acts.HandOver(_, handle) | acts.Respond(_, handle):
            pass
        case acts.MuteFor(_, handle) | acts.Propose(_, handle):
            pass
        case _:
            return Refused(RefusedReason.MALFORMED)
    card = gateway.cards.get(handle)
    if card is None:
        return Withheld()
    match asked:
        case acts.Introduce():
            named = dataclasses.replace(card, version=card.version + 1, name=gateway.names.get(handle))
            gateway.put_card(named)
        case acts.HandOver() if card.attended_by not in (None, view.name):
            return Conflict(card.attended_by or "")
        case acts.Respond(_, _, item, response):
            if item not in _suggested(gateway, handle):
                return Withheld()
            if response is Response.NOT_FOR_ME:
                _mute(gateway, handle, item)
                gateway.put_card(dataclasses.replace(card, version=card.version + 1))
        case acts.MuteFor(_, _, _, name):
            return Accepted() if name in _suggested(gateway, handle) else Withheld()
        case acts.Propose(_, _, to, item):
            known = item in {one.item for one in gateway.catalog}
            return Accepted() if known and Section(to.value) in card.sections else Withheld()
    return Accepted()


def _suggested(gateway: "FakeGateway", handle: bytes) -> set[str | None]:
    lines = gateway.sections.get((handle, Section.SUGGESTIONS), ())
    return {entry.item for line in lines for entry in line.entries} - {None}


def _mute(gateway: "FakeGateway", handle: bytes, item: str) -> None:
    key = handle, Section.SUGGESTIONS
    gateway.sections[key] = tuple(
        dataclasses.replace(line, entries=tuple(one for one in line.entries if one.item != item))
        for line in gateway.sections[key]
    )
