"""What is asked and shown of the acts on a visit: helping, handing over, suggestions, items for the member.

Pure: no I/O, no clock.
"""

from enum import StrEnum
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from tablet_api.schemas import Asked, Query, Shown, Utf8
from wire import scopes
from wire.acts import MOST_PIECES
from wire.events import HandOverReason
from wire.items import ItemList, MuteKind, Response

_NAME_BYTES = 64


class Step(StrEnum):
    """What an associate says about helping."""

    ATTENDING = "attending"
    DONE = "done"
    HAND_OVER = "hand-over"


def _name(**rest: Any) -> fields.String:
    return fields.String(validate=[validate.Length(1, _NAME_BYTES), Utf8(_NAME_BYTES)], **rest)


def _scope(value: str) -> str:
    if not scopes.is_scope(value):
        raise ValidationError("the name of a scope")
    return value


class AttendanceAsked(Asked):
    """Who helps. The other fields belong to `hand-over`, which has one target and a reason."""

    action = fields.Enum(Step, by_value=True, required=True)
    to_associate = _name(load_default=None, allow_none=True, metadata={"description": "hand over to this associate"})
    to_role = _name(load_default=None, allow_none=True, metadata={"description": "or to everybody of this role"})
    reason = fields.Enum(HandOverReason, by_value=True, load_default=None, allow_none=True)

    @validates_schema
    def _whole(self, asked: dict[str, Any], **more: Any) -> None:
        targets = [name for name in ("to_associate", "to_role") if asked.get(name) is not None]
        if asked["action"] is not Step.HAND_OVER:
            told = targets or (["reason"] if asked.get("reason") is not None else [])
        elif len(targets) != 1:
            told = ["to_associate", "to_role"]
        else:
            told = [] if asked.get("reason") is not None else ["reason"]
        if told:
            raise ValidationError({name: ["of a hand-over, which needs one target and a reason"] for name in told})


class WithdrawalAsked(Asked):
    """What the shopper withdraws: `null` is everything."""

    scope = fields.String(
        required=True,
        allow_none=True,
        validate=[validate.Length(1, scopes.SCOPE_MAX_BYTES), _scope],
        metadata={"pattern": r"^[a-z][a-z0-9]*([._-][a-z0-9]+)*$"},
    )


class OutcomeAsked(Asked):
    """What the shopper made of an item that is suggested on the card."""

    item = _name(required=True, metadata={"description": "the entry's `item`"})
    response = fields.Enum(Response, by_value=True, required=True)


class MuteAsked(Asked):
    """What the shopper wants no suggestion of any more."""

    what = fields.Enum(MuteKind, by_value=True, required=True)
    id = _name(required=True, metadata={"description": "of the item, or of a category or theme of it"})


class ItemAsked(Asked):
    """An item for a list of the member's own."""

    to = fields.Enum(ItemList, by_value=True, required=True)
    item = _name(required=True, metadata={"description": "its id in the catalog"})
    quantity = fields.Integer(strict=True, load_default=1, validate=validate.Range(1, MOST_PIECES))


class ItemSent(ItemAsked):
    """The same as a form of ours sends it: numbers are text there, and the words of the search come along."""

    quantity = fields.Integer(load_default=1, validate=validate.Range(1, MOST_PIECES))
    q = fields.String()


class CatalogAsked(Query):
    """What to look for."""

    q = _name(required=True, metadata={"description": "words of an item's name, or its id"})


class CatalogWanted(Query):
    """What is being typed."""

    q = fields.String(load_default="", validate=Utf8(_NAME_BYTES, 0))


class ColleagueShown(Shown):
    """Somebody who is signed in now."""

    associate = fields.String(required=True)
    name = fields.String(required=True)
    role = fields.String(required=True)


class FloorRoleShown(Shown):
    """A role that sees the floor."""

    id = fields.String(required=True)
    label = fields.String(required=True)


class ColleaguesShown(Shown):
    """To whom a visit can be handed over now."""

    associates = fields.List(fields.Nested(ColleagueShown), required=True)
    roles = fields.List(fields.Nested(FloorRoleShown), required=True)


class CatalogLineShown(Shown):
    """One item. `path`: its category from the widest to the narrowest."""

    item = fields.String(required=True)
    name = fields.String(required=True)
    path = fields.List(fields.String(), required=True)
    themes = fields.List(fields.String(), required=True)


class CatalogShown(Shown):
    """The first items found, by name."""

    items = fields.List(fields.Nested(CatalogLineShown), required=True)
