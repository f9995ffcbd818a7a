"""What is concluded of a shopper, in the words of the tablets and of the member's own mirror."""

import pytest
from flask import Flask

from hq.web import centre_concluded
from tablet_api import concluded_texts
from tablet_api.schemas import ConcludedShown
from wire.concluded import Cohort, Concluded, Evidence
from wire.suggestions import Stage

SAID = [
    (Concluded(Stage.CHOOSING, None, Evidence.BASKET_WEEK, 2), "Choosing",
     "Put 2 things into the online basket this week",
     "Wählt aus", "Diese Woche 2 Dinge in den Online-Warenkorb gelegt"),
    (Concluded(Stage.BUYING, None, Evidence.BASKET_LATELY, 1), "About to buy",
     "Put something into the online basket in the last two days",
     "Kurz vor dem Kauf", "In den letzten zwei Tagen etwas in den Online-Warenkorb gelegt"),
    (Concluded(Stage.CHOOSING, None, Evidence.HELP, None), "Choosing", "Asks for help", "Wählt aus", "Bittet um Hilfe"),
    (Concluded(None, Cohort.OFTEN, Evidence.PURCHASE_DAYS, 7), "Buys here often",
     "Bought on 7 days in the last three months", "Kauft hier oft",
     "Hat in den letzten drei Monaten an 7 Tagen gekauft"),
]  # fmt: skip


@pytest.mark.parametrize(("told", "what", "why", "german", "deutsch"), SAID)
def test_it_is_said_plainly_with_what_it_rests_on(
    app: Flask, told: Concluded, what: str, why: str, german: str, deutsch: str
) -> None:
    """In both languages, as the API says it."""
    said = ConcludedShown().dump(told)
    with app.test_request_context():
        assert (concluded_texts.concluded(said), concluded_texts.from_what(said)) == (what, why)
    with app.test_request_context(headers={"Accept-Language": "de"}):
        assert (concluded_texts.concluded(said), concluded_texts.from_what(said)) == (german, deutsch)


def test_every_conclusion_has_its_words_on_both_sides(app: Flask) -> None:
    """Of one thing and of several, with a number and without; the shopper is told the same as who helps them."""
    with app.test_request_context():
        for evidence in Evidence:
            for number in (None, 1, 7):
                for stage, cohort in ((Stage.AFTER, None), (None, Cohort.QUANTITY)):
                    told = Concluded(stage, cohort, evidence, number)
                    assert "%" not in concluded_texts.from_what(ConcludedShown().dump(told))
                    assert "%" not in centre_concluded.because(told)
        heads = {concluded_texts.concluded(ConcludedShown().dump(Concluded(one, None, Evidence.HELP, None)))
                 for one in Stage}  # fmt: skip
        heads |= {concluded_texts.concluded(ConcludedShown().dump(Concluded(None, one, Evidence.HELP, None)))
                  for one in Cohort}  # fmt: skip
        own = {centre_concluded.because(Concluded(one, None, Evidence.HELP, None)) for one in Stage}
        own |= {centre_concluded.because(Concluded(None, one, Evidence.HELP, None)) for one in Cohort}
    assert len(heads) == len(own) == len(Stage) + len(Cohort)
    assert all(one.endswith(": you ask for help") for one in own)
