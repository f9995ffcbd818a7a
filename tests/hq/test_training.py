"""Models of suggestions: learned from a view that names nobody, compared, published, rolled back, and left in time."""

import argparse
import json
import re
import secrets
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import select

from consent.suggest.model import WITHOUT_TABLES, Model
from hq import (
    collections,
    erasure,
    importer,
    membership,
    purchases,
    purchases_intake,
    records,
    systems,
    training,
    training_card,
    training_commands,
    training_job,
    training_versions,
)
from hq.alarms import Alarm, open_alarms, raise_
from hq.database import open_database, reading, writing
from hq.errors import Refused
from hq.learning import apart
from hq.learning.comparison import compare, groups
from hq.learning.errors import LearningFailed
from hq.learning.findings import EVERYBODY, Asked, Found, Group, Progress
from hq.learning.learn import Settings, tables
from hq.learning.purchases import History, laid_out
from hq.learning.study import study
from hq.purchases_told import Mark
from hq.systems import EVERY_BRAND, Right, System
from hq.systems_line import Line
from hq.training import DAY_MS
from hq.training_tables import trainings
from hq.training_versions import VersionKey
from hq.training_view import View, histories
from tests.hq.headquarters import DAY_S, STORE, Headquarters, on_sqlite
from wire import affinity
from wire.items import MuteKind
from wire.member import Muted
from wire.sync import Collection, instance

SHOP = System("shop", frozenset(Right), frozenset({EVERY_BRAND}), frozenset())
PEOPLE = 26
NAME, MAIL = "Xanthippe-Zwölfaxt", "canary@letters.example"
CATALOG = [
    *({"id": f"i-{number}", "name": f"Thing {number}", "path": ["All", f"c-{number % 4}"]} for number in range(16)),
    {"id": "test-kit", "name": "Test", "flags": ["never"]},
    {"id": "gin", "name": "Gin", "path": ["Spirits"]},
    {"category": "Spirits", "flags": ["only_if_bought"]},
]


def quietly(stage: str, done: int, of: int) -> None:
    """Nobody looks."""


def member(number: int, scopes: tuple[str, ...] = ("history.store", "history.online"), age: int = 18) -> bytes:
    """A line of the importer: somebody who lets things be suggested from what they bought."""
    grant = {"stores": [STORE], "roles": ["associate"], "until_days": 365}
    return json.dumps({
        "member": f"canary-member-{number}", "age_at_least": age, "jurisdiction": "DE", "chosen": 1_795_176_000,
        "phones": [secrets.token_hex(32)],
        "grants": [{"purpose": "presence", **grant}, {"purpose": "suggest", "scopes": list(scopes), **grant},
                   {"purpose": "assist", "scopes": ["name.first"], **grant}],
        "profile": {"name.first": {"value": f"{NAME} {number}", "collected": 1_795_176_000}},
    }).encode()  # fmt: skip


def bought(hq: Headquarters, number: int, days_ago: int, *items: str, **more: object) -> dict[str, object]:
    """A purchase, whose labels name somebody."""
    listed = [{"item": item, "label": f"for {NAME}, {MAIL}", "quantity": 1} for item in items]
    row = {"member": f"canary-member-{number}", "reference": f"{number}/{days_ago}/{items[0]}", "store": STORE,
           "at": hq.now_s - days_ago * DAY_S, "items": listed}  # fmt: skip
    return {name: value for name, value in (row | more).items() if value is not None}


def sent(hq: Headquarters, rows: list[dict[str, object]]) -> None:
    """All are taken."""
    lines = [Line(number, row) for number, row in enumerate(rows, 1)]
    assert not purchases_intake.take(hq.engine, hq.keys, SHOP, lines, hq.now_ms).refused


def things(number: int, visit: int) -> Iterator[str]:
    """What somebody buys: one of two kinds of things, others each time."""
    return (f"i-{8 * (number % 2) + (number + visit + place) % 8}" for place in range(5))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Headquarters]:
    """A folder with an HQ whose members buy what two kinds of people buy, and that HQ."""
    folder = tmp_path_factory.mktemp("training")
    hq = on_sqlite(folder)
    with writing(hq.engine) as connection:
        systems.add(connection, "shop", "", tuple(Right), [EVERY_BRAND], (), hq.now_ms)
    bodies = collections.catalog_lines(json.dumps(one).encode() for one in CATALOG)
    collections.publish(hq.engine, Collection.CATALOG, "main", bodies, hq.now_ms)
    with writing(hq.engine) as connection:
        collections.give(connection, STORE, Collection.CATALOG, "main")
    assert importer.run(hq.engine, hq.keys, map(member, range(PEOPLE)), hq.now_ms).taken == PEOPLE
    visits = [(number, visit) for number in range(PEOPLE) for visit in range(4)]
    sent(hq, [bought(hq, one, 10 * (visit + 1), *things(one, visit)) for one, visit in visits])
    hq.engine.dispose()
    return folder, hq


