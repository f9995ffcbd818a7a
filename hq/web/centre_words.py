"""The sentences of the preference centre that depend on what is told: what is shared, who looked, what a store did.

All others stand in the templates. A policy's own labels are said in the reader's language where a catalogue knows them.

I/O: reads which language flask's current request wants.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from hq.choices import Confirmed, Step
from hq.looks import WORDS as LOOK_REASONS
from hq.looks import Look
from hq.receipts import Receipt
from hq.web import centre_times
from runtime.web_languages import gettext, mark
from wire.member import Mode, NameChoice, SourceClass

# --- names that a policy gives ----------------------------------------------------------------------------------------

# What a scope is called in the middle of a sentence. One that is not here is named by its label.
_THINGS: Final[dict[str, str]] = {
    "name.first": mark("your first name"),
    "language": mark("the languages you speak"),
    "size.shoe": mark("your shoe size"),
    "size.top": mark("your size of tops"),
    "fit.jacket": mark("your fit of jackets"),
    "brand.liked": mark("the brands you like"),
    "colour.avoided": mark("the colours you avoid"),
    "diet": mark("your diet"),
    "accessibility": mark("what makes a visit easier for you"),
    "wishlist": mark("your wish list"),
    "basket.online": mark("your online basket"),
    "history.online": mark("what you bought online"),
    "history.store": mark("what you bought in stores"),
    "returns": mark("what you returned"),
    "service.open": mark("your open service case"),
    "suggestions": mark("suggestions for you"),
    "stage": mark("how far you are on the way to a purchase"),
    "cohort": mark("how you usually buy"),
}
_NAMED: Final = mark("“%(label)s”")
_LABELS: Final = (
    mark("First name"), mark("Language"), mark("Shoe size"), mark("Size of tops"), mark("Fit of jackets"),
    mark("Likes these brands"), mark("Avoids these colours"), mark("Diet"), mark("What makes a visit easier"),
    mark("Wish list"), mark("Online basket"), mark("Bought online"), mark("Bought in stores"), mark("Returned"),
    mark("Open service case"), mark("Suggestions"), mark("How far they are"), mark("How they buy"),
    mark("Associate"), mark("Stylist"), mark("Manager"),
    mark("Recognise me in this store"), mark("Show my preferences and history to the associate who helps me"),
    mark("Suggest things to me"), mark("Count my visit in statistics"), mark("Send me e-mail"),
    mark("Send me notices in the app"), mark("Send me text messages"), mark("Send me post"),
    mark("Use by brand partners"), mark("health"), mark("health or belief"),
)  # fmt: skip
_ROLES: Final[dict[str, str]] = {
    "associate": mark("an associate"),
    "stylist": mark("a stylist"),
    "manager": mark("a manager"),
    "cashier": mark("a cashier"),
}
_ROLE: Final = mark("somebody of the role “%(label)s”")
_AND: Final = mark("%(several)s and %(last)s")
_MORE: Final = mark("%(several)s and %(count)s more")
_MOST_LISTED: Final = 3


def label(text: str) -> str:
    """A label of a policy in the reader's language; as it stands where no catalogue knows it."""
    return gettext(text) if text else ""


def thing(scope: str, otherwise: str = "") -> str:
    """A scope in the middle of a sentence."""
    known = _THINGS.get(scope)
    return gettext(known) if known is not None else gettext(_NAMED, label=label(otherwise or scope))


def role(name: str, otherwise: str = "") -> str:
    """Somebody of a role, in the middle of a sentence."""
    known = _ROLES.get(name)
    return gettext(known) if known is not None else gettext(_ROLE, label=label(otherwise or name))


def listed(parts: Iterable[str], most: int | None = None) -> str:
    """A, B and C; or A, B, C and 4 more."""
    all_ = list(dict.fromkeys(parts))
    if most is not None and len(all_) > most + 1:
        return gettext(_MORE, several=", ".join(all_[:most]), count=len(all_) - most)
    if len(all_) < 2:
        return "".join(all_)
    return gettext(_AND, several=", ".join(all_[:-1]), last=all_[-1])


# --- the one sentence -------------------------------------------------------------------------------------------------

_NO_STORE: Final = mark("No store knows you. Staff do not see that you are there, and are shown nothing of yours.")
_NOT_RECOGNISED: Final = mark("You are recognised in no store, so staff are shown nothing of yours.")
_NO_PHONE: Final = mark("None of your phones may be recognised, so nothing of yours is shown in any store.")
_QUIET: Final = mark("You are on pause: staff are not told that you are there, and are shown nothing of yours.")
_HELP_BARE: Final = mark("In %(stores)s staff see you only once you ask for help. They see nothing else of yours.")
_HELP: Final = mark("In %(stores)s staff see you only once you ask for help. Then they may see %(things)s.")
_OPEN_BARE: Final = mark("In %(stores)s staff may see that you are there. They see nothing else of yours.")
_OPEN: Final = mark("In %(stores)s staff may see that you are there, and %(things)s.")
_PARTNERS: Final = mark("The use by brand partners is switched on: you agreed to it, and can stop it at any time.")


