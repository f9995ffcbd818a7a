"""What members bought: taken from other systems with consent, marked by the member, told to stores as values."""

import json
from collections.abc import Iterable
from dataclasses import replace

import pytest

from hq import (
    erasure,
    membership,
    purchases,
    purchases_intake,
    purchases_tables,
    rights,
    systems,
    systems_intake,
    systems_merge,
)
from hq.custody import Seal
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.purchases_told import Bought, Held, Kind, Mark, Purchase, fields
from hq.systems import EVERY_BRAND, Right, System
from hq.systems_intake import Report
from hq.systems_line import Line
from tests.hq.headquarters import DAY_S, STORE, Headquarters, example_policy
from wire import schema
from wire.member import Field, Item, Value

pytestmark = pytest.mark.usefixtures("shop")


@pytest.fixture
def shop(hq: Headquarters) -> None:
    """The system that sends."""
    with writing(hq.engine) as connection:
        systems.add(connection, "shop", "", tuple(Right), [EVERY_BRAND], (), hq.now_ms)


SHOP = System("shop", frozenset(Right), frozenset({EVERY_BRAND}), frozenset())


def sent(hq: Headquarters, rows: Iterable[object], system: System = SHOP) -> Report:
    """The rows as one call."""
    lines = [Line(number, row) for number, row in enumerate(rows, 1)]
    take = lambda batch: purchases_intake.take(hq.engine, hq.keys, system, batch, hq.now_ms)  # noqa: E731
    return systems_intake.run(hq.engine, system.id, "purchases", lines, take, hq.now_ms)


def bought(hq: Headquarters, member: str, reference: str, item: str, **more: object) -> dict[str, object]:
    """A purchase in the store."""
    items = [{"item": item, "label": f"A {item}", "quantity": 1}]
    row = {"member": member, "reference": reference, "store": STORE, "at": hq.now_s - DAY_S, "items": items}
    return {name: value for name, value in (row | more).items() if value is not None}


def shown(hq: Headquarters, member: str) -> dict[str, list[tuple[str, bool]]]:
    """What the store holds of the member's lists: item and whether it came back."""
    found = hq.record(member)
    fields: tuple[Field, ...] = () if found is None else found.fields
    return {one.scope: [(each.item, each.returned) for each in one.value.items or ()] for one in fields}


def held(hq: Headquarters, member: str) -> list[Held]:
    """What HQ holds."""
    with writing(hq.engine) as connection:
        locked = membership.lock_by_id(connection, hq.keys.custody, [member])
        return [one for found in purchases.of_members(connection, locked).values() for one in found]


def test_a_purchase_reaches_the_stores_lists_and_a_return_points_at_it(hq: Headquarters) -> None:
    """With where it came from and when; what came back says so, in its own list too."""
    hq.join("m-1", "history.store", "history.online", "returns", "service.open")
    back = bought(hq, "m-1", "2", "boots", kind="return", of={"reference": "1", "store": STORE}, at=hq.now_s)
    case = {"member": "m-1", "reference": "R", "kind": "service", "store": STORE, "at": hq.now_s, "subject": "Heel"}
    rows = [bought(hq, "m-1", "1", "boots"), bought(hq, "m-1", "1", "scarf", store=None), back, case]
    report = sent(hq, rows)
    assert (report.taken, report.new, report.refused) == (4, 4, ())
    lists = shown(hq, "m-1")
    assert lists["history.store"] == lists["returns"] == [("boots", True)]
    assert lists["history.online"] == [("scarf", False)]
    found = hq.record("m-1")
    assert found is not None
    (open_case,) = [one for one in found.fields if one.scope == "service.open"]
    assert (open_case.value.texts, open_case.surface, open_case.collected_s) == (("Heel",), "purchases", hq.now_s)
    assert sent(hq, [case | {"open": False}]).new == 1
    assert "service.open" not in shown(hq, "m-1")
    hq.check()


