"""The console's page of models for suggestions: the versions, and each one's card: on what, how good, for whom worse.

Nothing is put in force here: the page names the command, which looks first who withdrew.

I/O: answers HTTP requests (flask) from HQ's database.
"""

import re
from typing import Any, Final

from flask import Response
from marshmallow import fields, validate

from hq import training_card, training_versions
from hq.console_roles import View
from hq.learning.findings import EVERYBODY
from hq.training_card import Card
from hq.training_versions import State, Version
from hq.web import asking, console_door, pages
from hq.web.schemas import Instant, Query, Shown
from runtime.web_languages import gettext, mark

_PATH: Final = "/console/models"
_MOST: Final = 20  # versions, the newest
STATES: Final[dict[State, str]] = {
    State.IN_FORCE: mark("in force"),
    State.KEPT: mark("kept"),
    State.REFUSED: mark("refused"),
    State.TOO_FEW: mark("too few people"),
    State.OUT: mark("destroyed"),
}
_SOUND: Final = {State.IN_FORCE: "good", State.REFUSED: "wrong", State.TOO_FEW: "ask"}
GROUPS: Final = {
    EVERYBODY: mark("Everybody"),
    "visits: under 1 a month": mark("Visits: under 1 a month"),
    "visits: 1 to 3 a month": mark("Visits: 1 to 3 a month"),
    "visits: over 3 a month": mark("Visits: over 3 a month"),
    "bought again: under a third": mark("Bought again: under a third"),
    "bought again: a third to two thirds": mark("Bought again: a third to two thirds"),
    "bought again: over two thirds": mark("Bought again: over two thirds"),
}
NOT_FOR: Final = (
    mark("For suggestions to members who agree to them, and for nothing else: not for prices, credit or work."),
    mark("Nothing may be concluded from it about a person: not belief, health, family, orientation, or means."),
    mark("Items that the catalog flags are not in it."),
    mark("What it puts first is still judged by the guard in each store: it decides about relevance alone."),
)


class ModelsAsked(Query):
    """Whose card."""

    version = fields.Integer(required=False, load_default=None, validate=validate.Range(1, 2**31 - 1))


class VersionShown(Shown):
    """A version."""

    number = fields.Integer()
    brand = fields.String()
    state = fields.Function(lambda one: gettext(STATES[one.state]))
    sound = fields.Function(lambda one: _SOUND.get(one.state, ""))
    made_at = Instant(attribute="made_ms")
    is_left = fields.Function(lambda one: one.has_tables and one.gone_ms is not None)
    may_return = fields.Function(lambda one: one.state is State.KEPT)


class GroupShown(Shown):
    """How a model fares with some of the people."""

    name = fields.Function(lambda one: group_words(one.name))
    people = fields.Integer()
    new = fields.Float()
    old = fields.Float()
    low = fields.Float()
    high = fields.Float()
    is_worse = fields.Boolean()


def make() -> pages.Part:
    """The page."""
    part = pages.Part("console-models")

    @part.get(_PATH)
    def models() -> Response:
        """The versions, and one's card: the asked one's, else that of what is in force, else the newest."""
        who, asked = console_door.enter(View.MODELS), pages.asked(ModelsAsked)
        with asking.reading() as connection:
            listed = training_versions.listed(connection)
            chosen = _chosen(listed, asked["version"])
            card = None if chosen is None else training_card.read(training_versions.card(connection, chosen.number))
        return console_door.show(
            "models.html", who, versions=console_door.shown(VersionShown, listed[:_MOST]),
            chosen=None if chosen is None else console_door.shown(VersionShown, [chosen])[0],
            card=None if card is None else _told(card), not_for=[gettext(one) for one in NOT_FOR],
        )  # fmt: skip

    return part


def _chosen(listed: list[Version], number: int | None) -> Version | None:
    wanted = [one for one in listed if one.number == number]
    current = [one for one in listed if one.state is State.IN_FORCE]
    return next(iter((*wanted, *current, *listed)), None)


def _told(card: Card) -> dict[str, Any]:
    every = next((one.new for one in card.groups if one.name == EVERYBODY), 0.0)
    shown = console_door.shown(GroupShown, card.groups)
    below = [one for one, group in zip(shown, card.groups, strict=True) if group.new < every]
    return {
        "digest": card.digest, "against": card.against, "people": card.people, "baskets": card.baskets,
        "item_count": card.items, "left_out": card.left_out, "first": card.first, "last": card.last,
        "clusters": card.clusters, "attack": card.attack, "groups": shown, "below": [one["name"] for one in below],
    }  # fmt: skip


def group_words(name: str) -> str:
    """A group's name for people, in their language; one that nobody knows as it is."""
    if name in GROUPS:
        return gettext(GROUPS[name])
    if name == "purchases: any":
        return gettext("Purchases: any number")
    found = re.fullmatch(r"purchases: (up to )?(\d+)(?: to (\d+)|( and more))?", name)
    match found.groups() if found is not None else None:
        case (None, low, str(high), None):
            return gettext("Purchases: %(low)s to %(high)s", low=low, high=high)
        case (None, low, None, str()):
            return gettext("Purchases: %(low)s and more", low=low)
        case (str(), high, None, None):
            return gettext("Purchases: up to %(high)s", high=high)
    return name
