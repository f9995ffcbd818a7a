"""Every sentence that the web app says, in one place; `{…}` is filled in by the page.

Pure: no I/O, no clock.
"""

from typing import Final

from wire.query import ReceiverState
from wire.sighting import RadioReason

ENGLISH: Final[dict[str, str]] = {
    "app.name": "Consentry",
    "app.needs_script": "This page needs JavaScript, from this store's own box only.",
    # pairing
    "pair.title": "Pair this tablet",
    "pair.text": "Ask a manager for a pairing code, or open the link behind its QR code on this tablet. A code works once, for one minute.",  # noqa: E501
    "pair.code": "Pairing code",
    "pair.label": "Name of this tablet (optional)",
    "pair.label_hint": "for example Shoes 2",
    "pair.submit": "Pair",
    "pair.wrong": "That code is not right, or it was used already. Ask for a new one.",
    # signing in
    "signin.title": "Sign in",
    "signin.name": "Your name",
    "signin.pin": "PIN",
    "signin.pin_entered": "{count} digits entered",
    "signin.erase": "Erase the last digit",
    "signin.submit": "Sign in",
    "signin.wrong": "That name and PIN do not go together.",
    "signin.throttled": "Too many attempts. Try again in {wait}.",
    # the bar
    "bar.sign_out": "Sign out",
    # the lease, in the bar
    "lease.fresh": "Up to date",
    "lease.no_word": "No word from headquarters since {time}",
    "lease.no_word_yet": "No word from headquarters",
    "lease.catching_up": "Catching up with headquarters",
    "lease.closes": "closes in {time}",
    # the floor
    "floor.title": "Floor",
    "floor.waiting": "Waiting for help",
    "floor.here": "Happy to be noticed",
    "floor.empty_title": "All quiet",
    "floor.empty_text": "Nobody is waiting. Shoppers who would like help appear here, and nobody else.",
    "floor.no_zone": "Somewhere in the store",
    "floor.helping": "{name} is helping",
    "floor.helping_me": "You are helping",
    "floor.radio": "The receiver in {zone} is out.",
    "floor.radios": "The receivers in {zones} are out.",
    "floor.radio_nowhere": "A receiver is out.",
    "floor.radio_listed": "Someone who left there may still be listed.",
    "floor.radio_blind": "Some calls may not show meanwhile.",
    "floor.announce": "Help is wanted: {zone}",
    "floor.pick_title": "Choose somebody on the left",
    "floor.pick_text": "You see what they share with you, and only that. Each look is noted, and they can read it.",
    # the card
    "card.back": "Floor",
    "card.region": "Card",
    "card.waiting": "Waiting {time}",
    "card.waiting_now": "Asked for help just now",
    "card.here": "Happy to be noticed",
    "card.lead": "Good to know",
    "card.more": "On request",
    "card.nothing": "No more than this is needed to help well. Ask, and listen.",
    "card.why": "Why am I shown this?",
    "card.why_purpose": "Shared for: {purpose}",
    "card.why_since": "since {date}",
    "card.why_until": "until {date}",
    "card.attend": "I’ll help",
    "card.done": "Help is done",
    "card.stop": "Stop sharing …",
    "card.taken": "{name} was first.",
    "card.quantity": "{count} ×",
    "card.returned": "returned",
    "section.preferences": "Sizes and preferences",
    "section.wishlist": "Wish list",
    "section.basket": "Online basket",
    "section.history": "Purchases",
    "section.service": "Service",
    "section.suggestions": "Suggestions",
    # stop sharing
    "stop.title": "Stop sharing",
    "stop.text": "If the shopper asks for it: it works at once, and cannot be undone from here. They can share again in their own app.",  # noqa: E501
    "stop.everything": "Everything",
    "stop.everything_text": "the card closes and they leave this list",
    "stop.one": "Only this",
    "stop.cancel": "Keep sharing",
    "stop.done": "Done. It is no longer shared.",
    "stop.done_all": "Done. Nothing of this shopper is shared any more.",
    # when there is nothing to show
    "dark.title": "The floor is closed",
    "dark.title_locked": "Locked",
    "dark.comes_back": "This page comes back by itself.",
    "dark.last_word": "Headquarters was last heard at {time}.",
    "dark.none": "Nothing may be shown now.",
    "dark.starting": "The store’s box has just started and waits for headquarters.",
    "dark.no-word": "No word from headquarters since {time}; closed until it is back. Nobody here can know what shoppers have withdrawn since.",  # noqa: E501
    "dark.no-word_yet": "No word from headquarters; closed until it is back.",
    "dark.catching-up": "Headquarters is back. The store is catching up.",
    "dark.quarantined": "The store’s copy does not match headquarters. It is tried again; tell the operator.",
    "dark.no-policy": "Headquarters has not sent this store’s rules yet.",
    "dark.refused": "Headquarters refused this store. Tell headquarters’ operator.",
    "dark.refused_more": "It opens when headquarters takes it back.",
    "dark.restored": "This box was restored from an old copy, or another has its name. Tell headquarters’ operator.",
    "dark.restored_more": "It opens when the operator has put it right.",
    "dark.keys-ended": "Headquarters’ keys have run out and must be renewed there.",
    "dark.hq-restored": "Headquarters itself was restored and is gathering what it missed.",
    "dark.disk": "The store’s box cannot write to its disk. Tell the operator.",
    "dark.disk_more": "It opens by itself when there is room again.",
    "dark.lockdown": "Headquarters has closed this store’s floor for now.",
    "dark.lockdown_more": "It opens when headquarters says so.",
    "dark.no-gateway": "The store’s box does not answer. It is probably starting.",
    "dark.locked": "Waiting for headquarters after a restart. It opens when headquarters sends the key.",
    "again.title": "Reconnecting",
    "again.text": "This page hears nothing from the store’s box, so it shows nothing. It tries again by itself.",
    # times and trouble
    "time.now": "just now",
    "time.minute": "1 min",
    "time.minutes": "{count} min",
    "time.hours": "{hours} h {minutes} min",
    "time.seconds": "{count} seconds",
    "trouble.network": "The store’s box does not answer. Try again.",
    "trouble.busy": "The store’s box is busy. Try again.",
    "trouble.other": "That did not work. Try again.",
    # the colours of signs
    "colour.red": "Red",
    "colour.orange": "Orange",
    "colour.yellow": "Yellow",
    "colour.green": "Green",
    "colour.cyan": "Cyan",
    "colour.blue": "Blue",
    "colour.violet": "Violet",
    "colour.white": "White",
}