def test_what_the_member_marked_survives_the_same_file_again(hq: Headquarters) -> None:
    """A gift and what is not theirs are in no list, before and after."""
    hq.join("m-1", "history.store")
    rows = [bought(hq, "m-1", str(number), item) for number, item in enumerate(("boots", "scarf", "hat"))]
    sent(hq, rows)
    ids = {one.said.lines[0].item: one.id for one in held(hq, "m-1")}
    purchases.mark(hq.engine, hq.keys, "m-1", ids["scarf"], "scarf", Mark.GIFT, hq.now_ms)
    purchases.mark(hq.engine, hq.keys, "m-1", ids["hat"], None, Mark.NOT_MINE, hq.now_ms)
    assert shown(hq, "m-1") == {"history.store": [("boots", False)]}
    changed = bought(hq, "m-1", "1", "scarf", at=hq.now_s)
    assert sent(hq, [rows[0], changed, rows[2]]).new == 1
    assert shown(hq, "m-1") == {"history.store": [("boots", False)]}
    purchases.mark(hq.engine, hq.keys, "m-1", ids["scarf"], "scarf", None, hq.now_ms)
    assert [item for item, _ in shown(hq, "m-1")["history.store"]] == ["scarf", "boots"]


def test_one_purchase_is_deleted_for_good_and_the_others_stay(hq: Headquarters) -> None:
    """It is in no list, here, in the store or in a copy; no system brings it back, in a merged account neither."""
    hq.join("m-1", "history.store", "returns")
    hq.join("m-2", "history.store")
    back = bought(hq, "m-1", "3", "boots", kind="return", of={"reference": "1", "store": STORE}, at=hq.now_s)
    rows = [bought(hq, "m-1", "1", "boots"), bought(hq, "m-1", "2", "scarf"), back]
    sent(hq, rows)
    ids = {one.said.reference: one.id for one in held(hq, "m-1")}
    with pytest.raises(Refused) as found:
        purchases.forget_one(hq.engine, hq.keys, "m-2", ids["1"], hq.now_ms)
    assert found.value.reason is Reason.UNKNOWN_PURCHASE
    for reference in ("1", "3"):
        purchases.forget_one(hq.engine, hq.keys, "m-1", ids[reference], hq.now_ms)
    assert shown(hq, "m-1") == {"history.store": [("scarf", False)]}
    assert [one.said.reference for one in held(hq, "m-1")] == ["2"]
    changed = rows[0] | {"at": hq.now_s, "items": [{"item": "boots", "label": "Red boots", "quantity": 2}]}
    report = sent(hq, [changed, *rows])
    assert (report.new, [(one.line, one.field, one.reason) for one in report.refused]) == (
        0, [(line, "reference", Reason.DELETED) for line in (1, 2, 4)],
    )  # fmt: skip
    with writing(hq.engine) as connection:
        told = rights.export(connection, hq.keys, "m-1", hq.now_ms)
    assert "A scarf" in json.dumps(told) and "boots" not in json.dumps(told)
    assert {one["reference"] for one in told["purchases_deleted"]} == {"1", "3"}, "by what it would be known again"
    sent(hq, [bought(hq, "m-2", "1", "boots")])
    assert systems_merge.merge(hq.engine, hq.keys, "m-1", "m-2", hq.now_ms)
    assert [one.said.reference for one in held(hq, "m-2")] == ["2"], "who deleted it as m-1 has it no more"
    assert {one.reason for one in sent(hq, [bought(hq, "m-2", "1", "boots")]).refused} == {Reason.DELETED}
    hq.check()


@pytest.mark.parametrize("is_told_before", [True, False])
def test_what_came_back_of_a_deleted_purchase_reaches_no_store(hq: Headquarters, is_told_before: bool) -> None:
    """Told before or after, and for as long as the return is there; what came back of another purchase does."""
    hq.join("m-1", "history.store", "returns")
    of = lambda reference: {"kind": "return", "of": {"reference": reference, "store": STORE}}  # noqa: E731
    returns = [bought(hq, "m-1", "3", "boots", **of("1")), bought(hq, "m-1", "4", "scarf", **of("2"))]
    sent(hq, [bought(hq, "m-1", "1", "boots", at=hq.now_s - 9 * DAY_S), bought(hq, "m-1", "2", "scarf")])
    if is_told_before:
        sent(hq, returns)
    (boots,) = [one for one in held(hq, "m-1") if one.said.reference == "1"]
    purchases.forget_one(hq.engine, hq.keys, "m-1", boots.id, hq.now_ms)
    if not is_told_before:
        assert sent(hq, returns).new == 2
    assert shown(hq, "m-1") == {"history.store": [("scarf", True)], "returns": [("scarf", True)]}
    (back,) = [one for one in held(hq, "m-1") if one.said.reference == "3"]
    with reading(hq.engine) as connection:
        until = {one.id: one.until_ms for one in connection.execute(purchases_tables.purchases.select())}
    assert until[boots.id] >= until[back.id], "what is left of it, so that this stays so"