@pytest.fixture
def hq(filled: tuple[Path, Headquarters], tmp_path: Path) -> Iterator[Headquarters]:
    """A copy of it."""
    folder, made = filled
    for file in folder.iterdir():
        shutil.copyfile(file, tmp_path / file.name)
    found = made.copied(open_database(f"sqlite:///{tmp_path}/hq.db"))
    yield found
    found.engine.dispose()


@pytest.fixture(scope="module")
def studied(filled: tuple[Path, Headquarters], tmp_path_factory: pytest.TempPathFactory) -> tuple[Asked, Found]:
    """What is asked of them, and what is learned of it."""
    folder = tmp_path_factory.mktemp("studied")
    for file in filled[0].iterdir():
        shutil.copyfile(file, folder / file.name)
    hq = filled[1].copied(open_database(f"sqlite:///{folder}/hq.db"))
    asked = Asked(tuple(histories(view(hq).rows(VersionKey().person, lambda one, scope: None))))
    hq.engine.dispose()
    return asked, study(asked, quietly)


def view(hq: Headquarters) -> View:
    """What may be learned from now."""
    return View(hq.engine, hq.keys, "main", hq.now_ms)


def plain(asked: Asked, progress: Progress) -> Found:
    """Learns tables without weights, which is quick, and compares nothing."""
    listed = [History(tuple(items for _, items in one), tuple(day for day, _ in one)) for one in asked.histories]
    parts = affinity.encode(tables(laid_out(listed, 5), Settings(), progress))
    return Found(parts, parts, (), (len(listed),), None)


def in_store(hq: Headquarters) -> dict[bytes, bytes]:
    """The parts that stores are sent."""
    with reading(hq.engine) as connection:
        name = instance(Collection.AFFINITY, "main")
        keys = ["tables", *(f"tables-{number:04d}" for number in range(1, 9))]
        found = {key.encode(): records.body(connection, name, key.encode()) for key in keys}
    return {key: body for key, body in found.items() if body is not None}


def states(hq: Headquarters) -> list[str]:
    """Of all versions, the oldest first."""
    with reading(hq.engine) as connection:
        return [one.state.value for one in reversed(training_versions.listed(connection))]


def train(hq: Headquarters, learning: training.Learning = plain) -> training.Trained:
    """The command's work."""
    return training.train(hq.engine, hq.keys, "main", hq.now_ms, learning, quietly)


def tick(hq: Headquarters, days: float, learning: training.Learning = plain) -> list[training.Trained]:
    """Time goes on, and the job runs."""
    hq.now_ms += int(days * DAY_MS)
    return training_job.tick(hq.engine, hq.keys, lambda: hq.now_ms, learning)


def troubled(hq: Headquarters) -> dict[str, str]:
    """The details of the open alarms that a model leaves, by brand."""
    with reading(hq.engine) as connection:
        return {one.store: one.detail for one in open_alarms(connection) if one.alarm == Alarm.MODEL_LEAVES}


