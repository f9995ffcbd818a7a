"""The sentences of the pages that depend on what is told: why it is dark, what went wrong, what helps a receiver.

All others stand in the templates. Each is marked here, and translated where it is said.

I/O: reads which language flask's current request wants.
"""

from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

from runtime.web_languages import gettext, mark
from tablet_api import forms
from tablet_api.errors import Problem, ProblemKind
from wire.policy import Section
from wire.query import DarkReason, Lease, Light, Outage, ReceiverState
from wire.sighting import RadioReason

# Who meets one of these has to do something before anything else, as this template says.
GATES: Final[dict[ProblemKind, str]] = {
    ProblemKind.UNPAIRED: "gate/pair.html",
    ProblemKind.SIGNED_OUT: "gate/sign_in.html",
    ProblemKind.LOCKED: "gate/locked.html",
    ProblemKind.OUTDATED: "gate/outdated.html",
}

_PROBLEMS: Final[dict[ProblemKind, str]] = {
    ProblemKind.NO_GATEWAY: mark("The store’s box does not answer. Try again."),
    ProblemKind.BUSY: mark("The store’s box is busy. Try again."),
    ProblemKind.THROTTLED: mark("The store’s box is busy. Try again."),
    ProblemKind.NOT_FOUND: mark("There is nothing to show here."),
    ProblemKind.FORBIDDEN: mark("Your role may not do that."),
    ProblemKind.DARK: mark("Nothing may be shown now."),
}
_OTHER: Final = mark("That did not work. Try again.")
_FIRST: Final = mark("%(name)s was first.")

_TIME: Final = mark("just now"), mark("1 min"), mark("{count} min"), mark("{hours} h {minutes} min")
_SECOND, _SECONDS = mark("{count} second"), mark("{count} seconds")
_CLOSES: Final = mark("closes in {time}")
_DIGIT, _DIGITS = mark("{count} digit entered"), mark("{count} digits entered")

COLOURS: Final[dict[str, str]] = {
    "red": mark("Red"),
    "orange": mark("Orange"),
    "yellow": mark("Yellow"),
    "green": mark("Green"),
    "cyan": mark("Cyan"),
    "blue": mark("Blue"),
    "violet": mark("Violet"),
    "white": mark("White"),
}
SECTIONS: Final[dict[Section, str]] = {
    Section.PREFERENCES: mark("Sizes and preferences"),
    Section.WISHLIST: mark("Wish list"),
    Section.BASKET: mark("Online basket"),
    Section.HISTORY: mark("Purchases"),
    Section.SERVICE: mark("Service"),
    Section.SUGGESTIONS: mark("Suggestions"),
}


def words() -> dict[str, str]:
    """What the page itself says between two words of the store's box: times, above all.

    `…-one` is the form that the page's language has for one; both of ours have it for the number 1 alone.
    """
    now, minute, minutes, hours = _TIME
    return {
        "now": gettext(now),
        "minute": gettext(minute),
        "minutes": gettext(minutes),
        "hours": gettext(hours),
        "seconds": gettext(_SECONDS),
        "seconds-one": gettext(_SECOND),
        "closes": gettext(_CLOSES),
        "digits": gettext(_DIGITS),
        "digits-one": gettext(_DIGIT),
        "network": gettext(_PROBLEMS[ProblemKind.NO_GATEWAY]),
    }


def of_problem(problem: Problem) -> str:
    """A sentence for who wanted something and did not get it."""
    if problem.kind is ProblemKind.TAKEN:
        return gettext(_FIRST, name=problem.attended_by or "")
    return gettext(_PROBLEMS.get(problem.kind, _OTHER))


def sign(colour: str | None, digits: str | None) -> str:
    """What a shopper's sign is called: `Orange 37`; empty where there is none."""
    return f"{gettext(COLOURS[colour])} {digits}" if colour in COLOURS else ""


def section(named: Section) -> str:
    """What a part of the card is called."""
    return gettext(SECTIONS[named])


def time(unix_ms: int, form: str) -> Markup:
    """An instant, to be written by the page in its own time zone as `form` says."""
    return Markup('<time datetime="{}" data-as="{}"></time>').format(forms.instant(unix_ms), form)


# --- the lease ------------------------------------------------------------------------------------------------------

_CATCHING_UP: Final = mark("Catching up with headquarters")
_NO_WORD: Final = mark("No word from headquarters since %(time)s")
_NO_WORD_YET: Final = mark("No word from headquarters")


def lease(held: Lease) -> Markup:
    """What is said once half of a lease is over."""
    if held.reason is DarkReason.CATCHING_UP:
        return escape(gettext(_CATCHING_UP))
    if held.last_word_ms is None:
        return escape(gettext(_NO_WORD_YET))
    return _with_time(_NO_WORD, held.last_word_ms)


def _with_time(sentence: str, unix_ms: int) -> Markup:
    return escape(gettext(sentence, time="\0")).replace("\0", time(unix_ms, "clock"))


@dataclass(frozen=True, slots=True)
class Calm:
    """A screen on which nobody stands: its drawing, what it says, and what ends it."""

    drawing: str
    title: str
    text: Markup
    more: Markup


