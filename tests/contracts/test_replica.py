"""One suite over the replica in memory and the real one: what the gateway relies on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from consent.visit import NOTHING_DENIED, Denied
from store_gateway.errors import CacheError, CacheReason
from store_gateway.replica import Changes, Replica, Tablet
from tests.fakes.hq import STORE, TODAY, TODAY_MS, FakeHQ, Line
from tests.fakes.replica import FakeReplica
from tests.world import a_member, a_policy
from wire import schema, sync
from wire.catalog import CatalogItem
from wire.member import Member, Mode, Staff
from wire.policy import Policy
from wire.query import DarkReason, Light

ANN, BOB = bytes(range(16)), bytes(range(1, 17))
NOW_S = 1_000.0
NEW_TABLET = Tablet("tablet-1", bytes(32), "Shoes", "browser", 5)


class Side(Protocol):
    """A replica, and HQ's word to it."""

    @property
    def replica(self) -> Replica: ...
    def now_s(self) -> float: ...
    def policy(self, policy: Policy) -> Changes: ...
    def member(self, pseudonym: bytes, member: Member | None) -> Changes: ...
    def keys(self, day: int, pseudonym: bytes, keys: tuple[bytes, ...]) -> Changes: ...
    def staff(self, associate: str, staff: Staff | None) -> Changes: ...
    def sells(self, item: str, told: CatalogItem) -> None: ...


class Fake:
    """The one in memory."""

    def __init__(self) -> None:
        self.fake = FakeReplica(None, TODAY_MS - int(NOW_S * 1000))

    @property
    def replica(self) -> Replica:
        """Has the methods, not the base."""
        return self.fake  # type: ignore[return-value]

    def now_s(self) -> float:
        """The boot clock."""
        return NOW_S

    def _say(self, changes: Changes) -> Changes:
        return self.fake.on_payload(self.fake.say(changes), False, NOW_S)

    def policy(self, policy: Policy) -> Changes:
        """Both records."""
        return self._say(self.fake.put_policy(policy))

    def member(self, pseudonym: bytes, member: Member | None) -> Changes:
        """One record."""
        return self._say(self.fake.put_member(pseudonym, member))

    def keys(self, day: int, pseudonym: bytes, keys: tuple[bytes, ...]) -> Changes:
        """One bucket."""
        return self._say(self.fake.put_keys(day, pseudonym, keys))

    def staff(self, associate: str, staff: Staff | None) -> Changes:
        """One record."""
        return self._say(self.fake.put_staff(associate, staff))

    def sells(self, item: str, told: CatalogItem) -> None:
        """One item."""
        self.fake.shelf.items[item] = told


class Real:
    """The real one with an HQ in memory that speaks the real protocol."""

    def __init__(self, folder: Path) -> None:
        self.hq = FakeHQ()
        self.line = Line(Replica(STORE, folder / "cache.db", self.hq.box(), "test"), self.hq, NOW_S)
        self.line.up()
        self.line.run(1.0)

    @property
    def replica(self) -> Replica:
        """The real one."""
        return self.line.replica

    def now_s(self) -> float:
        """The boot clock."""
        return self.line.now_s

    def policy(self, policy: Policy) -> Changes:
        """Both records; a lease can begin then."""
        changes = self.line.tell(self.hq.policy(policy.main, policy.store))
        self.line.run(20.0)
        return changes

    def member(self, pseudonym: bytes, member: Member | None) -> Changes:
        """One record."""
        return self.line.tell(self.hq.member(pseudonym, member))

    def keys(self, day: int, pseudonym: bytes, keys: tuple[bytes, ...]) -> Changes:
        """One bucket."""
        return self.line.tell(self.hq.keys_of(day, [(pseudonym, keys)]))

    def staff(self, associate: str, staff: Staff | None) -> Changes:
        """One record."""
        return self.line.tell(self.hq.staff(associate, staff))

    def sells(self, item: str, told: CatalogItem) -> None:
        """One item of a catalog."""
        if "catalog/main" not in self.hq.instances:
            self.hq.add_instance(sync.Collection.CATALOG, "main")
            self.line.run(40.0)
        self.line.tell(self.hq.commit(("catalog/main", item.encode(), schema.encode(told))))


