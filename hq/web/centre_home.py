"""The preference centre's first page: the switch, what is shared now, each purpose, and the way out of everything.

I/O: answers HTTP requests (flask); sqlalchemy, by HQ's functions.
"""

from dataclasses import dataclass
from typing import Any, Final

from flask import Response
from sqlalchemy import bindparam, select

from hq import choosing, confirming, gpc, help_state, proposals
from hq.choices import Choices
from hq.help_state import HelpState
from hq.tables import phones
from hq.web import asking, centre_pages, centre_who, centre_words, pages, schemas
from hq.web.asking import Member
from runtime.web_languages import gettext, mark
from wire.items import ItemList
from wire.member import Mode, NameChoice

CONTACT: Final = "contact."
_SAVED: Final = mark("Saved. It holds from now on.")
_PAUSED: Final = mark("You are on pause. Nobody is told that you are here.")
_RESUMED: Final = mark("The pause is over.")
_STAYS_OFF: Final = mark("It stays switched off. We do not ask again.")
_ADDED: Final = mark("It is on your list.")
_DECLINED: Final = mark("It is gone.")
_HELP: Final[dict[HelpState, str]] = {
    HelpState.WAITING: mark("You asked for help in %(store)s. Staff have been told."),
    HelpState.ON_THE_WAY: mark("Somebody is on the way to you in %(store)s."),
    HelpState.DONE: mark("Your call for help in %(store)s is done."),
    HelpState.ENDED: mark("Your call for help in %(store)s has ended."),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A purpose as the first page lists it. `stores`: labels of those to which it is given; none of a whole brand's."""

    purpose: str
    label: str
    given: bool
    stores: tuple[str, ...]


class ModeAsked(schemas.Asked):
    """The switch."""

    mode = schemas.word(*(one.name.lower() for one in Mode))


class NameAsked(schemas.Asked):
    """When the first name may be shown."""

    name = schemas.word(*(one.name.lower() for one in NameChoice))


class AnswerAsked(schemas.Asked):
    """What of the two the member meant."""

    answer = schemas.word("stay-off")


class ProposalAsked(schemas.Asked):
    """What becomes of an associate's proposal."""

    proposal = schemas.text(200)
    answer = schemas.word("confirm", "decline")


def make() -> pages.Part:
    """The pages."""
    part = centre_pages.Part("centre-home")

    @part.get("/")
    @part.get("/centre")
    def home() -> Response:
        """Everything at a glance."""
        return _home(centre_who.member())

    @part.post("/centre/mode")
    def mode() -> Response:
        """The switch, in one tap."""
        who = centre_who.member()
        wanted = Mode[pages.form(ModeAsked)["mode"].upper()]
        choosing.set_mode(centre_who.counter(), who.id, wanted, asking.now_ms(), who.method)
        return centre_pages.changed(centre_who.HOME, _PAUSED if wanted is Mode.QUIET else _SAVED, lambda: _home(who))

    @part.post("/centre/pause")
    def pause() -> Response:
        """Nobody is told, until it is over."""
        who = centre_who.member()
        choosing.pause(centre_who.counter(), who.id, asking.now_ms(), who.method)
        return centre_pages.changed(centre_who.HOME, _PAUSED, lambda: _home(who))

    @part.post("/centre/resume")
    def resume() -> Response:
        """As it was before the pause."""
        who = centre_who.member()
        choosing.resume(centre_who.counter(), who.id, asking.now_ms(), who.method)
        return centre_pages.changed(centre_who.HOME, _RESUMED, lambda: _home(who))

    @part.post("/centre/name")
    def name() -> Response:
        """When the first name may be shown."""
        who = centre_who.member()
        wanted = NameChoice[pages.form(NameAsked)["name"].upper()]
        choosing.set_name(centre_who.counter(), who.id, wanted, asking.now_ms(), who.method)
        return centre_pages.changed(centre_who.HOME, _SAVED, lambda: _home(who))

    @part.post("/centre/leave")
    def leave() -> Response:
        """Everything, everywhere, at once."""
        who = centre_who.member()
        choosing.leave(centre_who.counter(), who.id, asking.now_ms(), who.method)
        return centre_pages.changed("/centre/left", "", lambda: _left(who))

    @part.get("/centre/left")
    def left() -> Response:
        """What became of it, store by store."""
        return _left(centre_who.member())

    @part.post("/centre/signal")
    def signal() -> Response:
        """The browser's wish stands; to allow it after all is a grant like any other."""
        who = centre_who.member()
        pages.form(AnswerAsked)
        office = centre_who.counter()
        choosing.stay_off(office, who.id, asking.now_ms(), who.method)
        return centre_pages.changed(centre_who.HOME, _STAYS_OFF, lambda: _home(who))

    @part.post("/centre/proposals")
    def proposal() -> Response:
        """An associate proposed something for a list of the member's."""
        who = centre_who.member()
        sent = pages.form(ProposalAsked)
        confirms = sent["answer"] == "confirm"
        if confirms:
            confirming.confirm(centre_who.counter(), who.id, sent["proposal"], asking.now_ms(), who.method)
        else:
            confirming.decline(centre_who.counter(), who.id, sent["proposal"])
        return centre_pages.changed(centre_who.HOME, _ADDED if confirms else _DECLINED, lambda: _home(who))

    return part


def rows(chosen: Choices) -> list[Row]:
    """Each purpose once, in the order of the policies, with the stores to which it is given."""
    found: dict[str, Row] = {}
    for place in chosen.stores:
        for one in place.purposes:
            known = found.get(one.purpose, Row(one.purpose, one.label, False, ()))
            stores = (*known.stores, place.label) if one.given else known.stores
            found[one.purpose] = Row(one.purpose, known.label, bool(stores), stores)
    for brand in chosen.brands:
        for one in brand.purposes:
            given = one.given or (one.purpose in found and found[one.purpose].given)
            found[one.purpose] = Row(one.purpose, one.label, given, ())
    return list(found.values())


def _home(who: Member) -> Response:
    with asking.reading() as connection:
        seen = centre_who.seen(connection, who)
        waiting = proposals.of_member(connection, asking.parts().keys, who.reference, asking.now_ms())
        has_phones = connection.scalar(_OF_THEIRS, {"member": who.reference}) is not None
        call = help_state.of_member(connection, who.reference, asking.now_ms())
    chosen, may_ask = seen.chosen, seen.may_ask
    labels = {one.store: one.label for one in chosen.stores}
    listed = rows(chosen)
    partners = any(one.given and gpc.is_sale_or_share(one.purpose) for one in listed)
    asked = next((one for one in listed if one.purpose in may_ask), None)
    return centre_pages.page(
        "home",
        sentence=_sentence(chosen, has_phones, partners),
        mode=chosen.mode.name.lower(),
        modes=centre_words.modes(),
        resumes_to=chosen.resumes_to.name.lower(),
        name=chosen.name.name.lower(),
        names=centre_words.names(),
        purposes=[one for one in listed if not one.purpose.startswith(CONTACT)],
        channels=[one for one in listed if one.purpose.startswith(CONTACT)],
        stores=len(chosen.stores),
        gives=any(one.given for one in listed),
        asked=asked,
        asked_again=asked is not None and may_ask[asked.purpose].name != "NEVER",
        signal=_signal(seen.signal, partners),
        call=None if call is None else gettext(_HELP[call.state], store=labels.get(call.store, call.store)),
        proposals=[_proposed(one, labels) for one in waiting],
    )


_OF_THEIRS = select(phones.c.id).where(phones.c.member == bindparam("member")).limit(1)


def _sentence(chosen: Choices, has_phones: bool, partners: bool) -> str:
    """What is shared now: whatever may be seen, for whichever purpose it was given, not what is only used; and with
    partners."""
    there = [one for one in chosen.stores if one.recognised]
    things = [
        centre_words.thing(scope.scope, scope.label)
        for place in there
        for one in place.purposes
        for scope in one.scopes
        if scope.given and scope.shown
    ]
    labels = [one.label for one in there]
    return centre_words.shared(chosen.mode, bool(chosen.stores), has_phones, labels, things, partners)


def _signal(heard: gpc.Heard | None, allowed: bool) -> dict[str, Any] | None:
    """What is said of a browser's wish; None: no browser of this member's sent one."""
    if heard is None:
        return None
    return {"now": asking.gpc(), "asks": heard.answer is gpc.Answer.OPEN, "purpose": gpc.PURPOSE, "allowed": allowed}


def _proposed(one: proposals.Proposed, labels: dict[str, str]) -> dict[str, Any]:
    return {
        "ref": one.ref,
        "store": labels.get(one.store, one.store),
        "role": centre_words.role(one.role),
        "item": one.label,
        "quantity": one.quantity,
        "basket": one.to is ItemList.BASKET,
    }


def _left(who: Member) -> Response:
    chosen = centre_who.standing(who)
    known = centre_who.policies([one.store for one in chosen.stores])
    said = [
        centre_words.confirmed(one.confirmed, one.label, centre_who.zone_of(known, one.store)) for one in chosen.stores
    ]
    return centre_pages.page("left", confirmed=said, stopped=not any(one.given for one in rows(chosen)))
