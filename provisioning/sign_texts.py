"""What stands on the sign at a store's door, in each language and on each paper that there is.

PDF's own fonts write Latin-1 alone, so every text keeps to it: no typographic quotation marks, no long dashes.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Paper(StrEnum):
    """The sizes in which it can be had."""

    A4 = "a4"
    A5 = "a5"


@dataclass(frozen=True, slots=True)
class SignText:
    """One language's words. `ways`: how to leave, each a few words and then what to do."""

    heading: str
    about: str
    happens: tuple[str, ...]
    leave: str
    ways: tuple[tuple[str, str], ...]
    then: str
    page: str  # stands above the page's address


TEXTS: Final[dict[str, SignText]] = {
    "en": SignText(
        heading="You decide whether we recognise you",
        about="What happens in this store",
        happens=(
            (
                "If you use our app and have turned presence on in it, we recognise you here by a signal of your "
                "phone. Nobody else is recognised: without the app and without your yes, your phone tells us nothing."
            ),
            (
                "Our staff sees only what you agreed to share. Unless you chose otherwise, that is only once you ask "
                "for help in the app. In the pharmacy, fitting rooms and restrooms it sees nobody."
            ),
            "What was looked at, and when, you can read in the app afterwards.",
        ),
        leave="How to leave, at any time and at once",
        ways=(
            ("In the app.", "Choose quiet, or turn presence off for this store. Quiet works without a network, too."),
            (
                "By code.",
                (
                    "Open the page behind the QR code and enter the eight digits that the app shows under Leave. "
                    "You need not sign in."
                ),
            ),
            ("Ask us.", "Tell anybody of our staff. Where we do not see you, the eight digits are enough."),
        ),
        then="This visit then ends, and in this store you are no longer recognised until you allow it again. "
        "It has no disadvantage for you.",
        page="Leave by code:",
    ),
    "de": SignText(
        heading="Sie entscheiden, ob wir Sie erkennen",
        about="Was in diesem Geschäft geschieht",
        happens=(
            (
                "Wenn Sie unsere App nutzen und darin die Anwesenheit eingeschaltet haben, erkennen wir Sie hier an "
                "einem Funksignal Ihres Telefons. Sonst erkennen wir niemanden: Ohne App und ohne Ihr Ja sagt uns Ihr "
                "Telefon nichts."
            ),
            (
                "Unser Personal sieht nur, was Sie freigegeben haben. Wenn Sie nichts anderes gewählt haben, erst "
                "dann, wenn Sie in der App um Hilfe bitten. In Apotheke, Umkleiden und Toiletten sieht es niemanden."
            ),
            "Was wann angesehen wurde, können Sie danach in der App nachlesen.",
        ),
        leave="So beenden Sie das, jederzeit und sofort",
        ways=(
            (
                "In der App.",
                (
                    "Wählen Sie die Ruhe, oder schalten Sie die Anwesenheit für dieses Geschäft aus. Die Ruhe "
                    "funktioniert auch ohne Netz."
                ),
            ),
            (
                "Mit dem Code.",
                (
                    "Öffnen Sie die Seite hinter dem QR-Code und geben Sie die acht Ziffern ein, die Ihre App unter "
                    "Verlassen zeigt. Eine Anmeldung ist nicht nötig."
                ),
            ),
            (
                "Fragen Sie uns.",
                "Sagen Sie es jemandem vom Personal. Wo wir Sie nicht sehen, genügen die acht Ziffern.",
            ),
        ),
        then="Damit endet dieser Besuch, und in diesem Geschäft werden Sie nicht mehr erkannt, bis Sie es wieder "
        "erlauben. Nachteile haben Sie davon keine.",
        page="Mit dem Code verlassen:",
    ),
}
