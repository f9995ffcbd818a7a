"""How a store becomes equal to HQ: in slices, going on where it was, never for ever, and at any rate of changes."""

from pathlib import Path

import pytest

from store_gateway.core.fill import FIRST_QUARANTINE_S, IN_FLIGHT
from store_gateway.errors import CacheError, CacheReason
from store_gateway.replica import Replica
from store_gateway.vault import Vault
from tests.fakes.hq import STORE, FakeHQ, Line, a_main_policy, a_member, a_store_policy
from wire import envelope, query, schema, sync, tree
from wire.catalog import CatalogGroup, CatalogItem, GroupKind, group_key
from wire.query import DarkReason, Light
from wire.sync import Collection, Kind

MEMBERS = f"members/{STORE}"
BODY = schema.encode(a_member())


@pytest.fixture
def hq() -> FakeHQ:
    """An HQ with a policy and 400 members, which sends few at a time."""
    found = FakeHQ(span_records=16)
    found.policy(a_main_policy(), a_store_policy())
    for number in range(400):
        found.commit((MEMBERS, number.to_bytes(16, "little"), BODY))
    return found


def begun(hq: FakeHQ, file: Path, now_s: float = 1_000.0) -> Line:
    """A box that starts on this cache file."""
    return Line(Replica(STORE, file, hq.box(), "test/1"), hq, now_s)


def the_vault(line: Line) -> Vault:
    """What is unlocked."""
    vault = line.replica._hq.vault
    assert vault is not None
    return vault


def counted(hq: FakeHQ, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many records each range had that HQ sends from now on."""
    sent: list[int] = []
    answer = hq.node

    def node(wanted: sync.Wanted) -> list[sync.Message]:
        said = answer(wanted)
        sent.extend(len(one.records) for one in said if isinstance(one, sync.RecordRange))
        return said

    monkeypatch.setattr(hq, "node", node)
    return sent


def ranges(payload: bytes) -> bool:
    """Whether a payload brings a range."""
    return envelope.parse(payload).header.kind is Kind.RANGE


# --- filling -------------------------------------------------------------------------------------------------------


def test_a_first_fill_asks_once_for_each_record(hq: FakeHQ, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than there are go over the wire, in few ranges, and each slice is one transaction."""
    sent = counted(hq, monkeypatch)
    line = begun(hq, tmp_path / "cache")
    line.up()
    assert line.live()
    assert sum(sent) == 400 + 2
    assert len(sent) * 4 < 402  # four records in a range and more; where the digests fall decides, mostly eight
    counters = line.replica.counters()
    assert counters["fill_slices"] <= len(sent)
    assert counters["stale"] == 0


def test_not_more_than_a_few_ranges_are_in_flight_or_wait(hq: FakeHQ, tmp_path: Path) -> None:
    """Four of at most 56 KiB, whatever HQ could send; while they wait to be applied nothing more is asked for."""
    line = begun(hq, tmp_path / "cache")
    line.replica.on_link(True, line.now_s)
    fill = None
    for _ in range(200):
        line.replica.tick(line.now_s)
        for payload in line.replica.outgoing():
            for answer in hq.answer(payload, line.now_ms):
                line.replica.on_payload(answer, False, line.now_s)
        fill = line.replica._hq.replication._fill
        assert len(fill._asked) + len(fill.pages) <= IN_FLIGHT
        if line.replica._hq.vault is not None and len(fill.pages) == IN_FLIGHT:
            break
        line.now_s += 0.2
    assert fill is not None
    assert len(fill.pages) == IN_FLIGHT
    assert IN_FLIGHT * tree.SPAN_BYTES <= 256 * 1024


@pytest.mark.parametrize("interruption", ["restart", "link", "full disk"])
def test_an_interrupted_fill_goes_on_where_it_was(
    hq: FakeHQ, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interruption: str
) -> None:
    """What is there already is not asked for again, but for what was under way."""
    line = begun(hq, tmp_path / "cache")
    seen = 0

    def carry(payload: bytes) -> bool:
        nonlocal seen
        seen += ranges(payload)
        return seen <= 18 or not ranges(payload)

    line.replica.on_link(True, line.now_s)
    line.run(1.0, carry=carry)
    held = the_vault(line).holdings.instances[MEMBERS].node.count
    assert 60 < held < 340
    sent = counted(hq, monkeypatch)
    match interruption:
        case "restart":
            line.replica.close()
            line = begun(hq, tmp_path / "cache", line.now_s + 1)
        case "link":
            line.down()
        case _:

            def full(*_: object) -> object:
                raise CacheError(CacheReason.DISK_FULL)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Vault, "apply_spans", full)
                line.run(6.0)
            assert line.replica.counters()["cache_failures"]
    line.up()
    line.run(10.0)
    assert line.live()
    assert sum(sent) <= 400 - held + 8 * 16 + 2