def shared(
    mode: Mode, has_stores: bool, has_phones: bool, stores: Sequence[str], things: Sequence[str], partners: bool
) -> str:
    """What is shared now, in a few sentences. `stores`: labels where the member may be recognised; `partners`: their
    use of it is allowed, which is about no store."""
    staff = _seen(mode, has_stores, has_phones, stores, things)
    return f"{staff} {gettext(_PARTNERS)}" if partners else staff


def _seen(mode: Mode, has_stores: bool, has_phones: bool, stores: Sequence[str], things: Sequence[str]) -> str:
    if not has_stores:
        return gettext(_NO_STORE)
    if not stores:
        return gettext(_NOT_RECOGNISED)
    if not has_phones:
        return gettext(_NO_PHONE)
    if mode is Mode.QUIET:
        return gettext(_QUIET)
    where = listed(stores, _MOST_LISTED)
    if not things:
        return gettext(_HELP_BARE if mode is Mode.HELP else _OPEN_BARE, stores=where)
    return gettext(_HELP if mode is Mode.HELP else _OPEN, stores=where, things=listed(things, _MOST_LISTED))


@dataclass(frozen=True, slots=True)
class Option:
    """One of a few that exclude each other. `value` is what a form sends."""

    value: str
    name: str
    about: str


_MODES: Final[dict[Mode, tuple[str, str]]] = {
    Mode.QUIET: (mark("Quiet"), mark("Nobody is told that you are here.")),
    Mode.HELP: (mark("On request"), mark("Staff see you only once you ask for help in the app.")),
    Mode.OPEN: (mark("Open"), mark("Staff may see that you are here.")),
}
_NAMES: Final[dict[NameChoice, tuple[str, str]]] = {
    NameChoice.NEVER: (mark("Never"), mark("Nobody is shown your name.")),
    NameChoice.INVITED: (mark("When we talk"), mark("Once you asked for help, or said who you are.")),
    NameChoice.ALWAYS: (mark("Always"), mark("Whenever staff may see you.")),
}


def modes() -> list[Option]:
    """The three positions of the switch."""
    return [Option(mode.name.lower(), gettext(name), gettext(about)) for mode, (name, about) in _MODES.items()]


def names() -> list[Option]:
    """When the first name may be shown."""
    return [Option(one.name.lower(), gettext(name), gettext(about)) for one, (name, about) in _NAMES.items()]


# --- what a store has confirmed ---------------------------------------------------------------------------------------

_STEPS: Final[dict[Step, str]] = {
    Step.CONFIRMED: mark("%(store)s confirmed your last choice on %(time)s."),
    Step.IN_STEP: mark("%(store)s has followed your last choice since %(time)s."),
    Step.DARK: mark("%(store)s shows nobody at the moment. It opens again only with your last choice."),
    Step.ON_THE_WAY: mark("Your last choice is on its way to %(store)s. It holds there by %(time)s at the latest."),
    Step.UNCHANGED: mark("Nothing of yours is at %(store)s."),
}


def confirmed(found: Confirmed, store: str, zone: str) -> str:
    """How far a store has caught up, and since when; `zone`: the time zone that the reader is told times in."""
    at_ms = found.until_ms if found.step is Step.ON_THE_WAY else found.at_ms
    said = centre_times.moment(at_ms, zone) if at_ms is not None else ""
    return gettext(_STEPS[found.step], store=store, time=said)


# --- where a value came from ------------------------------------------------------------------------------------------

_SOURCES: Final[dict[SourceClass, str]] = {
    SourceClass.ZERO: mark("Your own word"),
    SourceClass.FIRST: mark("From our own records"),
    SourceClass.SECOND: mark("From a partner"),
    SourceClass.THIRD: mark("From somebody else"),
}
_SURFACES: Final[dict[str, str]] = {
    "app": mark("in the app"),
    "preference-centre": mark("on this page"),
    "till": mark("at the till"),
    "purchases": mark("from your purchases"),
    "web-shop": mark("in the web shop"),
    "import": mark("brought over from another system"),
    "command": mark("entered by our staff"),
}
_COLLECTED: Final = mark("%(source)s, %(surface)s, on %(date)s")
_CONFIRMED: Final = mark("%(source)s, %(surface)s, on %(date)s; confirmed on %(again)s")


