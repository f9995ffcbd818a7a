"""What a manager's status page says of each state, in words.

Pure: no I/O, no clock.
"""

from collections.abc import Mapping
from math import ceil
from typing import Any, Final

from runtime.web_languages import gettext, mark
from wire.condition import Agreement, Room, Update
from wire.query import Light, ReceiverState
from wire.trust import CertificateSource

_LIGHT: Final[dict[Light, str]] = {
    Light.LIVE: mark("open"),
    Light.DARK: mark("dark"),
    Light.LOCKED: mark("locked"),
}
_RECEIVER: Final[dict[ReceiverState, str]] = {
    ReceiverState.HEARING: mark("hears"),
    ReceiverState.RECOVERING: mark("is starting again"),
    ReceiverState.ILL: mark("does not hear"),
    ReceiverState.AWAY: mark("does not report any more"),
    ReceiverState.NEVER_HEARD: mark("has not reported yet"),
}
_ROOM: Final[dict[Room, str]] = {
    Room.AMPLE: mark("enough room"),
    Room.LOW: mark("little room: tell the operator this week"),
    Room.FULL: mark("nearly full: tell the operator now"),
    Room.UNKNOWN: mark("not known"),
}
_AGREEMENT: Final[dict[Agreement, str]] = {
    Agreement.AGREES: mark("agrees with headquarters"),
    Agreement.UNCOMPARED: mark("not compared yet"),
    Agreement.FILLING: mark("is being filled"),
    Agreement.QUARANTINED: mark("does not agree; it is tried again by itself"),
}
_UPDATE: Final[dict[Update, str]] = {
    Update.CURRENT: mark("up to date"),
    Update.UNSAID: mark("headquarters asks for no particular release"),
    Update.BEHIND: mark("an update is waiting to be installed by the operator"),
    Update.AHEAD: mark("newer than headquarters asks for"),
    Update.RESTART: mark("an update is installed and holds after a restart"),
}
_CERTIFICATE: Final[dict[CertificateSource, str]] = {
    CertificateSource.HQ: mark("from headquarters"),
    CertificateSource.OWN: mark("of the store’s own authority"),
}

_DARK: Final = mark("dark for %(minutes)s min")
_NEVER_DARK: Final = mark("never dark")
_DELAYS: Final = mark("withdrawals dark after %(median)s s (half of them), %(worst)s s (the slowest)")
_FEW: Final = mark("fewer than ten withdrawals")


def of_day(day: Mapping[str, Any]) -> dict[str, str]:
    """What is said of a day of `FiguresShown`: how long it was dark, and how fast withdrawals took effect."""
    dark = gettext(_DARK, minutes=ceil(day["dark_s"] / 60)) if day["dark_s"] else gettext(_NEVER_DARK)
    if day["median_ms"] is None:
        return {"dark": dark, "delays": gettext(_FEW)}
    median, worst = (f"{day[name] / 1000:g}" for name in ("median_ms", "worst_ms"))
    return {"dark": dark, "delays": gettext(_DELAYS, median=median, worst=worst)}


def words() -> dict[str, dict[str, str]]:
    """All of them in the language that is asked for: by kind, then by the value that the schemas show."""
    kinds: dict[str, dict[str, str]] = {}
    for kind, sentences in (
        ("light", _LIGHT), ("receiver", _RECEIVER), ("room", _ROOM), ("agreement", _AGREEMENT), ("update", _UPDATE),
        ("certificate", _CERTIFICATE),
    ):  # fmt: skip
        kinds[kind] = {str(state.value): gettext(sentence) for state, sentence in sentences.items()}
    return kinds
