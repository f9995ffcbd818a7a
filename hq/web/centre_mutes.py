"""What a member wants no suggestion of any more: whole themes in one tap, and what was muted one by one.

I/O: answers HTTP requests (flask); sqlalchemy, by HQ's functions.
"""

from typing import Final

from flask import Response

from hq import choosing, themes
from hq.web import asking, centre_pages, centre_who, pages, schemas
from hq.web.asking import Member
from runtime.web_languages import gettext, mark
from wire.items import MuteKind
from wire.member import Muted

ADDRESS: Final = "/centre/mutes"
_MUTED: Final = mark("It is no longer suggested to you, in any store.")
_UNMUTED: Final = mark("It may be suggested to you again.")
# What people call a theme (wire.themes). Another is called by something that is of it, and never by its id.
THEMES: Final[dict[str, str]] = {
    "alcohol": mark("Everything with alcohol"),
    "baby": mark("All baby things"),
    "children": mark("Everything for children"),
    "christmas": mark("Everything for Christmas"),
    "easter": mark("Everything for Easter"),
    "fathers-day": mark("Everything for Father’s Day"),
    "fitness": mark("Everything for fitness"),
    "mothers-day": mark("Everything for Mother’s Day"),
    "pets": mark("Everything for pets"),
    "valentine": mark("Everything for Valentine’s Day"),
    "weight-loss": mark("Everything for losing weight"),
    "wedding": mark("Everything for weddings"),
}
_ALWAYS: Final = ("baby",)  # offered even where no catalog names it yet: it hurts when it comes too late
_LIKE: Final = mark("Everything like %(item)s")
_SOLD_NO_MORE: Final = mark("Something that is no longer sold")
_KINDS: Final[dict[MuteKind, str]] = {
    MuteKind.ITEM: mark("Item %(id)s"),
    MuteKind.CATEGORY: mark("Everything of %(id)s"),
}


class MuteAsked(schemas.Asked):
    """A mute, or its taking back."""

    kind = schemas.word(*(one.value for one in MuteKind))
    id = schemas.text(64)
    act = schemas.word("mute", "unmute")


def make() -> pages.Part:
    """The pages."""
    part = centre_pages.Part("centre-mutes")

    @part.get("/centre/mutes")
    def mutes() -> Response:
        """Themes first, then what else is muted."""
        return _listed(centre_who.member())

    @part.post("/centre/mutes")
    def choose() -> Response:
        """One tap each way."""
        who = centre_who.member()
        sent = pages.form(MuteAsked)
        muted = Muted(MuteKind(sent["kind"]), sent["id"])
        mutes = sent["act"] == "mute"
        act = choosing.mute if mutes else choosing.unmute
        act(centre_who.counter(), who.id, muted, asking.now_ms(), who.method)
        return centre_pages.changed(ADDRESS, _MUTED if mutes else _UNMUTED, lambda: _listed(who))

    return part


def _listed(who: Member) -> Response:
    standing = centre_who.standing(who).mutes
    with asking.reading() as connection:
        sold = themes.of(connection)
        known = themes.names(connection, [one.id for one in standing if one.what is MuteKind.ITEM])
    muted = {one.id for one in standing if one.what is MuteKind.THEME}
    called = {one: _theme(one, sold.get(one)) for one in {*_ALWAYS, *sold, *muted}}
    offered = sorted(called, key=lambda one: (one not in _ALWAYS, called[one].casefold(), one))
    return centre_pages.page(
        "mutes",
        themes=[{"id": one, "label": called[one], "muted": one in muted} for one in offered],
        others=[
            {"kind": one.what.value, "id": one.id, "label": known.get(one.id) or gettext(_KINDS[one.what], id=one.id)}
            for one in standing
            if one.what is not MuteKind.THEME
        ],
    )


def _theme(name: str, item: str | None) -> str:
    if name in THEMES:
        return gettext(THEMES[name])
    return gettext(_SOLD_NO_MORE) if item is None else gettext(_LIKE, item=item)
