"""The real HQ and the real replica of a store, on a broker in memory that carries, loses, repeats and delays."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hq.outbox import Outbox
from hq.records import DOWN, NOW
from store_gateway.keys import BoxKeys
from store_gateway.replica import Replica
from tests.hq.headquarters import DAY_S, STORE, on_sqlite, text, texts
from wire import sync
from wire.keys import open_key_set
from wire.member import Member, Mode
from wire.query import Light
from wire.tree import Node

_BOOT_S = 1_000.0  # what the box's boot clock says when the test begins


class Shop:
    """One store's box beside HQ. `loses` decides of each payload, up or down, whether the broker loses it."""

    def __init__(self, folder: Path, loses: Callable[[], bool] = lambda: False) -> None:
        self.folder = folder
        self.hq = on_sqlite(folder)
        self.loses = loses
        self._skew_ms = self.hq.now_ms - int(_BOOT_S * 1000)
        root = self.hq.root.public_key()
        self.box = BoxKeys(self.hq.identity, secrets.token_bytes(32), root, open_key_set(root, self.hq.keys.key_set))
        self.lanes = {lane: Outbox(self.hq.engine, self.hq.sealer, lane, self._carry(lane)) for lane in (NOW, DOWN)}
        self.replica = self._make()

    def _make(self) -> Replica:
        return Replica(STORE, self.folder / "cache.db", self.box, "test", chance=lambda: 0.5)

    def close(self) -> None:
        """Lets go of the files."""
        self.replica.close()
        self.hq.engine.dispose()

    @property
    def now_s(self) -> float:
        """The boot clock."""
        return (self.hq.now_ms - self._skew_ms) / 1000

    def restart(self) -> None:
        """The box is started again: only what is on its disk is left."""
        self.replica.close()
        self.replica = self._make()
        self.replica.on_link(True, self.now_s)

    def _carry(self, lane: str) -> Callable[..., list[bool]]:
        def send(messages: list[tuple[str, bytes]]) -> list[bool]:
            for _, payload in messages:
                if not self.loses():
                    self.replica.on_payload(payload, lane == NOW, self.now_s)
            return [True] * len(messages)  # the acknowledgement proves nothing

        return send

    def carry(self) -> None:
        """Everything that waits on either side goes its way."""
        while said := self.replica.outgoing():
            for payload in said:
                if self.loses():
                    continue
                for reply in self.hq.answers.answer(payload, self.hq.now_ms):
                    if not self.loses():
                        self.replica.on_payload(reply.payload, False, self.now_s)
        for box in self.lanes.values():
            while box.drain(self.hq.now_ms)[0]:
                pass

    def run(self, seconds: float = 0.0, step_s: float = 1.0) -> None:
        """Lets time pass on both sides."""
        end_ms = self.hq.now_ms + int(seconds * 1000)
        while True:
            self.replica.tick(self.now_s)
            self.carry()
            while self.replica.work(1_000, self.now_s)[1]:
                self.carry()
            if self.hq.now_ms >= end_ms:
                return
            self.hq.later(step_s)

    def up(self) -> None:
        """The connection comes, and the store becomes live."""
        self.replica.on_link(True, self.now_s)
        for _ in range(60):
            self.run(1.0)
            if self.live():
                return
        raise AssertionError(f"not live: {self.replica.lease(self.now_s)} {self.replica.counters()}")

    def live(self) -> bool:
        """Whether the store may disclose."""
        return self.replica.lease(self.now_s).light is Light.LIVE

    def member(self, name: str) -> Member | None:
        """The member as the store holds it."""
        known_as = self.hq.pseudonym(name)
        return None if known_as is None else self.replica.member(known_as)

    def scopes(self, name: str) -> set[str]:
        """The scopes whose values the store could show: what it holds, less what was denied in the store."""
        found = self.member(name)
        if found is None:
            return set()
        denied = self.replica.denied(self.hq.pseudonym(name) or b"")
        return set() if denied.everything else {one.scope for one in found.fields} - denied.scopes

    def check(self) -> None:
        """Both sides hold exactly the same, and HQ's roots are those of its rows."""
        self.hq.check()
        vault = self.replica._hq.vault
        assert vault is not None
        held = {one.instance: Node(int.from_bytes(one.root, "little"), one.count) for one in vault.holdings.held()}
        assert held == {name: one.node for name, one in self.hq.instances().items()}


@pytest.fixture
def shop(tmp_path: Path):
    """A store and its HQ, not yet connected."""
    opened = Shop(tmp_path)
    yield opened
    opened.close()


def join(shop: Shop, *names: str) -> None:
    """Members who share shoe size and language."""
    for name in names:
        shop.hq.join(name, "size.shoe", "language")
        shop.hq.office.set_profile(
            name, [text("size.shoe", f"{name} 42"), texts("language", "de")], shop.hq.now_ms
        )  # fmt: skip


