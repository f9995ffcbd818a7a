"""The mirror: exactly what an associate of a store would see of the member now, drawn as the tablet draws it.

I/O: answers HTTP requests (flask); sqlalchemy, by HQ's functions.
"""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from flask import Response, request

from hq import felt
from hq.felt import Line
from hq.mirror import Seen, mirror
from hq.web import asking, centre_concluded, centre_offers, centre_pages, centre_times, centre_who, pages, schemas
from hq.web.asking import Member
from hq.web.errors import Problem, ProblemKind
from runtime.web_languages import gettext, mark
from wire import query
from wire.policy import Section

ADDRESS: Final = "/centre/mirror"
NOTED: Final = mark("Thank you for telling us. We count it, and look into the rule behind it.")
NOTED_MUTED: Final = mark("Thank you for telling us. It is no longer suggested to you.")
_SECTIONS: Final[dict[Section, str]] = {
    Section.PREFERENCES: mark("Sizes and preferences"),
    Section.WISHLIST: mark("Wish list"),
    Section.BASKET: mark("Online basket"),
    Section.HISTORY: mark("Purchases"),
    Section.SERVICE: mark("Service"),
    Section.SUGGESTIONS: mark("Suggestions"),
}


class FeltAsked(schemas.Asked):
    """A line of a card that felt creepy."""

    store = schemas.text(40)
    scope = schemas.text(64)
    purpose = schemas.text(64)
    item = schemas.text(64, required=False, load_default=None)
    reason = schemas.text(64, required=False, load_default="")
    role = schemas.text(64, required=False, load_default="")
    zone = schemas.text(64, required=False, load_default="")


def make() -> pages.Part:
    """The pages."""
    part = centre_pages.Part("centre-mirror")

    @part.get("/centre/mirror")
    def shown() -> Response:
        """For one store, the first of the list where none is named; for any role, in any zone."""
        return _shown(centre_who.member(), *(request.args.get(one, "") for one in ("store", "role", "zone")))

    @part.post("/centre/mirror/felt")
    def creepy() -> Response:
        """That felt creepy."""
        who = centre_who.member()
        sent = pages.form(FeltAsked)
        line = Line(sent["store"], sent["scope"], sent["purpose"], sent["item"], reason=sent["reason"] or None)
        muted = felt.note(centre_who.counter(), who.id, line, asking.now_ms(), who.method)
        asked = {"store": line.store, "role": sent["role"], "zone": sent["zone"]}
        address = f"{ADDRESS}?{urlencode({name: value for name, value in asked.items() if value})}"
        return centre_pages.changed(address, NOTED_MUTED if muted else NOTED, lambda: _shown(who, **asked))

    return part


def _shown(who: Member, store: str = "", role: str = "", zone: str = "") -> Response:
    chosen = centre_who.standing(who)
    stores = [one for one in chosen.stores if one.added_ms is not None or one.recognised]
    wanted = store or next((one.store for one in stores if one.recognised), "")
    wanted = wanted or next((one.store for one in stores), "")
    if wanted and wanted not in {one.store for one in stores}:
        raise Problem(ProblemKind.NOT_FOUND)
    seen = None
    if wanted:
        with asking.reading() as connection:
            seen = mirror(
                connection, asking.parts().keys, who.id, wanted, asking.now_ms(), role=role or None, zone=zone or None
            )
    return centre_pages.page(
        "mirror",
        stores=[{"store": one.store, "label": one.label} for one in stores],
        store=wanted,
        role=seen.role if seen else "",
        zone=zone,
        roles=seen.roles if seen else (),
        zones=seen.zones if seen else (),
        walking=_seen(seen.walking) if seen and seen.walking else None,
        asked=_seen(seen.asked) if seen and seen.asked else None,
        same=bool(seen and seen.walking and seen.asked and _seen(seen.walking) == _seen(seen.asked)),
    )


def _seen(seen: Seen) -> dict[str, Any]:
    return {
        "name": seen.card.name,
        "help": seen.card.help,
        "zone": seen.row.zone_label,
        "lead": _lines(seen.card.lead),
        "sections": [
            {"name": part.value, "label": gettext(_SECTIONS[part]), "lines": _lines(lines)}
            for part, lines in seen.sections.items()
        ],
    }


def _lines(lines: Sequence[query.Line]) -> list[dict[str, Any]]:
    return [
        {
            "scope": line.scope,
            "label": line.label,
            "text": line.text,
            "purpose": line.why.purpose,
            "purpose_label": line.why.purpose_label,
            "since": centre_times.day(line.why.since_ms),
            "until": centre_times.day(line.why.until_ms),
            "entries": [
                {
                    "text": entry.text if entry.concluded is None else centre_concluded.because(entry.concluded),
                    "at": "" if entry.at_ms is None else centre_times.day(entry.at_ms),
                    "quantity": entry.quantity,
                    "returned": entry.returned,
                    "item": entry.item,
                    "reason": _reason(entry),
                    "because": "" if entry.suggested is None else centre_offers.because(entry.suggested),
                }
                for entry in line.entries
            ],
        }
        for line in lines
    ]


def _reason(entry: query.Entry) -> str:
    """The rule that brought a suggestion, what mattered most; empty: it is none that the store made."""
    told = entry.suggested
    return told.reasons[0].kind.value if told is not None and told.reasons else ""
