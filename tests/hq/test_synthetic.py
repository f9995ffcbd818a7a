"""The synthetic member at HQ: its rounds by HQ's clock, what it leaves behind, and the alarm when it is not seen."""

import pytest
from sqlalchemy import Engine, func, insert, select, update

from hq import alarms, ledger, records, synthetic_reports
from hq.database import reading, writing
from hq.door import Grant
from hq.errors import Refused
from hq.synthetic import Rounds
from hq.synthetic_choices import member_of
from hq.synthetic_tables import synthetic_choices, synthetic_rounds
from hq.tables import consent_events, links
from tests.hq.headquarters import STORE, Headquarters
from wire import schema, synthetic
from wire.events import Event, EventKind, Seen, Synthetic
from wire.sync import Collection, instance
from wire.token import day_key

MEMBER = member_of(STORE)
WAIT_S = 120 + 5 + 60  # the example policy's lease and dwell, and what is spare


class Shop:
    """HQ with a store that has a lease all the time, and the verbs of its probe."""

    def __init__(self, hq: Headquarters) -> None:
        self.hq = hq
        self.rounds = Rounds(hq.engine, hq.office)
        self.number = 0
        self.leased()
        self.passes(1)

    def leased(self, for_s: int = 24 * 3600) -> None:
        """The store has a lease for so long."""
        row = {"store": STORE, "boot": bytes(16), "sealing_key": bytes(1216), "incarnation": bytes(16),
               "readiness": 2, "software": "test", "hello_ms": self.hq.now_ms, "dark_ms": 0,
               "lease_until_ms": self.hq.now_ms + for_s * 1000}  # fmt: skip
        row |= {one.name: "" if one.type.python_type is str else 0
                for one in links.columns if one.name not in row and not one.nullable}  # fmt: skip
        with writing(self.hq.engine) as connection:
            if connection.scalar(select(links.c.store)) is None:
                connection.execute(insert(links).values(row))
            else:
                connection.execute(update(links).values(lease_until_ms=row["lease_until_ms"]))

    def passes(self, seconds: int) -> None:
        """Time goes by in HQ's own steps of ten seconds."""
        for _ in range(max(1, seconds // 10)):
            self.hq.now_ms += 10_000 if seconds >= 10 else seconds * 1000
            self.rounds.tick(self.hq.now_ms)

    def until(self, present: bool) -> int:
        """Goes on until the member is granted, or withdrawn; returns when that was, in milliseconds."""
        for _ in range(1000):
            if (self.hq.record(MEMBER) is not None) is present:
                return self.hq.now_ms
            self.passes(10)
        raise AssertionError("it never was")

    def saw(self, seen: Seen, at_ms: int | None = None) -> None:
        """The probe's report came."""
        self.number += 1
        at_ms = self.hq.now_ms + 300 if at_ms is None else at_ms
        event = Event(self.number, EventKind.SYNTHETIC, at_ms, None, schema.encode(Synthetic(seen)))
        with writing(self.hq.engine) as connection:
            synthetic_reports.take(connection, STORE, [event])

    def alarm(self) -> str | None:
        """The detail of the open alarm."""
        with reading(self.hq.engine) as connection:
            found = [row.detail for row in alarms.open_alarms(connection)]
        return found[0] if found else None


@pytest.fixture
def shop(hq: Headquarters) -> Shop:
    """A store at noon."""
    return Shop(hq)


def test_a_round_that_is_seen_raises_nothing(shop: Shop) -> None:
    """Granted to its own role alone, seen, withdrawn, gone; the next one an hour after."""
    first_ms = shop.until(True)
    record = shop.hq.record(MEMBER)
    assert record is not None
    assert [one.roles for one in record.statements] == [(synthetic.ROLE,)]
    shop.saw(Seen.SHOWN)
    withdrawn_ms = shop.until(False)
    assert withdrawn_ms - first_ms <= (WAIT_S + 10) * 1000
    shop.saw(Seen.GONE)
    second_ms = shop.until(True)
    assert abs(second_ms - first_ms - 3_600_000) <= 10_000
    assert shop.alarm() is None


def test_its_phone_is_the_one_that_the_box_derives(shop: Shop) -> None:
    """The keyring holds the day key of the secret that follows from the members' digest key."""
    shop.until(True)
    found = shop.hq.instances()[instance(Collection.MEMBERS, STORE)]
    with reading(shop.hq.engine) as connection:
        key = records.keys_of(connection, found).digest_key
    day = shop.hq.now_s // 86_400
    assert shop.hq.day_keys(MEMBER) == (day_key(synthetic.phone_secret(key), day),)


def test_a_grant_that_is_not_seen_raises_an_alarm(shop: Shop) -> None:
    """The store said nothing: by HQ's own clock, when the withdrawal is due."""
    granted_ms = shop.until(True)
    shop.until(False)
    assert shop.hq.now_ms - granted_ms < 3_600_000
    assert shop.alarm() == f"the grant was not seen within {WAIT_S} s"


def test_a_withdrawal_that_is_not_seen_raises_an_alarm_in_under_an_hour(shop: Shop) -> None:
    """It was shown and still is, or nobody tells: the same alarm, once; it ends with the next good round."""
    shop.until(True)
    shop.saw(Seen.SHOWN)
    withdrawn_ms = shop.until(False)
    while shop.alarm() is None:
        shop.passes(10)
    assert shop.alarm() == f"the withdrawal was not seen within {WAIT_S} s"
    assert shop.hq.now_ms - withdrawn_ms < 3_600_000
    shop.until(True)
    shop.saw(Seen.SHOWN)
    shop.until(False)
    shop.saw(Seen.GONE)
    shop.passes(WAIT_S + 20)
    assert shop.alarm() is None


@pytest.mark.parametrize("word", [Seen.GONE, Seen.DARK])
def test_what_was_gone_before_the_withdrawal_proves_nothing(shop: Shop, word: Seen) -> None:
    """A visit that ended by itself, or a dark store that told of it earlier, is not the withdrawal's doing."""
    shop.until(True)
    shop.saw(Seen.SHOWN)
    shop.passes(60)
    shop.saw(word)
    shop.until(False)
    shop.passes(WAIT_S + 20)
    assert shop.alarm() == f"the withdrawal was not seen within {WAIT_S} s"


def test_a_store_that_goes_dark_in_time_hides_it_too(shop: Shop) -> None:
    """A dark floor shows nobody: the withdrawal is in force, if not the way it should."""
    shop.until(True)
    shop.saw(Seen.SHOWN)
    shop.until(False)
    shop.saw(Seen.DARK)
    shop.passes(WAIT_S + 20)
    assert shop.alarm() is None


def test_what_comes_back_after_the_withdrawal_is_not_gone(shop: Shop) -> None:
    """Gone and shown again before the time was over: not gone."""
    shop.until(True)
    shop.saw(Seen.SHOWN)
    shop.until(False)
    shop.saw(Seen.GONE)
    shop.saw(Seen.SHOWN)
    shop.passes(WAIT_S + 20)
    assert shop.alarm() is not None


def test_no_round_begins_without_a_lease_or_in_a_closed_store(shop: Shop) -> None:
    """There it cannot be seen, and the store's silence has an alarm of its own."""
    shop.leased(-10)
    shop.passes(2 * 3600)
    assert shop.hq.record(MEMBER) is None
    shop.leased()
    shop.until(True)
    shop.until(False)
    shop.hq.now_ms += 12 * 3_600_000  # past midnight
    shop.passes(2 * 3600)
    assert shop.hq.record(MEMBER) is None


def test_two_processes_take_each_step_once(engine: Engine, shop: Shop) -> None:
    """The second finds the step taken; one grant and one member stand there."""
    other = Rounds(engine, shop.hq.office)
    for _ in range(400):
        shop.hq.now_ms += 10_000
        shop.rounds.tick(shop.hq.now_ms)
        other.tick(shop.hq.now_ms)
        if shop.hq.record(MEMBER) is not None:
            break
    with reading(engine) as connection:
        kept = connection.scalar(select(func.count()).select_from(synthetic_choices))
        assert connection.scalar(select(func.count()).select_from(synthetic_rounds)) == 1
    assert kept == 2  # the mode and the grant


def test_it_leaves_nothing_in_the_ledger(shop: Shop) -> None:
    """What nobody chose is no consent event; its own rows are those of one round."""
    with reading(shop.hq.engine) as connection:
        before = connection.scalar(select(func.count()).select_from(consent_events))
    for _ in range(3):
        shop.until(True)
        shop.until(False)
    with reading(shop.hq.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(consent_events)) == before
        assert connection.scalar(select(func.count()).select_from(synthetic_choices)) == 3
        assert ledger.first_broken(connection) is None
    shop.hq.check()


def test_people_take_none_of_its_names(hq: Headquarters) -> None:
    """No member, associate, grant or policy of theirs uses the id or the role."""
    with pytest.raises(Refused):
        hq.office.add_member(MEMBER, 18, "DE", hq.now_ms)
    with pytest.raises(Refused):
        hq.office.add_staff(synthetic.ASSOCIATE, STORE, "Eve", "associate", "4711", hq.now_ms)
    with pytest.raises(Refused):
        hq.office.add_staff("eve", STORE, "Eve", synthetic.ROLE, "4711", hq.now_ms)
    hq.join("m-1")
    with pytest.raises(Refused):
        grant = Grant("presence", (STORE,), (synthetic.ROLE,), until_days=1, chosen_s=hq.now_s)
        hq.office.grant("m-1", grant, hq.now_ms)