@pytest.mark.parametrize(
    ("label", "kept"),
    [("Alarm clock bakelike green", 128), ("A" * 60, 93)],
    ids=["usual", "long"],
)
def test_a_store_is_told_the_newest_lines_and_not_one_fewer_than_fit(label: str, kept: int) -> None:
    """Of names of common length all that a value holds; of others as many as fit, whatever is told of other lists."""

    def purchase(number: int, store: str) -> Held:
        lines = tuple(Bought(f"i-{number}-{each}", label, 2) for each in range(40))
        said = Purchase(str(number), Kind.PURCHASE, store, "shop", 1_790_000_000 - number * DAY_S, lines)
        return Held(number.to_bytes(16, "big"), said, {})

    def told(listed: list[Held]) -> Field:
        return fields(listed, Seal(bytes(32)), [example_policy().main], 1_790_000_000)["history.store"]

    in_store = [purchase(number, STORE) for number in range(5)]
    found = told(in_store)
    assert found == told([*in_store, *(purchase(number, "") for number in range(5, 9))])
    items = [one.item for one in found.value.items or ()]
    assert items == [f"i-{number // 40}-{number % 40}" for number in range(kept)]
    more = Item(f"i-{kept // 40}-{kept % 40}", label, found.collected_s, 2, False)
    longer = Value(items=(*(found.value.items or ()), more)) if kept < 128 else found.value
    assert (len(schema.encode(replace(found, value=longer))) > 7_680) is (kept < 128)


def test_without_purpose_or_live_grant_nothing_is_kept(hq: Headquarters) -> None:
    """Refused by name: no policy's purpose, no grant, a grant withdrawn, a store of another brand, nobody."""
    hq.join("m-1", "history.store")
    hq.join("m-2")
    other = System("shop", frozenset(Right), frozenset({"other"}), frozenset())
    rows = [bought(hq, "m-1", "1", "boots", store=None), bought(hq, "m-2", "1", "boots"), bought(hq, "m-9", "1", "a")]
    report = sent(hq, [*rows, bought(hq, "m-1", "1", "boots", store="paris-1")])
    assert [(one.line, one.field, one.reason) for one in report.refused] == [
        (1, "kind", Reason.NO_CONSENT),
        (2, "kind", Reason.NO_CONSENT),
        (3, "member", Reason.UNKNOWN_MEMBER),
        (4, "store", Reason.UNKNOWN_STORE),
    ]
    assert sent(hq, [bought(hq, "m-1", "1", "boots")], other).refused[0].reason is Reason.FORBIDDEN
    hq.office.withdraw("m-1", hq.now_ms, purpose="assist")
    assert sent(hq, [bought(hq, "m-1", "1", "boots")]).refused[0].reason is Reason.NO_CONSENT
    scopes = tuple(one for one in hq.draft.main.scopes if one.id != "history.store")
    hq.publish(scopes=scopes, lead=())
    assert sent(hq, [bought(hq, "m-1", "1", "boots")]).refused[0].reason is Reason.NO_PURPOSE
    assert held(hq, "m-1") == held(hq, "m-2") == []


def test_a_line_of_another_form_names_the_field(hq: Headquarters) -> None:
    """And not its value."""
    hq.join("m-1", "history.store")
    wrong: dict[str, dict[str, object]] = {
        "items": {"items": []},
        "items[0].quantity": {"items": [{"item": "a", "label": "A", "quantity": 0}]},
        "kind": {"kind": "gift"},
        "at": {"at": 2**39},
        "of": {"of": {"reference": "1"}},
        "open": {"open": True},
        "": {"colour": "red"},
        "reference": {"reference": 7},
        "items[0].label": {"items": [{"item": "a", "label": "\ud800"}]},
    }
    report = sent(hq, [bought(hq, "m-1", "1", "boots") | more for more in wrong.values()])
    assert [one.field for one in report.refused] == list(wrong)


def test_erased_and_outdated_purchases_are_gone(hq: Headquarters) -> None:
    """With their member, or when policy does not let HQ keep them any longer."""
    hq.join("m-1", "history.store")
    hq.join("m-2", "history.store")
    sent(hq, [bought(hq, "m-1", "1", "boots"), bought(hq, "m-2", "1", "boots")])
    erasure.erase(hq.engine, hq.keys, "m-2", hq.now_ms)
    with reading(hq.engine) as connection:
        assert len(connection.execute(purchases_tables.purchases.select()).all()) == 1
    hq.later(4_000 * DAY_S)
    assert held(hq, "m-1") == []