# What a manager can do about a receiver, or ask the operator to do.
RADIO_REMEDIES: Final[dict[RadioReason, str]] = {
    RadioReason.NO_DBUS: "Ask the operator to start D-Bus on its box.",
    RadioReason.NO_BLUEZ: "Ask the operator to start Bluetooth on its box.",
    RadioReason.NO_PERMISSION: "Ask the operator: the program on its box may not use Bluetooth.",
    RadioReason.NO_RADIO: "Plug its Bluetooth stick in. If it is, ask the operator.",
    RadioReason.OTHER_RADIO: "Plug the right Bluetooth stick in, or ask the operator to name this one.",
    RadioReason.BLOCKED: "Unplug its Bluetooth stick and plug it in again. If that does not help, ask the operator.",
    RadioReason.BUSY: "Ask the operator: another program on its box uses the radio.",
    RadioReason.NO_ANSWER: "Ask the operator to restart Bluetooth on its box.",
    RadioReason.SILENT: "Unplug its Bluetooth stick and plug it in again. If that does not help, replace it.",
    RadioReason.FAILED: "Ask the operator to look into Bluetooth on its box.",
}
_ABSENT: Final[dict[ReceiverState, str]] = {
    ReceiverState.AWAY: "See that its box has power and network. If it has, ask the operator.",
    ReceiverState.NEVER_HEARD: "See that its box has power and network. Ask the operator whether its name is right.",
}


def remedy(state: ReceiverState, reason: RadioReason | None) -> str | None:
    """What to do about a receiver; None: nothing."""
    return _ABSENT.get(state) or (RADIO_REMEDIES[reason] if reason is not None else None)