def source(class_: SourceClass, surface: str, collected_s: int, confirmed_s: int) -> str:
    """Of a value: whose word it is, where it was given, and when."""
    known = _SURFACES.get(surface)
    collected, again = centre_times.day(collected_s * 1000), centre_times.day(confirmed_s * 1000)
    return gettext(
        _COLLECTED if collected == again else _CONFIRMED,
        source=gettext(_SOURCES[class_]),
        surface=gettext(known) if known is not None else surface,
        date=collected,
        again=again,
    )


# --- receipts ---------------------------------------------------------------------------------------------------------

_BECAUSE: Final[dict[str, str]] = {
    "HELP": mark("because you had asked for help"),
    "OPEN": mark("because you had chosen to be seen there"),
}
_BECAUSE_OTHER: Final = mark("by the rules that you agreed to")
_SAW: Final = mark("On %(day)s at %(time)s %(role)s of the store %(store)s saw %(things)s, %(because)s.")
_SAW_THERE: Final = mark("On %(day)s at %(time)s %(role)s of the store %(store)s saw that you were there, %(because)s.")
_REFUSED: Final = mark("On %(day)s at %(time)s %(role)s of the store %(store)s wanted to look. Nothing was shown.")
_TOLD: Final = mark("On %(day)s at %(time)s in the store %(store)s: %(words)s.")
_INTRODUCED: Final = mark("you said who you are: your name may be shown on this visit")
_HANDED: Final = mark("your help was handed over to %(whom)s: %(why)s")
_HANDED_FORM: Final = re.compile(r"your help was handed over to (?:(a colleague)|the role (.+?)): (.+)")
_COLLEAGUE: Final = mark("a colleague")
_WHY_HANDED: Final = (
    mark("an expert is needed"), mark("it belongs to another part of the store"),
    mark("somebody speaks the language better"), mark("a break or the end of a shift"), mark("another reason"),
)  # fmt: skip


def receipt(found: Receipt, store: str, zone: str, scopes: dict[str, str], roles: dict[str, str]) -> str:
    """A receipt as a sentence. `scopes`, `roles`: the policy's labels by id."""
    if found.words:
        return gettext(_TOLD, **_place(found.at_ms, zone, store), words=_told(found.words))
    said = _place(found.at_ms, zone, store) | {"role": role(found.role, roles.get(found.role, ""))}
    if not found.shown:
        return gettext(_REFUSED, **said)
    because = gettext(_BECAUSE.get(found.reason, _BECAUSE_OTHER))
    things = [thing(one, scopes.get(one, "")) for one in found.scopes]
    if not things:
        return gettext(_SAW_THERE, **said, because=because)
    return gettext(_SAW, **said, things=listed(things), because=because)


def _place(at_ms: int, zone: str, store: str) -> dict[str, str]:
    return {"day": centre_times.weekday(at_ms, zone), "time": centre_times.clock(at_ms, zone), "store": store}


def _told(words: str) -> str:
    match = _HANDED_FORM.fullmatch(words)
    if match is None:
        return gettext(words)
    whom = gettext(_COLLEAGUE) if match[1] else role(match[2])
    return gettext(_HANDED, whom=whom, why=gettext(match[3]))


_SECTIONS: Final[dict[str, str]] = {
    "choices": mark("your choices"),
    "history": mark("when you chose what"),
    "receipts": mark("who looked at you"),
    "requests": mark("your requests"),
    "question": mark("your question"),
    "values": mark("your values"),
}
_LOOK_REASONS: Final = (
    mark("because you asked a question"), mark("because you asked for your data, or for its erasure"),
    mark("because of a complaint"), mark("to find out why something did not work"),
    mark("to check that your choices are kept"),
)  # fmt: skip
_LOOK: Final = mark("On %(day)s at %(time)s %(role)s at headquarters saw %(things)s, %(because)s.")
_TEAMS: Final[dict[str, str]] = {
    "privacy": mark("somebody who answers for privacy"),
    "operations": mark("somebody who keeps the systems running"),
    "integrator": mark("somebody who connects systems"),
}


def look(found: Look, zone: str) -> str:
    """A look at headquarters as a sentence."""
    team = _TEAMS.get(found.role)
    return gettext(
        _LOOK,
        day=centre_times.weekday(found.at_ms, zone),
        time=centre_times.clock(found.at_ms, zone),
        role=gettext(team) if team is not None else role(found.role),
        things=listed(gettext(_SECTIONS.get(one.value, one.value)) for one in found.sections),
        because=gettext(LOOK_REASONS[found.reason]),
    )
