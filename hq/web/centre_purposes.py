"""One purpose on its own: its notice, a yes or a no of the same weight, and what of it is given to which store.

Opening the page records that the notice was served; only then can the member agree.

I/O: answers HTTP requests (flask); sqlalchemy, by HQ's functions.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from flask import Response
from marshmallow import fields, validate

from hq import choosing, gpc, notices
from hq.choices import AtStore, Choices, Chosen
from hq.choosing import Wish
from hq.door import MOST_STORES
from hq.notice import Notice
from hq.state import is_wide
from hq.web import asking, centre_pages, centre_times, centre_who, centre_words, pages, schemas
from hq.web.asking import Member
from hq.web.errors import Problem, ProblemKind
from runtime.base64url import to_text
from runtime.web_languages import current, mark

SURFACE: Final = "preference-centre"
_MOST_SCOPES: Final = 64
_MOST_NAME: Final = 64
_NAME: Final = re.compile(r"[a-z0-9._-]{1,64}", re.ASCII)
_GIVEN: Final = mark("Thank you. It holds from now on, and you can stop it here at any time.")
_STOPPED: Final = mark("Stopped. It works at once.")
_REFUSED: Final = mark("All right. Nothing is shared, and we do not ask again for 90 days.")


@dataclass(frozen=True, slots=True)
class ScopeRow:
    """One scope of a purpose at a store. `special`: the special category, empty of an ordinary one.

    Not `shown`: it is used for the purpose, and shown to nobody.
    """

    scope: str
    label: str
    special: str
    shown: bool
    given: bool


@dataclass(frozen=True, slots=True)
class Place:
    """A store of the purpose's page."""

    store: str
    label: str
    given: bool
    since: str
    until: str
    roles: tuple[str, ...]
    ordinary: tuple[ScopeRow, ...]
    special: tuple[ScopeRow, ...]


class Asked(schemas.Asked):
    """What is given or taken back. No store, or no scope, means all of the purpose."""

    act = schemas.word("give", "stop", "refuse")
    notice = schemas.Token(32, load_default=None)
    brand = schemas.text(40, required=False, load_default=None)
    store = fields.List(schemas.text(40), load_default=list, validate=validate.Length(max=MOST_STORES))
    scope = fields.List(schemas.text(_MOST_NAME), load_default=list, validate=validate.Length(max=_MOST_SCOPES))
    picks = schemas.word("1", required=False, load_default="")  # of a form in which each is ticked


def make() -> pages.Part:
    """The pages."""
    part = centre_pages.Part("centre-purposes")

    @part.get("/centre/purposes/<purpose>")
    def purpose(purpose: str) -> Response:
        """The notice in short, and what is given."""
        return _shown(centre_who.member(), purpose)

    @part.post("/centre/purposes/<purpose>")
    def choose(purpose: str) -> Response:
        """Gives, stops or refuses it, or a part of it."""
        who = centre_who.member()
        if _NAME.fullmatch(purpose) is None:  # it stands in the answer's address
            raise Problem(ProblemKind.NOT_FOUND)
        said = _choose(who, purpose, pages.form(Asked))
        return centre_pages.changed(f"/centre/purposes/{purpose}", said, lambda: _shown(who, purpose))

    return part


def _choose(who: Member, purpose: str, sent: dict[str, Any]) -> str:
    office, now_ms = centre_who.counter(), asking.now_ms()
    named, scopes = tuple(sent["store"]) or None, tuple(sent["scope"]) or None
    match sent["act"]:
        case "stop":
            choosing.withdraw(
                office, who.id, now_ms, who.method, purpose=purpose, scopes=scopes, stores=named, brand=sent["brand"]
            )
            return _STOPPED
        case "refuse":
            wish = Wish(purpose, notice=sent["notice"], brand=sent["brand"], language=_language(sent["notice"]))
            choosing.refuse(office, who.id, wish, now_ms, who.method)
            return _REFUSED
        case _:
            if sent["picks"] and not (sent["store"] and sent["scope"]):
                raise Problem(ProblemKind.MALFORMED, fields=("scope",))  # nothing is ticked: nothing is given
            language = _language(sent["notice"])
            wish = Wish(purpose, named, scopes, notice=sent["notice"], brand=sent["brand"], language=language)
            choosing.give(office, who.id, wish, now_ms, who.method)
            return _GIVEN


def _language(hashed: bytes | None) -> str | None:
    """In which language the notice was read: the page's, where it has that. None: which notice is not said."""
    if hashed is None:
        return None
    with asking.reading() as connection:
        found = notices.of_hash(connection, hashed)
    return None if found is None else found.in_(current()).language


def _shown(who: Member, purpose: str) -> Response:
    chosen = centre_who.standing(who)
    with asking.writing() as connection:
        served = notices.serve(
            connection, asking.parts().keys, who.id, current(), SURFACE, asking.now_ms(), purposes=(purpose,)
        )
    offered = [_offer(one, chosen) for one in served]
    shown = [one for one in offered if one["places"] or one["wide"]] or offered[:1]
    if not shown:
        raise Problem(ProblemKind.NOT_FOUND)
    return centre_pages.page(
        "purpose",
        purpose=purpose,
        offers=shown,
        several=len(shown) > 1,
        has_stores=bool(chosen.stores),
        partners=gpc.is_sale_or_share(purpose) and asking.gpc(),
    )


def _offer(notice: Notice, chosen: Choices) -> dict[str, Any]:
    """One brand's notice of the purpose, with the member's stores of that brand; a channel is of the whole brand."""
    text = notice.in_(current())
    wide = is_wide(notice.purpose)
    here = [place for place in chosen.stores if place.brand == notice.policy and not wide]
    listed = [(place, one) for place in here for one in place.purposes if one.purpose == notice.purpose]
    places = [_place(place, one) for place, one in listed]
    mine = [one for _, one in listed]
    if wide:
        whole = [brand for brand in chosen.brands if brand.brand == notice.policy]
        mine = [one for brand in whole for one in brand.purposes if one.purpose == notice.purpose]
    return {
        "brand": notice.policy,
        "wide": wide,
        "hash": to_text(notice.hash),
        "text": {name: getattr(text, name) for name in ("language", "label", "what", "how", "why", "benefit")},
        "full": list(text.full),
        "details": [(heading, list(lines)) for heading, lines in text.details],
        "places": places,
        "given": any(one.given for one in mine),
        "since": next((_day(one.since_s) for one in mine if one.given), ""),
        "until": next((_day(one.until_s) for one in mine if one.given), ""),
        "scopes": list(places[0].ordinary) if places else [],
        "things": [one.label for one in places[0].ordinary] if places else [],
    }


def _place(place: AtStore, one: Chosen) -> Place:
    rows = [
        ScopeRow(
            scope.scope, centre_words.label(scope.label), centre_words.label(scope.special), scope.shown, scope.given
        )
        for scope in one.scopes
    ]
    return Place(
        store=place.store,
        label=place.label,
        given=one.given,
        since=_day(one.since_s),
        until=_day(one.until_s),
        roles=tuple(centre_words.label(role) for role in one.roles),
        ordinary=tuple(row for row in rows if not row.special),
        special=tuple(row for row in rows if row.special),
    )


def _day(at_s: int | None) -> str:
    return "" if at_s is None else centre_times.day(at_s * 1000)
