"""The stores that a member added: by the QR code at the door, with what each has confirmed, and taken off again.

I/O: answers HTTP requests (flask); sqlalchemy, by HQ's functions.
"""

from typing import Any, Final

from flask import Response

from hq import choosing, closings, leavings
from hq.choices import AtStore
from hq.door import MOST_STORES
from hq.errors import Refused
from hq.web import asking, centre_pages, centre_times, centre_who, centre_words, pages, schemas
from hq.web.asking import Member
from hq.web.errors import Problem, ProblemKind
from runtime.web_languages import gettext, mark

ADDRESS: Final = "/centre/stores"
_MOST_LINK: Final = 300
_ADDED: Final = mark("The store is on your list. Nothing is shared with it yet.")
_REMOVED: Final = mark("The store is off your list, and everything there is stopped.")
_NO_STORE: Final = mark("That is no store that we know. Please type what stands below the QR code.")
_FULL: Final = mark("You have %(most)s stores on your list, which is the most. Please take one off first.")


class AddAsked(schemas.Asked):
    """A store by its id, or by the link that its QR code holds."""

    store = schemas.text(_MOST_LINK)


class StoreAsked(schemas.Asked):
    """A store of the list."""

    store = schemas.text(40)


def make() -> pages.Part:
    """The pages."""
    part = centre_pages.Part("centre-stores")

    @part.get("/centre/stores")
    def stores() -> Response:
        """The list."""
        return _listed(centre_who.member())

    @part.post("/centre/stores")
    def add() -> Response:
        """By what stands below a QR code."""
        who = centre_who.member()
        try:
            store = _named(pages.form(AddAsked)["store"].strip())
        except (Refused, Problem):
            return _listed(who, gettext(_NO_STORE), 422)
        return _add(who, store)

    @part.get("/centre/stores/add/<store>")
    def offered(store: str) -> Response:
        """The page behind the QR code leads here: one tap adds the store."""
        who = centre_who.member()
        with asking.reading() as connection:
            door = leavings.door(connection, store, asking.now_ms())
        if door is None:
            return _listed(who, gettext(_NO_STORE), 404)
        there = any(one.store == store for one in centre_who.standing(who).stores)
        return centre_pages.page("store_add", store=store, name=door.label, there=there)

    @part.post("/centre/stores/remove")
    def remove() -> Response:
        """Stops everything there, and takes it off the list."""
        who = centre_who.member()
        store = pages.form(StoreAsked)["store"]
        closings.remove_store(centre_who.counter(), who.id, store, asking.now_ms(), who.method)
        return centre_pages.changed(ADDRESS, _REMOVED, lambda: _listed(who))

    @part.get("/centre/stores/<store>")
    def store(store: str) -> Response:
        """One store: what it may do, and what it confirmed."""
        who = centre_who.member()
        place = next((one for one in centre_who.standing(who).stores if one.store == store), None)
        if place is None:
            raise Problem(ProblemKind.NOT_FOUND)
        return centre_pages.page("store", place=_row(place))

    return part


def _named(typed: str) -> str:
    """The store of what was typed: an id, or an address as it stands below a code, often without its beginning."""
    is_address = "/" in typed and "://" not in typed and not typed.startswith("/")
    return choosing.store_of(f"https://{typed}" if is_address else typed)


def _add(who: Member, store: str) -> Response:
    if len(centre_who.standing(who).stores) >= MOST_STORES:
        return _listed(who, gettext(_FULL, most=MOST_STORES), 422)
    try:
        choosing.add_store(centre_who.counter(), who.id, store, asking.now_ms())
    except Refused:
        return _listed(who, gettext(_NO_STORE), 422)
    return centre_pages.changed(ADDRESS, _ADDED, lambda: _listed(who))


def _listed(who: Member, wrong: str = "", status: int = 200) -> Response:
    listed = [_row(one) for one in centre_who.standing(who).stores]
    return centre_pages.page("stores", status, stores=listed, most=MOST_STORES, wrong=wrong)


def _row(place: AtStore) -> dict[str, Any]:
    zone = centre_who.zone_of(centre_who.policies([place.store]), place.store)
    return {
        "store": place.store,
        "label": place.label,
        "recognised": place.recognised,
        "added": "" if place.added_ms is None else centre_times.day(place.added_ms, zone),
        "given": [{"purpose": one.purpose, "label": one.label} for one in place.purposes if one.given],
        "offered": [{"purpose": one.purpose, "label": one.label} for one in place.purposes if not one.given],
        "step": place.confirmed.step.value,
        "confirmed": centre_words.confirmed(place.confirmed, place.label, zone),
    }
