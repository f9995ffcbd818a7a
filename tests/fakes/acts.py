"""The acts on a visit as the fake gateway answers them: it keeps what was asked, and decides nothing.

Pure: no I/O, no clock.
"""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from wire import acts
from wire.items import MuteKind, Response
from wire.policy import Section
from wire.query import Accepted, Conflict, Entry, Refused, RefusedReason, Reply, Request, SessionView, Withheld

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
        case acts.HandOver(_, _, str(to)) if to not in {one.associate for one in gateway.sessions.values()}:
            return Withheld()
        case acts.HandOver() if card.attended_by not in (None, view.name):
            return Conflict(card.attended_by or "")
        case acts.Respond(_, _, item, response):
            if item not in _suggested(gateway, handle):
                return Withheld()
            if response in (Response.NOT_FOR_ME, Response.DECLINED):
                _keep(gateway, handle, lambda one: one.item != item)
            else:
                _answer(gateway, handle, item, response)
            gateway.put_card(dataclasses.replace(card, version=card.version + 1))
        case acts.MuteFor(_, _, what, name):
            if what is MuteKind.THEME and any(_has(one, name) for one in _entries(gateway, handle)):
                _keep(gateway, handle, lambda one: not _has(one, name))
                gateway.put_card(dataclasses.replace(card, version=card.version + 1))
                return Accepted()
            return Accepted() if name in _suggested(gateway, handle) else Withheld()
        case acts.Propose(_, _, to, item):
            known = item in {one.item for one in gateway.catalog}
            return Accepted() if known and Section(to.value) in card.sections else Withheld()
    return Accepted()


def _entries(gateway: "FakeGateway", handle: bytes) -> list[Entry]:
    lines = gateway.sections.get((handle, Section.SUGGESTIONS), ())
    return [entry for line in lines for entry in line.entries]


def _suggested(gateway: "FakeGateway", handle: bytes) -> set[str | None]:
    return {entry.item for entry in _entries(gateway, handle)} - {None}


def _has(entry: Entry, theme: str) -> bool:
    return entry.suggested is not None and theme in entry.suggested.themes


def _keep(gateway: "FakeGateway", handle: bytes, wanted: Callable[[Entry], bool]) -> None:
    key = handle, Section.SUGGESTIONS
    gateway.sections[key] = tuple(
        dataclasses.replace(line, entries=tuple(filter(wanted, line.entries))) for line in gateway.sections[key]
    )


def _answer(gateway: "FakeGateway", handle: bytes, item: str, response: Response) -> None:
    def told(entry: Entry) -> Entry:
        if entry.item != item or entry.suggested is None:
            return entry
        return dataclasses.replace(entry, suggested=dataclasses.replace(entry.suggested, answer=response))

    key = handle, Section.SUGGESTIONS
    gateway.sections[key] = tuple(
        dataclasses.replace(line, entries=tuple(map(told, line.entries))) for line in gateway.sections[key]
    )
