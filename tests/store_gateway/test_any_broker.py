"""Whatever a broker does with HQ's messages: who was withdrawn once stays away, and in the end both hold the same."""

import random
import secrets
from dataclasses import replace
from pathlib import Path

import pytest

from store_gateway.proof import Proof
from store_gateway.replica import Replica
from tests.fakes.hq import STORE, FakeHQ, a_main_policy, a_member, a_store_policy
from wire import envelope, schema, sync
from wire.sync import Verb

MEMBERS = f"members/{STORE}"
PEOPLE = [number.to_bytes(16, "little") for number in range(1, 41)]
STEPS = 400


class Broker:
    """Keeps every payload for ever, and hands any of them down whenever it likes. `gone`: what the store was told."""

    def __init__(self, seed: int, file: Path) -> None:
        self.chance = random.Random(seed)
        self.hq = FakeHQ(range_records=8, part_records=3, span_records=6)
        self.hq.policy(a_main_policy(), a_store_policy())
        self.file = file
        self.now_s = 1_000.0
        self.start_ms = 1_800_000_000_000
        self.recorded: list[tuple[bytes, dict[bytes, int]]] = []
        self.waiting: list[tuple[bytes, dict[bytes, int]]] = []
        self.gone: dict[bytes, int] = {}
        self.orders: dict[bytes, bytes] = {}
        self.begin()

    def begin(self) -> None:
        """The box starts."""
        self.replica = Replica(STORE, self.file, self.hq.box(), "test/1")
        self.replica.on_link(True, self.now_s)

    def commit(self) -> None:
        """HQ changes a few members in one transaction."""
        chosen = self.chance.sample(PEOPLE, self.chance.randint(1, 3))
        taken = self.chance.random() < 0.5
        body = None if taken else schema.encode(replace(a_member(), acts_through=self.chance.randrange(1000)))
        records = self.hq.commit(*((MEMBERS, one, body) for one in chosen))
        seqs = {one.key: one.seq for part in records.parts for one in part.records} if taken else {}
        if self.hq.boot is not None:
            self.waiting.append((self.hq.say(records), seqs))
            if taken and self.hq.shares and self.chance.random() < 0.3:
                order = self.hq.order(Verb.ERASE, chosen[0])
                payload = self.hq.say(order)
                self.orders[payload] = order.id
                self.waiting.append((payload, {chosen[0]: seqs[chosen[0]]}))

    def tick(self) -> None:
        """Time passes; what the store says, HQ answers."""
        self.now_s += self.chance.choice([0.05, 0.2, 1.0, 4.0, 12.0])
        self.replica.tick(self.now_s)
        for payload in self.replica.outgoing():
            now_ms = self.start_ms + int(self.now_s * 1000)
            self.waiting += [(answer, {}) for answer in self.hq.answer(payload, now_ms)]

    def deliver(self, payload: bytes, seqs: dict[bytes, int]) -> None:
        """A payload reaches the store; what it takes away has gone then, if it was for this boot."""
        ours = self.replica._hq.vault is not None and self._is_ours(payload)
        self.replica.on_payload(payload, self.chance.random() < 0.5, self.now_s)
        if ours and payload in self.orders:
            while self.replica.work(64, self.now_s)[1]:
                pass
            cache = self.replica._hq.cache
            ours = cache is not None and cache.done(self.orders[payload]) is not None
        if ours:
            for key, seq in seqs.items():
                self.gone[key] = max(self.gone.get(key, 0), seq)

    def _is_ours(self, payload: bytes) -> bool:
        return envelope.parse(payload).header.boot == self.replica._hq.courier.boot

    def step(self) -> None:
        """Anything."""
        what = self.chance.random()
        if what < 0.2:
            self.commit()
        elif what < 0.45:
            self.tick()
        elif what < 0.75 and self.waiting:
            one = self.waiting.pop(0 if self.chance.random() < 0.7 else self.chance.randrange(len(self.waiting)))
            self.recorded.append(one)
            if self.chance.random() < 0.85:
                self.deliver(*one)
        elif what < 0.88 and self.recorded:
            self.deliver(*self.chance.choice(self.recorded))
        elif what < 0.99:
            self.replica.work(self.chance.choice([1, 8, 64]), self.now_s)
        else:
            self.replica.close()
            self.begin()
        self.check()

    def check(self) -> None:
        """Nobody is held by a record that is older than a withdrawal that the store was told."""
        vault = self.replica._hq.vault
        if vault is None:
            return
        for held in vault.holdings.of(sync.Collection.MEMBERS):
            for key, seq in self.gone.items():
                found = vault.holdings.record(held, key)
                assert found is None or found[1] > seq

    def settle(self) -> None:
        """The broker carries everything, in order."""
        for payload, seqs in self.waiting:
            self.deliver(payload, seqs)
        self.waiting = []
        for _ in range(300):
            self.now_s += 0.5
            self.tick()
            for payload, seqs in self.waiting:
                self.deliver(payload, seqs)
            self.waiting = []
            while self.replica.work(64, self.now_s)[1]:
                pass
            self.check()


@pytest.mark.parametrize("seed", range(4))
def test_no_history_brings_back_who_was_withdrawn(seed: int, tmp_path: Path) -> None:
    """Losses, repetitions, any order, recordings, erasures and restarts while ranges since a seq are applied."""
    broker = Broker(seed, tmp_path / secrets.token_hex(4))
    for _ in range(STEPS):
        broker.step()
    broker.settle()
    vault = broker.replica._hq.vault
    assert vault is not None
    assert broker.replica.live(broker.now_s)
    node = broker.hq.instances[MEMBERS].node()
    assert vault.holdings.instances[MEMBERS].node == node
    proof = Proof()
    proof.hurry(vault.holdings)
    while proof.hurried:
        proof.step(vault.holdings)
    broker.replica.close()