def test_what_changed_while_away_is_all_that_comes(hq: FakeHQ, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records and tombstones with a greater seq than what was proved equal; the roots prove that it was all."""
    line = begun(hq, tmp_path / "cache")
    line.up()
    line.down()
    for number in range(0, 400, 10):
        hq.commit((MEMBERS, number.to_bytes(16, "little"), BODY if number % 20 else None))
    sent = counted(hq, monkeypatch)
    line.run(300)
    line.up()
    line.run(5)
    assert line.live()
    assert sum(sent) == 40
    assert line.replica.member(bytes(16)) is None
    assert the_vault(line).holdings.instances[MEMBERS].node.count == 400 - 20


def test_a_copy_that_is_wrong_below_its_floor_is_found_and_not_refilled_for_ever(hq: FakeHQ, tmp_path: Path) -> None:
    """What came since is not enough then: the next round descends to what differs, and offers an older seq in vain."""
    line = begun(hq, tmp_path / "cache")
    line.up()
    key = (7).to_bytes(16, "little")
    hq.instances[MEMBERS].rows[key] = (3, schema.encode(a_member(jurisdiction="FR")))  # an HQ restored without a word
    line.run(200)
    assert line.replica.counters()["quarantined_now"] == 1
    hq.commit((MEMBERS, key, BODY))
    assert line.replica.upkeep(query.Task.RETRY, line.now_s)
    line.run(5)
    assert line.live()


# --- never for ever ------------------------------------------------------------------------------------------------


def lying(hq: FakeHQ, monkeypatch: pytest.MonkeyPatch, instance: str) -> None:
    """From now on HQ's root of one instance is not that of its records."""
    monkeypatch.setattr(hq.instances[instance], "node", lambda prefix=b"": tree.Node(1, 1))


def test_what_does_not_agree_is_quarantined_told_and_tried_again(
    hq: FakeHQ, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three rounds: dark with the reason, in the hello and the status; by itself after a minute and later."""
    line = begun(hq, tmp_path / "cache")
    line.up()
    hellos: list[sync.Hello] = []
    answer = hq._on_hello

    def on_hello(hello: sync.Hello, boot: bytes, now_ms: int) -> list[bytes]:
        hellos.append(hello)
        return answer(hello, boot, now_ms)

    monkeypatch.setattr(hq, "_on_hello", on_hello)
    rounds = line.replica.counters()["rounds"]
    lying(hq, monkeypatch, MEMBERS)
    line.run(200)
    lease = line.replica.lease(line.now_s)
    assert (lease.light, lease.reason) == (Light.DARK, DarkReason.QUARANTINED)
    assert hellos[-1].quarantined == (MEMBERS,)
    counters = line.replica.counters()
    assert (counters["quarantined_now"], counters["quarantined"]) == (1, counters["quarantined"])
    assert rounds + 3 <= counters["rounds"] <= rounds + 9
    line.run(3600, step_s=10)
    assert line.replica.counters()["rounds"] < rounds + 30, "never an endless refill"
    monkeypatch.undo()
    line.run(3600, step_s=10)
    assert line.live()
    assert line.replica.counters()["quarantined_now"] == 0


def test_an_operator_can_have_it_tried_at_once(hq: FakeHQ, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store need not wait for the hour to be over when HQ was put right."""
    line = begun(hq, tmp_path / "cache")
    lying(hq, monkeypatch, MEMBERS)
    line.up()
    line.run(FIRST_QUARANTINE_S * 40, step_s=2)
    assert line.replica.lease(line.now_s).reason is DarkReason.QUARANTINED
    monkeypatch.undo()
    assert line.replica.upkeep(query.Task.RETRY, line.now_s)
    line.run(5)
    assert line.live()


def test_what_does_not_gate_keeps_nobody_in_the_dark(
    hq: FakeHQ, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A catalog that does not agree is told and tried again; the floor stays open."""
    hq.add_instance(Collection.CATALOG, "main")
    line = begun(hq, tmp_path / "cache")
    lying(hq, monkeypatch, "catalog/main")
    line.up()
    line.run(120)
    assert line.live()
    assert line.replica.counters()["quarantined_now"] == 1


def test_catalog_and_affinity_are_held_like_the_others(hq: FakeHQ, tmp_path: Path) -> None:
    """An item decodes, a refused body is none, and a part of the model is bytes."""
    for collection in (Collection.CATALOG, Collection.AFFINITY):
        hq.add_instance(collection, "main")
    item = CatalogItem("Boot", ("Shoes", "Boots"), ("rain",), (), "", "https://example.org/1")
    hq.commit(("catalog/main", b"sku-1", schema.encode(item)), ("catalog/main", b"sku-2", b"\x80"))
    hq.commit(("affinity/main", b"part-1", b"model"))
    line = begun(hq, tmp_path / "cache")
    line.up()
    assert line.live()
    vault = the_vault(line)
    assert vault.catalog_item("sku-1") == item
    assert (vault.catalog_item("sku-2"), vault.catalog_item("sku-3")) == (None, None)
    assert (vault.affinity("part-1"), vault.affinity("part-2")) == (b"model", None)
    line.tell(hq.commit(("catalog/main", b"sku-1", None)))
    assert vault.catalog_item("sku-1") is None


def test_flags_of_categories_and_themes_hold_for_what_is_in_them_old_and_new(hq: FakeHQ, tmp_path: Path) -> None:
    """Of all catalogs together; a record that cannot be read is the strictest; what has no item's key is no item."""
    for name in ("drinks", "rest"):
        hq.add_instance(Collection.CATALOG, name)

    def item(*path: str, themes: tuple[str, ...] = (), flags: tuple[str, ...] = ("new",)) -> bytes:
        return schema.encode(CatalogItem("Item", path, themes, flags, "", ""))

    def group(what: GroupKind, name: str, *flags: str) -> tuple[bytes, bytes]:
        return group_key(what, name), schema.encode(CatalogGroup(what, name, flags))

    def flags(name: str) -> tuple[str, ...]:
        found = line.replica.shelf.item(name)
        assert found is not None and dict(line.replica.shelf.walk())[name] == found
        return found.flags

    wine = group(GroupKind.CATEGORY, "Wine", "adult", "new")
    hq.commit(("catalog/drinks", b"old", item("Drinks", "Wine")), ("catalog/drinks", *wine))
    hq.commit(("catalog/rest", *group(GroupKind.THEME, "feast", "only_if_bought")))
    line = begun(hq, tmp_path / "cache")
    line.up()
    assert line.live()
    assert flags("old") == ("new", "adult")
    line.tell(hq.commit(("catalog/drinks", b"later", item("Drinks", "Wine", themes=("feast",), flags=()))))
    assert flags("later") == ("adult", "new", "only_if_bought")
    line.tell(hq.commit(("catalog/rest", group_key(GroupKind.CATEGORY, "Drinks"), b"\x80")))
    assert flags("old") == ("new", "never", "adult")
    line.tell(
        hq.commit(("catalog/rest", group_key(GroupKind.CATEGORY, "Drinks"), None), ("catalog/drinks", wine[0], None))
    )
    assert flags("old") == ("new",)
    assert {name for name, _ in line.replica.shelf.walk()} == {"old", "later"}


def test_an_item_stands_where_it_or_its_narrowest_category_says(hq: FakeHQ, tmp_path: Path) -> None:
    """Of several catalogs the first that names a zone; a theme is nowhere."""
    for name in ("drinks", "rest"):
        hq.add_instance(Collection.CATALOG, name)

    def item(zone: str | None, *path: str) -> bytes:
        return schema.encode(CatalogItem("Item", path, ("feast",), (), "", "", zone))

    def group(what: GroupKind, name: str, zone: str | None) -> tuple[bytes, bytes]:
        return group_key(what, name), schema.encode(CatalogGroup(what, name, (), zone))

    items = {"own": item("till", "Drinks", "Wine"), "wine": item(None, "Drinks", "Wine"), "rum": item(None, "Drinks"),
             "rope": item(None)}  # fmt: skip
    hq.commit(*(("catalog/drinks", name.encode(), body) for name, body in items.items()))
    hq.commit(("catalog/drinks", *group(GroupKind.CATEGORY, "Wine", None)),
              ("catalog/drinks", *group(GroupKind.CATEGORY, "Drinks", "shelf")))  # fmt: skip
    hq.commit(("catalog/rest", *group(GroupKind.CATEGORY, "Wine", "cellar")),
              ("catalog/rest", *group(GroupKind.THEME, "feast", "hall")))  # fmt: skip
    line = begun(hq, tmp_path / "cache")
    line.up()
    assert line.live()
    found = {name: told.zone for name, told in line.replica.shelf.walk()}
    assert found == {"own": "till", "wine": "cellar", "rum": "shelf", "rope": None}


# --- leases --------------------------------------------------------------------------------------------------------


def test_leases_keep_coming_at_a_hundred_changes_a_second(hq: FakeHQ, tmp_path: Path) -> None:
    """HQ's root is as of some seq, the store has half a second's changes more and lacks the last ones under way."""
    line = begun(hq, tmp_path / "cache")
    line.up()
    rounds, leases = line.replica.counters()["rounds"], line.replica.counters()["leases"]
    under_way: list[bytes] = []
    for number in range(6_000):
        if number % 10 == 0:
            records = [hq.instances[MEMBERS].put((number % 400 + at).to_bytes(16, "little"), BODY) for at in range(10)]
            under_way.append(hq.say(sync.Records((sync.Part(MEMBERS, tuple(records)),))))
        if len(under_way) > 5:
            line.replica.on_payload(under_way.pop(0), False, line.now_s)
        if number % 10 == 9:
            line.run(0.1, step_s=0.1)
            assert line.live()
    assert line.replica.counters()["rounds"] == rounds
    assert line.replica.counters()["leases"] >= leases + 3


def test_a_stale_ticket_is_dark_loud_and_quiet_on_the_wire(hq: FakeHQ, tmp_path: Path) -> None:
    """It stays so until HQ gives a lease; hello is said about once a minute, and nothing else."""
    line = begun(hq, tmp_path / "cache")
    line.up()
    hq.refuse = sync.RefusalReason.STALE_TICKET
    line.run(30)
    assert line.replica.lease(line.now_s).reason is DarkReason.RESTORED
    line.replica.record(line.now_s, (sync.EventKind.PAIRING, None, sync.Pairing("tablet-1", True)))
    hellos, seen = hq.hellos, hq.events_seen
    line.run(600, step_s=1)
    assert hellos + 8 <= hq.hellos <= hellos + 2 * 13, "each with the challenge that it first needs"
    assert hq.events_seen == seen
    assert line.replica.lease(line.now_s).reason is DarkReason.RESTORED
    hq.refuse = None
    line.run(130, step_s=1)
    assert line.live()
    line.run(30)
    assert hq.events_seen > seen


# --- what goes -----------------------------------------------------------------------------------------------------


def test_a_large_instance_goes_in_slices(tmp_path: Path) -> None:
    """A day's keyring is gone for everybody at once, and its rows are erased some at a time."""
    hq = FakeHQ(span_records=4)
    hq.policy(a_main_policy(), a_store_policy())
    day = max(sync.parse_instance(name)[2] or 0 for name in hq.instances)
    name = sync.instance(Collection.KEYRING, STORE, day)
    for number in range(400):
        hq.commit((name, number.to_bytes(2, "big"), bytes(8_000)))
    line = begun(hq, tmp_path / "cache")
    line.up()
    held = the_vault(line).holdings.instances[name]
    hq.drop_day(day)
    slices = 0
    line.replica.on_link(True, line.now_s)
    while name in the_vault(line).holdings.instances:
        line.now_s += 1
        line.replica.tick(line.now_s)
        for payload in line.replica.outgoing():
            for answer in hq.answer(payload, line.now_ms):
                line.replica.on_payload(answer, False, line.now_s)
    connection = the_vault(line).holdings.cache._connection
    counted_rows = "select count(*) from records where instance = ?"
    before = connection.execute(counted_rows, (held.id,)).fetchone()[0]
    assert before == 400, "not while a lease is taken"
    while line.replica.work(64, line.now_s)[1]:
        left = connection.execute(counted_rows, (held.id,)).fetchone()[0]
        assert before - left <= 128
        before, slices = left, slices + 1
    assert before == 0
    assert slices > 10
