"""The words of a suggestion, as people say them."""

from flask import Flask

from tablet_api import suggested_texts

GAPS = {1: "day", 2: "2 days", 7: "week", 10: "week", 11: "2 weeks", 62: "9 weeks", 63: "2 months"}


def test_a_gap_is_said_as_people_say_it(app: Flask) -> None:
    """Never "every 1 days" or "every 1 weeks"."""
    with app.test_request_context():
        for days, said in GAPS.items():
            assert suggested_texts.reason({"kind": "every", "number": days}) == f"Buys this about every {said}"


def test_a_theme_without_a_word_is_not_named(app: Flask) -> None:
    """Its id stays behind the button, and two such are one."""
    with app.test_request_context():
        found = suggested_texts.themes(["pets", "menopause", "of-another-kind"])
    assert found == {"Everything for pets": "pets", "Nothing of this kind": "menopause"}