@pytest.fixture(params=["fake", "real"])
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Side]:
    """Each of the two."""
    found: Side = Fake() if request.param == "fake" else Real(tmp_path)
    yield found
    if isinstance(found, Real):
        found.replica.close()


def member(mode: Mode = Mode.OPEN) -> Member:
    """A member."""
    return a_member(TODAY_MS // 1000, mode, ("size.shoe",), "1")


def test_it_is_live_only_with_a_policy(side: Side) -> None:
    """Without a good pair of policy records nothing may be disclosed."""
    lease = side.replica.lease(side.now_s())
    assert (lease.light, lease.left_s) != (Light.LIVE, 0)
    assert not side.replica.live(side.now_s())
    changes = side.policy(a_policy())
    assert changes.policy
    assert side.replica.policy() == a_policy()
    assert side.replica.live(side.now_s())
    lease = side.replica.lease(side.now_s())
    assert (lease.light, lease.reason) == (Light.LIVE, DarkReason.NONE)
    assert 0 < lease.left_s <= lease.length_s


def test_trusted_time_goes_with_the_boot_clock(side: Side) -> None:
    """A second is a second."""
    now_ms = side.replica.trusted_ms(side.now_s())
    later_ms = side.replica.trusted_ms(side.now_s() + 7)
    assert now_ms is not None and later_ms is not None
    assert abs(later_ms - now_ms - 7_000) <= 1


def test_records_come_change_and_go(side: Side) -> None:
    """Each change names its member; who is gone is nobody."""
    assert side.replica.member(ANN) is None
    for one in (member(), member(Mode.HELP)):
        changes = side.member(ANN, one)
        assert ANN in changes.members
        assert dict(changes.modes) == {ANN: one.mode}
        assert side.replica.member(ANN) == one
        assert dict(side.replica.modes()) == {ANN: one.mode}
    changes = side.member(ANN, None)
    assert ANN in changes.members and changes.urgent
    assert dict(changes.modes) == {ANN: None}
    assert side.replica.member(ANN) is None
    assert dict(side.replica.modes()) == {}


def test_day_keys_are_told_by_member_and_by_day(side: Side) -> None:
    """Whose keys changed is said, so that a new phone is known at once."""
    for day in (TODAY, TODAY + 1):
        changes = side.keys(day, ANN, (bytes(16),))
        assert (changes.keyring_days, changes.keyed) == (frozenset({day}), frozenset({ANN}))
        assert dict(changes.buckets) == {(day, 0): ((ANN, (bytes(16),)),)}
        assert not (changes.anew or changes.days_gone)
    side.keys(TODAY, ANN, (bytes(16), bytes([1] * 16)))
    assert {TODAY, TODAY + 1} <= set(side.replica.key_days())
    assert dict(side.replica.day_keys(ANN)) == {TODAY: (bytes(16), bytes([1] * 16)), TODAY + 1: (bytes(16),)}
    assert side.replica.day_keys(BOB) == ()
    assert dict(side.replica.keyring(TODAY)) == {ANN: (bytes(16), bytes([1] * 16))}
    assert dict(side.replica.keyring(TODAY + 5)) == {}


def test_other_calls_may_come_between_the_slices(side: Side) -> None:
    """Gathering the keys goes on over changes."""
    for number in range(300):
        side.member(number.to_bytes(16, "big"), member())
    walking = side.replica.modes()
    seen = {next(walking)[0]}
    side.member(ANN, member())
    side.replica.tick(side.now_s())
    seen |= {pseudonym for pseudonym, _ in walking}
    assert seen >= {number.to_bytes(16, "big") for number in range(300)}


def test_staff_come_and_go(side: Side) -> None:
    """By id; deactivated staff is still told, as such."""
    for active in (True, False):
        changes = side.staff("ada", Staff("Ada", "advisor", "v", active))
        assert changes.staff == {"ada"}
        assert side.replica.staff("ada") == Staff("Ada", "advisor", "v", active)
    assert side.replica.staff("bo") is None


def test_a_denial_is_laid_over_at_once_and_over_later_records(side: Side) -> None:
    """One scope, then everything; the record itself stays as HQ said it."""
    side.member(ANN, member())
    assert side.replica.denied(ANN) == NOTHING_DENIED
    for scope, denied in (
        ("size.shoe", Denied(False, frozenset({"size.shoe"}))),
        (None, Denied(True, frozenset({"size.shoe"}))),
    ):
        changes = side.replica.deny(ANN, scope, sync.Withdrawal(scope, "ada", "tablet-1"), side.now_s())
        assert ANN in changes.members and changes.urgent
        assert side.replica.denied(ANN) == denied
        side.member(ANN, member())
        assert side.replica.denied(ANN) == denied
    assert side.replica.member(ANN) == member()
    assert side.replica.denied(BOB) == NOTHING_DENIED


def test_events_are_numbered_together(side: Side) -> None:
    """One transaction, rising numbers."""
    body = sync.Attendance("ada", sync.HelpStep.DONE)
    entry = (sync.EventKind.ATTENDANCE, ANN, body)
    first = side.replica.record(side.now_s(), entry)
    assert side.replica.record(side.now_s(), entry, entry) == first + 2


def test_tablets_are_known_by_their_secrets_hash(side: Side) -> None:
    """Kept, found, forgotten; forgetting twice is forgetting once."""
    assert side.replica.tablet(NEW_TABLET.secret_hash) is None
    side.replica.add_tablet(NEW_TABLET)
    assert side.replica.tablet(NEW_TABLET.secret_hash) == NEW_TABLET
    assert side.replica.tablets() == (NEW_TABLET,)
    for _ in range(2):
        side.replica.unpair(NEW_TABLET.id, side.now_s())
    assert side.replica.tablets() == ()


def test_noise_changes_nothing(side: Side) -> None:
    """What is wrong with a payload is never raised."""
    side.policy(a_policy())
    for noise in (b"", b"\xff" * 100, bytes(70_000)):
        changes = side.replica.on_payload(noise, True, side.now_s())
        assert not (changes.members or changes.policy or changes.staff or changes.keyring_days)
    assert side.replica.live(side.now_s())


def test_a_failed_write_keeps_nothing_and_is_raised() -> None:
    """In the fake as in the real one (whose disk is filled in its own tests)."""
    fake = Fake()
    fake.fake.fail = CacheReason.DISK_FULL
    with pytest.raises(CacheError):
        fake.replica.record(NOW_S, (sync.EventKind.ATTENDANCE, ANN, sync.Attendance("ada", sync.HelpStep.DONE)))
    with pytest.raises(CacheError):
        fake.replica.deny(ANN, None, sync.Withdrawal(None, "ada", "tablet-1"), NOW_S)
    assert fake.replica.failed() and not fake.replica.live(NOW_S)
    assert fake.replica.denied(ANN) == NOTHING_DENIED and not fake.fake.events


def test_the_fake_has_every_method_of_the_real_one() -> None:
    """Nothing that the gateway may call is missing."""
    public = {name for name in vars(Replica) if not name.startswith("_")} - {"close"}
    assert public <= set(dir(FakeReplica))


def test_what_the_store_sells_is_found_by_id_and_one_after_the_other(side: Side) -> None:
    """Each item once, and the stamp is another with each change and with nothing else."""
    side.policy(a_policy())
    shelf = side.replica.shelf
    assert (shelf.stamp(), shelf.item("sku-1"), list(shelf.walk())) == ((), None, [])
    stamps = [shelf.stamp()]
    for number in (1, 2):
        told = CatalogItem(f"Item {number}", ("shoes",), (), (), "", "")
        side.sells(f"sku-{number}", told)
        assert shelf.item(f"sku-{number}") == told
        assert shelf.stamp() == shelf.stamp()
        stamps.append(shelf.stamp())
    assert len(set(stamps)) == 3
    assert sorted(item for item, _ in shelf.walk()) == ["sku-1", "sku-2"]
    assert shelf.item("sku-3") is None


def test_a_mute_is_kept_with_what_stands_before_it(side: Side) -> None:
    """In one transaction: both events, or none and no mute."""
    side.policy(a_policy())
    side.member(ANN, member())
    outcome = sync.SuggestionOutcome("sku-1", sync.Response.NOT_FOR_ME, None)
    mute = sync.Mute(sync.MuteKind.ITEM, "sku-1", "ada", "tablet-1")
    changes = side.replica.mute(ANN, mute, side.now_s(), (sync.EventKind.OUTCOME, ANN, outcome))
    assert changes.members == {ANN}
    assert side.replica.denied(ANN).mutes == {(sync.MuteKind.ITEM, "sku-1")}
