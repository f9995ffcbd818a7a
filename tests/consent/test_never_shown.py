"""What reaches, finds or numbers a person is told by a scope's id, however its words are divided, and by no more."""

import re
import tomllib
from pathlib import Path

import pytest

from consent import never_shown
from consent.never_shown import is_never_shown
from tests.strategies import SCOPES

TOP = Path(__file__).parents[2]
OF_THE_SPEC = (
    "name.first", "language", "size.shoe", "fit.jacket", "brand.liked", "colour.avoided", "diet", "accessibility",
    "wishlist", "basket.online", "history.online", "history.store", "returns", "service.open",
)  # fmt: skip


@pytest.mark.parametrize(
    "scope",
    ["email", "e-mail", "e_mail.work", "mail", "emailaddress", "private.email2", "phone", "phone-number", "telephone",
     "mobile", "cell.phone", "cell_no", "telefonnummer", "handy", "handy.nummer", "address", "address.home", "adresse",
     "home-address", "lieferadresse", "anschrift", "street", "strasse.1", "postcode", "plz", "birth.date", "birthday",
     "birthdate", "date.of.birth", "dob", "geburtstag", "geburts.datum", "iban", "member.number", "memberid",
     "customer-number", "customernumber", "kundennummer", "kunden.nr", "mitgliedsnummer", "card.number", "loyalty.id",
     "mac", "mac.address", "bluetooth", "bluetooth.name", "radio", "ble", "device.id", "phone.token"],
)  # fmt: skip
def test_what_reaches_finds_or_numbers_a_person_is_never_shown(scope: str) -> None:
    """In English and German, at any of its words, written together or apart."""
    assert is_never_shown(scope)


@pytest.mark.parametrize(
    "scope",
    ["headphones", "phonecase", "headdress", "salad.dressing", "membership.level", "member.since", "card",
     "size.macrame", "streetwear", "automobiles", "handmade", "radiator", "coffee.no.sugar", "ideas", "store.number",
     "unheard.of"],
)  # fmt: skip
def test_other_words_that_look_alike_are_nothing_of_the_kind(scope: str) -> None:
    """A whole word counts, or how one begins; nothing in the middle of one."""
    assert not is_never_shown(scope)


def test_the_scopes_that_there_are_may_be_shown() -> None:
    """Those of the specification, the example, the demo, the tests' policies."""
    found = {*OF_THE_SPEC, *SCOPES}
    for path in ("examples/policy/policy.toml", "demo/shop/policy.toml", "tests/system/policy.toml"):
        found |= {one["id"] for one in tomllib.loads((TOP / path).read_text(encoding="utf-8"))["scopes"]}
    assert [one for one in sorted(found) if is_never_shown(one)] == []


def test_the_documentation_names_every_word() -> None:
    """`docs/policy.md` holds the closed list, and no word that is not in it."""
    text = (TOP / "docs" / "policy.md").read_text(encoding="utf-8")
    section = text.partition("### Scopes that are shown to nobody")[2].partition("\n## ")[0]
    listed = [set(re.findall(r"[a-z]+", line.partition(":")[2])) for line in section.splitlines() if line[:2] == "- "]
    assert listed == [
        set(never_shown._BEGIN), set(never_shown._WORDS), set(never_shown._NUMBERS) | set(never_shown._NUMBERED)
    ]  # fmt: skip