def test_the_view_has_three_columns_of_those_who_let_things_be_suggested(hq: Headquarters) -> None:
    """Gifts, what is not theirs, deleted or given back, flagged, unknown or muted is not in it; nor who withdrew or is
    too young, nor a list that was not granted."""
    with_returns = ("history.store", "history.online", "returns")
    lines = [member(100, with_returns), member(101, ("history.online",)), member(102), member(103)]
    assert importer.run(hq.engine, hq.keys, lines, hq.now_ms).taken == 4
    of = {"kind": "return", "of": {"reference": "returned", "store": STORE}}
    sent(hq, [
        bought(hq, 100, 20, "i-1", "i-2", "test-kit", "gin", "i-unknown"),
        bought(hq, 100, 20, "i-3", reference="online", store=None),
        bought(hq, 100, 15, "i-4", reference="gift"), bought(hq, 100, 14, "i-5", reference="not mine"),
        bought(hq, 100, 13, "i-6", reference="deleted"), bought(hq, 100, 12, "i-7", reference="returned"),
        bought(hq, 100, 5, "i-7", reference="r-1", **of), bought(hq, 100, 11, "i-8", reference="back"),
        bought(hq, 100, 4, "i-8", reference="r-2", kind="return"), bought(hq, 100, 10, "i-9", reference="muted"),
        bought(hq, 101, 9, "i-3", store=None), bought(hq, 102, 9, "i-1"), bought(hq, 103, 9, "i-1"),
    ])  # fmt: skip
    with writing(hq.engine) as connection:
        locked = membership.lock_by_id(connection, hq.keys.custody, ["canary-member-100"])
        ids = {one.said.reference: one.id for held in purchases.of_members(connection, locked).values() for one in held}
    purchases.mark(hq.engine, hq.keys, "canary-member-100", ids["gift"], "i-4", Mark.GIFT, hq.now_ms)
    purchases.mark(hq.engine, hq.keys, "canary-member-100", ids["not mine"], None, Mark.NOT_MINE, hq.now_ms)
    purchases.forget_one(hq.engine, hq.keys, "canary-member-100", ids["deleted"], hq.now_ms)
    hq.office.mute("canary-member-100", Muted(MuteKind.ITEM, "i-9"), hq.now_ms)
    hq.office.withdraw("canary-member-101", hq.now_ms, scopes=("history.online",))
    hq.office.withdraw("canary-member-102", hq.now_ms, purpose="suggest")
    hq.office.change_age("canary-member-103", 14, "DE", hq.now_ms)
    key, told = VersionKey(), set[bytes]()
    rows = list(view(hq).rows(key.person, lambda one, scope: told.add(key.granting(one, scope))))
    day = hq.now_s // DAY_S - 20
    ((reference, _),) = locked.items()
    found = [(one.item, one.day, one.basket) for one in rows if one.person == key.person(reference)]
    assert found == [("i-1", day, 0), ("i-2", day, 0), ("i-3", day, 1)]
    assert len({one.person for one in rows}) == PEOPLE + 1
    assert len(told) == PEOPLE + 2, "one for each member and scope"
    assert {one.person for one in rows}.isdisjoint(one.person for one in view(hq).rows(VersionKey().person, note))