def test_a_first_fill_of_five_hundred_members(shop: Shop) -> None:
    """The store comes to hold exactly what HQ holds, keys and policy with it, and is live."""
    shop.hq.join_many(500)
    shop.up()
    shop.check()
    keys_held = dict(shop.replica.keyring(shop.hq.now_s // DAY_S))
    assert len(keys_held) == 500
    known_as = shop.hq.pseudonym("m-77")
    assert known_as is not None
    assert keys_held[known_as] == shop.hq.day_keys("m-77")
    assert shop.replica.policy() is not None


def test_a_withdrawn_field_leaves_the_store_at_once(shop: Shop) -> None:
    """By a live record, without waiting for a heartbeat."""
    join(shop, "m-1")
    shop.up()
    assert shop.scopes("m-1") == {"size.shoe", "language"}
    shop.hq.now_ms += 1000
    shop.hq.office.withdraw("m-1", shop.hq.now_ms, scopes=("size.shoe",))
    shop.carry()
    assert shop.scopes("m-1") == {"language"}
    shop.run(20)
    assert shop.live()
    shop.check()


def test_quiet_leaves_nothing_at_the_store(shop: Shop) -> None:
    """Neither record nor day keys."""
    join(shop, "m-1")
    shop.up()
    known_as = shop.hq.pseudonym("m-1")
    shop.hq.now_ms += 1000
    shop.hq.office.set_mode("m-1", Mode.QUIET, shop.hq.now_ms)
    shop.carry()
    assert shop.member("m-1") is None
    assert known_as not in dict(shop.replica.keyring(shop.hq.now_s // DAY_S))
    shop.check()


def test_a_profile_edit_after_a_withdrawal_in_the_store_brings_nothing_back(shop: Shop) -> None:
    """The denial holds while HQ's older records arrive, and goes only when HQ has folded it in."""
    join(shop, "m-1")
    shop.up()
    known_as = shop.hq.pseudonym("m-1") or b""
    shop.run(2)
    shop.replica.deny(known_as, "size.shoe", sync.Withdrawal("size.shoe", "nina", "t-1"), shop.now_s)
    assert shop.scopes("m-1") == {"language"}
    # HQ does not know yet, and publishes an edit.
    shop.hq.office.set_profile("m-1", [text("size.shoe", "43")], shop.hq.now_ms)
    for box in shop.lanes.values():
        box.drain(shop.hq.now_ms)
    found = shop.member("m-1")
    assert found is not None
    assert "size.shoe" in {one.scope for one in found.fields}, "the edit did arrive"
    assert shop.scopes("m-1") == {"language"}
    shop.run(20)
    assert not shop.replica.denied(known_as).scopes, "folded in by now"
    assert shop.scopes("m-1") == {"language"}
    shop.hq.office.set_profile("m-1", [text("size.shoe", "44")], shop.hq.now_ms)
    shop.run(20)
    assert shop.scopes("m-1") == {"language"}
    assert shop.replica.counters()["events_waiting"] == 0
    shop.check()


def test_leaving_in_the_store_ends_presence_there(shop: Shop) -> None:
    """Everything at this store is withdrawn at HQ too."""
    join(shop, "m-1")
    shop.up()
    known_as = shop.hq.pseudonym("m-1") or b""
    shop.run(2)
    shop.replica.deny(known_as, None, sync.Withdrawal(None, "nina", "t-1"), shop.now_s)
    assert shop.scopes("m-1") == set()
    shop.run(20)
    assert shop.hq.record("m-1") is None
    assert shop.member("m-1") is None
    shop.check()


def test_the_change_of_day_goes_without_a_dark_moment(shop: Shop) -> None:
    """Tomorrow's keys arrive in the evening, yesterday's go in the night, and the store stays live."""
    join(shop, "m-1", "m-2", "m-3")
    shop.hq.publish(lease_s=1800, heartbeat_s=300)
    shop.up()
    today = shop.hq.now_s // DAY_S
    seen = set()
    for _ in range(13 * 60):
        shop.run(60, step_s=60)
        assert shop.live()
        seen.add(shop.replica.key_days())
    assert seen == {(today,), (today, today + 1), (today + 1,)}
    assert len(dict(shop.replica.keyring(today + 1))) == 3
    shop.check()


def test_a_week_offline_is_made_good(shop: Shop) -> None:
    """The store is dark meanwhile; afterwards it holds what HQ holds, and what was withdrawn meanwhile is gone."""
    join(shop, *[f"m-{number}" for number in range(20)])
    shop.up()
    shop.replica.on_link(False, shop.now_s)
    shop.hq.later(7 * DAY_S)
    shop.replica.tick(shop.now_s)
    assert not shop.live()
    for number in range(0, 20, 2):
        shop.hq.office.withdraw(f"m-{number}", shop.hq.now_ms)
    join(shop, "new")
    shop.up()
    assert shop.member("m-0") is None
    assert shop.scopes("m-1") == {"size.shoe", "language"}
    assert shop.scopes("new") == {"size.shoe", "language"}
    shop.check()


def test_a_restart_opens_the_same_cache_without_a_new_fill(shop: Shop) -> None:
    """HQ gives the same share to the same incarnation, so that what is held is held."""
    join(shop, "m-1")
    shop.up()
    shop.restart()
    assert shop.replica.lease(shop.now_s).light is Light.LOCKED
    shop.up()
    assert shop.scopes("m-1") == {"size.shoe", "language"}
    assert shop.replica.counters().get("in_range", 0) == 0
    shop.check()


def test_without_hq_the_store_is_dark_when_the_lease_ends(shop: Shop) -> None:
    """And live again by itself when HQ is back."""
    join(shop, "m-1")
    shop.up()
    answer = shop.hq.answers.answer
    shop.hq.answers.answer = lambda payload, now_ms: []  # type: ignore[method-assign]
    shop.run(110)
    assert shop.live()
    shop.run(30)
    assert not shop.live()
    shop.hq.answers.answer = answer  # type: ignore[method-assign]
    shop.run(60)
    assert shop.live()
    shop.check()


_VERBS = ("join", "edit", "withdraw", "quiet", "open", "deny", "leave", "phone", "policy", "restart", "wait")
VERBS = st.lists(st.sampled_from(_VERBS), min_size=5, max_size=30)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(verbs=VERBS, seed=st.integers(0, 2**32), loss=st.sampled_from((0.0, 0.2, 0.5)))
def test_after_any_history_over_a_lossy_broker_both_sides_agree(
    tmp_path_factory: pytest.TempPathFactory, verbs: list[str], seed: int, loss: float
) -> None:
    """Whatever was lost, once the broker carries again the roots are equal and no withdrawn value is held."""
    chance = Random(seed)
    shop = Shop(tmp_path_factory.mktemp("shop"), lambda: chance.random() < loss)
    try:
        withdrawn: set[str] = set()
        names: list[str] = []
        shop.replica.on_link(True, shop.now_s)
        for verb in verbs:
            shop.run(chance.choice((1, 5, 20)), step_s=1)
            if verb == "join" or not names:
                names.append(f"m-{len(names)}")
                join(shop, names[-1])
                continue
            _do(shop, verb, chance.choice(names), withdrawn)
        shop.loses = lambda: False
        shop.run(60)
        assert shop.live(), (shop.replica.lease(shop.now_s), shop.replica.counters())
        shop.check()
        for name in names:
            assert shop.member(name) == shop.hq.record(name)
            assert name not in withdrawn or "size.shoe" not in shop.scopes(name)
        assert shop.replica.counters()["events_waiting"] == 0
    finally:
        shop.close()


def _do(shop: Shop, verb: str, name: str, withdrawn: set[str]) -> None:
    hq, known_as = shop.hq, shop.hq.pseudonym(name) or b""
    match verb:
        case "edit":
            hq.office.set_profile(name, [text("size.shoe", str(hq.now_ms))], hq.now_ms)
        case "withdraw":
            hq.office.withdraw(name, hq.now_ms, scopes=("size.shoe",))
            withdrawn.add(name)
        case "quiet":
            hq.office.set_mode(name, Mode.QUIET, hq.now_ms)
        case "open":
            hq.office.set_mode(name, Mode.OPEN, hq.now_ms)
        case "phone":
            hq.office.add_phone(name, hq.now_ms)
        case "policy":
            hq.publish()
        case "restart":
            shop.restart()
        case "deny" | "leave" if shop.live() and shop.replica.member(known_as) is not None:
            scope = "size.shoe" if verb == "deny" else None
            shop.replica.deny(known_as, scope, sync.Withdrawal(scope, "nina", "t-1"), shop.now_s)
            withdrawn.add(name)
            assert "size.shoe" not in shop.scopes(name)
        case _:
            pass


def test_an_edited_policy_reaches_the_store(shop: Shop) -> None:
    """The new version is in force there, and takes back what it no longer declares."""
    join(shop, "m-1")
    shop.up()
    shop.hq.publish(session_idle_s=77)
    shop.carry()
    policy = shop.replica.policy()
    assert policy is not None
    assert (policy.main.version, policy.main.session_idle_s) == (2, 77)
    shop.run(20)
    shop.check()


def test_a_deactivated_associate_is_told_at_once(shop: Shop) -> None:
    """The record says inactive and holds no verifier; a PIN that was set before counts no more."""
    shop.hq.office.add_staff("nina", STORE, "Nina", "associate", "2580", shop.hq.now_ms)
    shop.up()
    found = shop.replica.staff("nina")
    assert found is not None
    assert found.active
    ended_ms = shop.hq.now_ms
    shop.hq.office.deactivate_staff("nina", STORE, ended_ms)
    shop.carry()
    assert shop.replica.staff("nina") == replace(found, active=False, pin_verifier="", pin_set_ms=ended_ms)