_CLOSED: Final = mark("The floor is closed")
_LOCKED: Final = mark("Locked")
_COMES_BACK: Final = mark("This page comes back by itself.")
_LAST_WORD: Final = mark("Headquarters was last heard at %(time)s.")
_NO_WORD_SINCE: Final = mark(
    "No word from headquarters since %(time)s; closed until it is back. "
    "Nobody here can know what shoppers have withdrawn since."
)
_BOX_LOCKED: Final = mark("Waiting for headquarters after a restart. It opens when headquarters sends the key.")
_DARK: Final[dict[DarkReason, str]] = {
    DarkReason.NONE: mark("Nothing may be shown now."),
    DarkReason.STARTING: mark("The store’s box has just started and waits for headquarters."),
    DarkReason.NO_WORD: mark("No word from headquarters; closed until it is back."),
    DarkReason.CATCHING_UP: mark("Headquarters is back. The store is catching up."),
    DarkReason.QUARANTINED: mark("The store’s copy does not match headquarters. It is tried again; tell the operator."),
    DarkReason.NO_POLICY: mark("Headquarters has not sent this store’s rules yet."),
    DarkReason.REFUSED: mark("Headquarters refused this store. Tell headquarters’ operator."),
    DarkReason.RESTORED: mark(
        "This box was restored from an old copy, or another has its name. Tell headquarters’ operator."
    ),
    DarkReason.KEYS_ENDED: mark("Headquarters’ keys have run out and must be renewed there."),
    DarkReason.HQ_RESTORED: mark("Headquarters itself was restored and is gathering what it missed."),
    DarkReason.DISK: mark("The store’s box cannot write to its disk. Tell the operator."),
    DarkReason.LOCKDOWN: mark("Headquarters has closed this store’s floor for now."),
    DarkReason.NO_GATEWAY: mark("The store’s box does not answer. It is probably starting."),
}
_ENDS: Final[dict[DarkReason, str]] = {
    DarkReason.REFUSED: mark("It opens when headquarters takes it back."),
    DarkReason.RESTORED: mark("It opens when the operator has put it right."),
    DarkReason.DISK: mark("It opens by itself when there is room again."),
    DarkReason.LOCKDOWN: mark("It opens when headquarters says so."),
}


def dark(held: Lease) -> Calm:
    """Why the floor is closed, since when nothing was heard, and what ends it."""
    locked = held.light is Light.LOCKED and held.reason is DarkReason.STARTING
    heard_ms = held.last_word_ms
    said_already = held.reason is DarkReason.NO_WORD and heard_ms is not None
    text = escape(gettext(_BOX_LOCKED if locked else _DARK[held.reason]))
    if said_already and heard_ms is not None:
        text = _with_time(_NO_WORD_SINCE, heard_ms)
    ends = escape(gettext(_ENDS.get(held.reason, _COMES_BACK)))
    since = _with_time(_LAST_WORD, heard_ms) if heard_ms is not None and not said_already else Markup("")
    return Calm(
        "lock" if locked else "moon",
        gettext(_LOCKED if locked else _CLOSED),
        text,
        Markup(" ").join(part for part in (since, ends) if part),
    )


# --- receivers -------------------------------------------------------------------------------------------------------

_OUT: Final = mark("The receiver in %(zones)s is out.")
_OUT_SEVERAL: Final = mark("The receivers in %(zones)s are out.")
_OUT_NOWHERE: Final = mark("A receiver is out.")
_AND: Final = mark("%(several)s and %(last)s")
_LISTED: Final = mark("Someone who left there may still be listed.")
_BLIND: Final = mark("Some calls may not show meanwhile.")


def outage(radios: tuple[Outage, ...]) -> str:
    """Of receivers that do not hear: where, and what that means there. Of a blind zone nobody is listed."""
    listed = [one.zone_label for one in radios if not one.blind]
    blind = [one.zone_label for one in radios if one.blind]
    return " ".join([*_out(listed, _LISTED), *_out(blind, _BLIND)])


def _out(labels: list[str], meaning: str) -> list[str]:
    if not labels:
        return []
    zones = list(dict.fromkeys(label for label in labels if label))
    sentences = []
    if len(zones) > 1:
        every = gettext(_AND, several=", ".join(zones[:-1]), last=zones[-1])
        sentences.append(gettext(_OUT_SEVERAL, zones=every))
    elif zones:
        sentences.append(gettext(_OUT, zones=zones[0]))
    if "" in labels:
        sentences.append(gettext(_OUT_NOWHERE))
    return [*sentences, gettext(meaning)]


# What a manager can do about a receiver, or ask the operator to do.
RADIO_REMEDIES: Final[dict[RadioReason, str]] = {
    RadioReason.NO_DBUS: mark("Ask the operator to start D-Bus on its box."),
    RadioReason.NO_BLUEZ: mark("Ask the operator to start Bluetooth on its box."),
    RadioReason.NO_PERMISSION: mark("Ask the operator: the program on its box may not use Bluetooth."),
    RadioReason.NO_RADIO: mark("Plug its Bluetooth stick in. If it is, ask the operator."),
    RadioReason.OTHER_RADIO: mark("Plug the right Bluetooth stick in, or ask the operator to name this one."),
    RadioReason.BLOCKED: mark(
        "Unplug its Bluetooth stick and plug it in again. If that does not help, ask the operator."
    ),
    RadioReason.BUSY: mark("Ask the operator: another program on its box uses the radio."),
    RadioReason.NO_ANSWER: mark("Ask the operator to restart Bluetooth on its box."),
    RadioReason.SILENT: mark("Unplug its Bluetooth stick and plug it in again. If that does not help, replace it."),
    RadioReason.FAILED: mark("Ask the operator to look into Bluetooth on its box."),
}
_ABSENT: Final[dict[ReceiverState, str]] = {
    ReceiverState.AWAY: mark("See that its box has power and network. If it has, ask the operator."),
    ReceiverState.NEVER_HEARD: mark(
        "See that its box has power and network. Ask the operator whether its name is right."
    ),
}


def remedy(state: ReceiverState, reason: RadioReason | None) -> str | None:
    """What to do about a receiver; None: nothing."""
    sentence = _ABSENT.get(state) or (RADIO_REMEDIES[reason] if reason is not None else None)
    return None if sentence is None else gettext(sentence)