def test_two_tills_of_one_visit_are_one_basket_over_midnight_too(hq: Headquarters) -> None:
    """By the day on which the occasion began, as the store counts it; twelve hours after its first it is another."""
    assert importer.run(hq.engine, hq.keys, [member(100)], hq.now_ms).taken == 1
    midnight_s = (hq.now_s // DAY_S - 20) * DAY_S
    times_s = {"one": -120, "two": 180, "three": 12 * 3_600}
    sent(hq, [bought(hq, 100, 20, "i-1", reference=one, at=midnight_s + at_s) for one, at_s in times_s.items()])
    with writing(hq.engine) as connection:
        locked = membership.lock_by_id(connection, hq.keys.custody, ["canary-member-100"])
    key = VersionKey()
    rows = [one for one in view(hq).rows(key.person, note) if one.person == key.person(next(iter(locked)))]
    day = midnight_s // DAY_S
    assert [(one.item, one.day, one.basket) for one in rows] == [
        ("i-1", day - 1, 0), ("i-1", day - 1, 0), ("i-1", day, 1)
    ]  # fmt: skip


def note(reference: bytes, scope: str) -> None:
    """Nobody is noted."""


def test_no_name_reaches_the_model_its_card_or_what_is_told(
    hq: Headquarters, studied: tuple[Asked, Found], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor an address, a label, an id, HQ's own name of a member, or a pseudonym; the model serves in the store."""
    asked, found = studied
    trained = train(hq, lambda asked, progress: found)
    assert trained.is_in_force and states(hq) == ["in-force"]
    sent_parts = in_store(hq)
    assert {name.decode(): body for name, body in sent_parts.items()} == found.parts
    model = affinity.decode(lambda name: sent_parts.get(name.encode()))
    assert model is not None and set(model.names) <= {f"i-{number}" for number in range(16)} and model.names
    _run(hq, "card")
    _run(hq, "list")
    said = capsys.readouterr()
    packed = b"".join(body for name, body in sorted(found.parts.items()) if name != affinity.HEAD)
    with reading(hq.engine) as connection:
        references = hq.keys.custody.references(connection, [f"canary-member-{number}" for number in range(PEOPLE)])
        row = connection.execute(select(trainings)).one()
    seen = [zlib.decompress(packed), repr(asked.histories).encode(), training_card.written(trained.card).encode(),
            said.out.encode(), said.err.encode(), *(one for one in row if isinstance(one, bytes))]  # fmt: skip
    for secret in (NAME.encode(), MAIL.encode(), b"canary-member", b"for Xan", *references.values()):
        assert all(secret not in one and secret.hex().encode() not in one for one in seen)
    assert "about 20 people" in said.out and not re.search(r"\b26\b", said.out), (
        "rounded, so that no two cards tell of one person"
    )
    assert "everybody" in said.out and "0.5: guessing" not in said.out, "too few for the test of who is in it"
    assert all(one.people >= 20 for one in found.groups)
    assert trained.card.items % 10 == 0 and trained.card.left_out % 10 == 0


def test_groups_are_named_by_their_edges_and_by_nobodys_own_number() -> None:
    """Neither the least that somebody bought nor the most is told; what follows begins where the one before ends."""
    sizes = [3, *range(7, 60, 2), 377]
    bought = [History((tuple(f"i-{number}" for number in range(size)), ("i-1",)), (1, 9)) for size in sizes]
    named = [(name, members) for name, members in groups(bought) if name.startswith("purchases: ")]
    assert named[0][0].startswith("purchases: up to ") and named[-1][0].endswith("and more")
    assert not any(one in name.split() for name, _ in named for one in ("3", "377"))
    edges = [list(map(int, re.findall(r"\d+", name))) for name, _ in named]
    assert all(after[0] == before[-1] + 1 for before, after in pairwise(edges))
    for (low, *high), (_, members) in zip(edges[1:-1], named[1:-1], strict=True):
        assert {sizes[at] for at in members} == {size for size in sizes if low <= size <= high[0]}
    assert [name for name, _ in groups([bought[0], bought[-1]]) if name.startswith("purchases")][-1].endswith(
        "and more"
    )


def test_a_model_by_which_a_group_fares_worse_is_refused(
    hq: Headquarters, studied: tuple[Asked, Found], capsys: pytest.CaptureFixture[str]
) -> None:
    """By everybody's last basket, beyond chance; the one in force stays and nothing of the other is kept. A model is no
    worse than itself."""
    asked, found = studied
    listed = [History(tuple(items for _, items in one), tuple(day for day, _ in one)) for one in asked.histories]
    twice = [one.before() for one in (*listed, *listed)]  # so that enough people stand behind each thing
    learned = tables(laid_out(twice, 10), Settings(), quietly)
    good = replace(learned, linear=affinity.column("f", list(WITHOUT_TABLES.linear)))
    upside_down = replace(good, linear=affinity.column("f", [-one for one in affinity.floats(good.linear)]),
                          trees=affinity.Trees(b"", b"", b"", b""))  # fmt: skip
    bad = Model.of(upside_down)
    assert not any(one.is_worse for one in compare(listed, Model.of(good), Model.of(good), quietly))
    groups = compare(listed, bad, Model.of(good), quietly)
    assert groups[0].is_worse and groups[0].high < 0 < groups[0].old
    train(hq, lambda asked, progress: found)
    before = in_store(hq)
    refused = train(hq, lambda asked, progress: replace(plain(asked, progress), groups=groups))
    assert not refused.is_in_force and "everybody" in refused.card.worse
    assert states(hq) == ["in-force", "refused"] and in_store(hq) == before
    with reading(hq.engine) as connection, pytest.raises(Refused):
        training_versions.tables(connection, hq.keys.custody, refused.card.number)
    _run(hq, "card")
    assert "worse" in capsys.readouterr().out


def test_too_few_people_teach_nothing(hq: Headquarters) -> None:
    """Below the least of a cluster it says so, and the try stands in the list; a first one is tried again by people."""
    for number in range(19, PEOPLE):
        hq.office.withdraw(f"canary-member-{number}", hq.now_ms, purpose="suggest")
    with pytest.raises(Refused, match="too_few") as refused:
        train(hq)
    assert "at least 20 members" in refused.value.hint and states(hq) == ["too-few"]
    assert not in_store(hq)
    assert not tick(hq, 31) and states(hq) == ["too-few"] and not troubled(hq)


def test_who_withdraws_leaves_the_tables_within_seven_days(hq: Headquarters) -> None:
    """On the fifth day a new model is learned without them, on the sixth every older one that has them is destroyed;
    one list withdrawn is enough."""
    train(hq)
    tick(hq, 1)
    hq.office.withdraw("canary-member-3", hq.now_ms + DAY_MS // 2, scopes=("history.store",))
    assert not tick(hq, 1) and states(hq) == ["in-force"]
    assert not tick(hq, 3.9)
    (found,) = tick(hq, 0.2)
    assert found.is_in_force and states(hq) == ["kept", "in-force"]
    with reading(hq.engine) as connection:
        new, old = training_versions.listed(connection)
        assert (old.gone_ms is not None, new.gone_ms) == (True, None)
    assert not tick(hq, 1) and states(hq) == ["out", "in-force"]
    with reading(hq.engine) as connection:
        row = connection.execute(select(trainings).where(trainings.c.number == 1)).one()
    assert (row.sealed_key, row.tables, row.people) == (None, None, None)
    with pytest.raises(Refused, match="unknown_version"):
        training.roll_back(hq.engine, hq.keys, "main", None, hq.now_ms)


def test_where_no_new_model_may_come_the_old_one_goes_all_the_same(hq: Headquarters) -> None:
    """What is refused on the fifth day raises an alarm; on the sixth day stores have no model. Another one is tried
    each day, and ends the alarm."""
    train(hq)
    erasure.erase(hq.engine, hq.keys, "canary-member-3", hq.now_ms)

    def worse(asked: Asked, progress: Progress) -> Found:
        return replace(plain(asked, progress), groups=(Group(EVERYBODY, 30, 0.1, 0.2, -0.15, -0.05),))

    def failing(asked: Asked, progress: Progress) -> Found:
        raise LearningFailed("no memory", "more")

    (refused,) = tick(hq, 5, worse)
    assert not refused.is_in_force and in_store(hq)
    with reading(hq.engine) as connection:
        assert [one.detail for one in open_alarms(connection)] == ["main: refused: 1 groups worse"]
    with pytest.raises(LearningFailed):
        tick(hq, 1, failing)
    assert states(hq) == ["out", "refused"] and not in_store(hq)
    with reading(hq.engine) as connection:
        assert [one.detail for one in open_alarms(connection)] == ["main: learning failed"]
    (found,) = tick(hq, 0.1)
    assert found.is_in_force and in_store(hq)
    with reading(hq.engine) as connection:
        assert not open_alarms(connection)
    assert not tick(hq, 29) and len(tick(hq, 1)) == 1, "and each thirty days in any case"


def test_what_one_brand_learns_ends_no_alarm_of_another(hq: Headquarters) -> None:
    """Each brand has its own, for what did not come and for what was taken out, and its own model alone ends it."""
    train(hq)
    training_job._tell(hq.engine, "other", hq.now_ms, "too_few")
    hq.now_ms += int(36 * DAY_MS)
    training_job.keep_lawful(hq.engine, hq.keys, "main", hq.now_ms)
    assert troubled(hq) == {"other": "other: too_few", "main": "main: 1 was taken out"}
    assert len(tick(hq, 1)) == 1
    assert troubled(hq) == {"other": "other: too_few"}


def test_an_alarm_ends_with_a_new_model_whoever_learned_it_and_whichever_build_raised_it(hq: Headquarters) -> None:
    """One of an earlier build stood for all brands: it goes on as the one brand's it speaks of, or ends where over."""
    train(hq)
    with writing(hq.engine) as connection:
        raise_(connection, Alarm.MODEL_LEAVES, "", hq.now_ms, "main: too_few")
    assert not tick(hq, 1) and troubled(hq) == {"main": "main: too_few"}
    with writing(hq.engine) as connection:
        raise_(connection, Alarm.MODEL_LEAVES, "", hq.now_ms, "gone: too_few")
    hq.now_ms += DAY_MS
    train(hq)
    assert not tick(hq, 1) and not troubled(hq), "people learned one, and of a brand without a model there is none"


def test_an_earlier_version_comes_back_unless_somebody_left_it_long_ago(hq: Headquarters) -> None:
    """A withdrawal of less than six days does not hinder it, and the days go on counting."""
    first = train(hq)
    before = in_store(hq)
    second = train(hq, lambda asked, progress: plain(Asked(tuple(one[:-1] for one in asked.histories)), progress))
    assert in_store(hq) != before
    assert training.roll_back(hq.engine, hq.keys, "main", None, hq.now_ms).number == first.card.number
    assert in_store(hq) == before and states(hq) == ["in-force", "kept"]
    hq.office.withdraw("canary-member-3", hq.now_ms, purpose="suggest")
    hq.now_ms += DAY_MS
    training.roll_back(hq.engine, hq.keys, "main", second.card.number, hq.now_ms)
    hq.now_ms += 6 * DAY_MS
    with pytest.raises(Refused, match="withdrawn"):
        training.roll_back(hq.engine, hq.keys, "main", first.card.number, hq.now_ms)
    assert states(hq) == ["kept", "in-force"]


def test_what_members_deleted_leaves_with_the_model_on_day_36(hq: Headquarters) -> None:
    """Where each new model is refused people are told from the thirtieth day on; no old one comes back."""
    train(hq)

    def worse(asked: Asked, progress: Progress) -> Found:
        return replace(plain(asked, progress), groups=(Group(EVERYBODY, 30, 0.1, 0.2, -0.15, -0.05),))

    assert len(tick(hq, 30, worse)) == 1 and in_store(hq)
    with reading(hq.engine) as connection:
        assert [one.detail for one in open_alarms(connection)] == ["main: refused: 1 groups worse"]
    assert len(tick(hq, 5.9, worse)) == 1 and in_store(hq)
    with pytest.raises(Refused, match="unknown_version"):
        training.roll_back(hq.engine, hq.keys, "main", 2, hq.now_ms)
    tick(hq, 0.1, worse)
    assert states(hq)[0] == "out" and not in_store(hq)


def test_what_was_destroyed_meanwhile_is_not_put_in_force(hq: Headquarters) -> None:
    """A roll-back that read of it before is refused, and stores keep what they have; the job outlives that."""
    train(hq)
    train(hq)
    with reading(hq.engine) as connection:
        second, first = training_versions.listed(connection)
    with writing(hq.engine) as connection:
        training_versions.destroy(connection, first)
    with pytest.raises(Refused, match="unknown_version"), writing(hq.engine) as connection:
        training_versions.put_in_force(connection, first)
    assert states(hq) == ["out", "in-force"] and in_store(hq)
    with writing(hq.engine) as connection:  # as an older program left it
        connection.execute(training_versions._of(second.number).values(sealed_key=None, published_ms=None))
    assert not tick(hq, 0.1)
    with reading(hq.engine) as connection:
        assert [one.detail for one in open_alarms(connection)] == ["main: unknown_version"]


def test_what_learns_is_told_nothing_of_where_hq_keeps_its_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process inherits of the environment what its libraries read, and no open file but its end of the pair."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/hq")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    says = (
        "import os, sys; from multiprocessing.connection import Connection; asking = Connection(int(sys.argv[1]));"
        "told = [*map('='.join, os.environ.items()), *(os.readlink(f'/proc/self/fd/{one}') for one in range(3, 50)"
        " if os.path.exists(f'/proc/self/fd/{one}'))]; asking.recv(); [asking.send((one, 0, 0)) for one in told]"
    )
    monkeypatch.setattr(apart, "_LEARN", says)
    told: list[str] = []
    with Path(__file__).open(), pytest.raises(LearningFailed, match="ended without a model"):
        apart.study(Asked(()), lambda one, done, of: told.append(one))
    names = {one.partition("=")[0] for one in told if "=" in one}
    assert {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"} <= names <= {*apart._KEPT, "LC_CTYPE", "PWD", "SHLVL", "_"}
    assert "OMP_NUM_THREADS=1" in told
    assert not [one for one in told if one.startswith("/") and not one.startswith("/dev/")]


@pytest.mark.long
def test_learning_in_a_process_of_its_own_finds_a_model(
    hq: Headquarters, studied: tuple[Asked, Found], capsys: pytest.CaptureFixture[str]
) -> None:
    """The command waits for it, and tells how far it is; one that fails there says so here."""
    asked, found = studied
    stages: set[str] = set()
    there = apart.study(asked, lambda stage, done, of: stages.add(stage))
    here, model = affinity.decode(found.parts.get), affinity.decode(there.parts.get)
    assert here is not None and model is not None and model.names == here.names
    assert [(one.name, one.people) for one in there.groups] == [(one.name, one.people) for one in found.groups]
    assert {"tables", "comparison"} <= stages
    assert training_commands.PART.runs["train", ""](hq.office, _chosen(), hq.now_ms) == 0
    said = capsys.readouterr()
    assert "model 1 is in force" in said.out and "comparison" in said.err and in_store(hq)
    with pytest.raises(LearningFailed, match="ended without a model"):
        apart.study(Asked((((2, ("i-1",)), (1, ("i-2",))),)), quietly)


def _run(hq: Headquarters, action: str) -> None:
    training_commands.PART.runs["train", action](hq.office, _chosen(), hq.now_ms)


def _chosen() -> argparse.Namespace:
    return argparse.Namespace(brand=None, version=None)
