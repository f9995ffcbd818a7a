"""A chain of stores: a real HQ, real gateways on real cache files, and a broker that nobody trusts between them.

Time is an argument: HQ's clock is `hq.now_ms`, each box has a boot clock of its own, and nobody reads another.

I/O: the databases of the test.
"""

import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, func, select

from hq.answers import Answers
from hq.database import open_database, reading, writing
from hq.erasure import erase
from hq.log_tables import event_gaps
from hq.order_tables import orders
from hq.orders import issue as give
from hq.outbox import Outbox
from hq.policy_rules import Draft
from hq.records import DOWN, NOW
from hq.tables import store_events
from store_gateway.gateway import Asker, Checking, Gateway
from store_gateway.keys import BoxKeys
from store_gateway.replica import Changes, Replica
from tests.hq.headquarters import DAY_S, STORE, Headquarters, example_policy, text, texts
from tests.proof.broker import KIND, Broker, Parcel, Topic, Weather
from tests.proof.witness import Denial, OverheardSealer, Witness
from tests.world import PIN, Shopfloor, entropy
from wire import envelope, query, sync, tree
from wire.keys import open_key_set
from wire.member import Member
from wire.policy import Hours
from wire.query import Light
from wire.token import Kind, day_key, day_of_slot, token
from wire.tree import Node

BOOT_S = 1_000.0  # what a box's boot clock says when the test begins
ASSOCIATE = "nina"
SCOPES = ("size.shoe", "language", "brand.liked")
_CLOCK_JOB_MS = 2_000  # as HQ's service
_ALWAYS_OPEN = tuple(Hours(day, 0, 1_440) for day in range(1, 8))


def a_draft(stores: tuple[str, ...]) -> Draft:
    """The example policy for these stores, which never close."""
    draft = example_policy()
    (one,) = draft.stores
    return replace(draft, stores=tuple(replace(one, store=store, hours=_ALWAYS_OPEN) for store in stores))


class KeptReplica(Replica):
    """The real replica, which notes what it said to have kept."""

    kept: list[tuple[int, sync.EventKind]]  # number and kind of the events of which a caller was told

    def record(self, now_mono_s: float, *entries: tuple[sync.EventKind, bytes | None, object]) -> int:
        """As the replica's."""
        last = super().record(now_mono_s, *entries)
        first = last - len(entries) + 1
        self.kept += [(first + place, entry[0]) for place, entry in enumerate(entries)]
        return last

    def deny(self, pseudonym: bytes, scope: str | None, withdrawal: sync.Withdrawal, now_mono_s: float) -> Changes:
        """As the replica's."""
        assert self._hq.cache is not None
        first = self._hq.cache.header.last_event + 1
        changes = super().deny(pseudonym, scope, withdrawal, now_mono_s)
        self.kept.append((first, sync.EventKind.WITHDRAWAL))
        return changes


class Box(Shopfloor):
    """One store's box: its cache file, its gateway, one tablet, and the phones of whoever walks in."""

    def __init__(self, chain: "Chain", store: str, keys: BoxKeys, file: Path) -> None:
        self.prepare(chain, store, keys, file)
        self.start()

    def prepare(self, chain: "Chain", store: str, keys: BoxKeys, file: Path) -> None:
        """The box stands there, and its program does not run yet."""
        self.chain = chain
        self.store = store
        self.keys = keys
        self.file = file
        self.kept: list[tuple[int, sync.EventKind]] = []
        self.orders = []
        self.linked = False
        self._skew_ms = chain.hq.now_ms - int(BOOT_S * 1000)
        self._secret: bytes | None = None  # of the paired tablet
        self._session: bytes | None = None

    @property
    def now_s(self) -> float:  # type: ignore[override]
        """The boot clock."""
        return (self.chain.hq.now_ms - self._skew_ms) / 1000

    def leap(self, seconds: float) -> None:
        """The boot clock leaps forward."""
        self._skew_ms -= int(seconds * 1000)

    # --- life of the program -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """The program begins: only what is on the disk is left."""
        self.replica = KeptReplica(self.store, self.file, self.keys, "proof/1", chance=self.chain.broker.chance.random)
        self.replica.kept = self.kept
        self.gateway = Gateway(self.store, "proof/1", self.replica, entropy(), self.orders.append)
        self._session = None
        if self.linked:
            self.gateway.on_link(True, self.now_s)

    def restart(self) -> None:
        """The program ends in order and begins again."""
        self.replica.close()
        self.start()

    def crash(self) -> None:
        """The program is killed: what the system had taken from it is there, nothing else."""
        aside = self.file.with_suffix(".aside")
        self.copy_to(aside)
        self.replica.close()
        for end in ("", "-wal"):
            self._part(self.file, end).unlink(missing_ok=True)
            if self._part(aside, end).exists():
                self._part(aside, end).rename(self._part(self.file, end))
        self.start()

    def reboot(self) -> None:
        """The power goes and comes: the boot clock begins anew."""
        self._skew_ms = self.chain.hq.now_ms - 5_000
        self.crash()

    def copy_to(self, file: Path) -> None:
        """The file with its journal as the disk has them now."""
        for end in ("", "-wal"):
            self._part(file, end).unlink(missing_ok=True)
            if self._part(self.file, end).exists():
                shutil.copy(self._part(self.file, end), self._part(file, end))

    def put_back(self, image: Path) -> None:
        """The program is killed, and an old copy of the file takes its place."""
        self.replica.close()
        for end in ("", "-wal"):
            self._part(self.file, end).unlink(missing_ok=True)
            if self._part(image, end).exists():
                shutil.copy(self._part(image, end), self._part(self.file, end))
        self._secret = None
        self.start()

    def wipe(self) -> None:
        """The file is deleted, and the program begins with an empty one."""
        self.replica.close()
        for end in ("", "-wal"):
            self._part(self.file, end).unlink(missing_ok=True)
        self.kept.clear()
        self._secret = None
        self.start()

    @staticmethod
    def _part(file: Path, end: str) -> Path:
        return file.with_name(file.name + end)

    def link(self, up: bool) -> None:
        """The connection to the broker comes or goes."""
        self.linked = up
        self.gateway.on_link(up, self.now_s)

    # --- the conversation --------------------------------------------------------------------------------------------

    def take(self, parcel: Parcel) -> None:
        """A payload of the broker."""
        if not self.linked:
            return
        opened = self.replica._hq.vault is not None
        self.chain.witness.arrived(parcel.payload, self.store, self.boot, opened=opened)
        self.gateway.on_message(parcel.payload, parcel.topic is Topic.NOW, self.now_s)
        self.settle()

    def tick(self) -> None:
        """Time passed."""
        self.gateway.tick(self.now_s)
        self.settle()

    def outgoing(self) -> list[bytes]:
        """What goes up now."""
        payloads = self.gateway.outgoing()
        for payload in payloads:
            said = self.chain.opened_at_hq(payload, self.keys)
            if isinstance(said, sync.Hello):
                self.chain.witness.hello(said.nonce, self.now_s)
        return payloads if self.linked else []

    # --- what is there -----------------------------------------------------------------------------------------------

    @property
    def boot(self) -> bytes:
        """This boot's id."""
        return self.replica._hq.courier.boot

    @property
    def incarnation(self) -> bytes:
        """Of the cache file."""
        assert self.replica._hq.cache is not None
        return self.replica._hq.cache.header.incarnation

    def live(self) -> bool:
        """Whether the store may disclose."""
        return self.replica.live(self.now_s)

    def waiting(self) -> int:
        """How many events HQ has not said to have stored; -1 while locked."""
        return self.replica.counters().get("events_waiting", -1)

    def member(self, pseudonym: bytes) -> Member | None:
        """The member's record here."""
        return self.replica.member(pseudonym)

    def close(self) -> None:
        """Lets go of the file."""
        self.replica.close()

    def counters(self) -> dict[str, int]:
        """What the replica counted."""
        return self.replica.counters()

    def light(self) -> tuple[Light, query.DarkReason]:
        """Light and reason."""
        lease = self.replica.lease(self.now_s)
        return lease.light, lease.reason

    def held(self) -> dict[str, tuple[bytes, int]]:
        """Root and count of each instance, as the next hello would say."""
        vault = self.replica._hq.vault
        return {} if vault is None else {one.instance: (one.root, one.count) for one in vault.holdings.held()}

    def rows(self) -> dict[str, dict[bytes, tuple[int, bytes]]]:
        """(seq, body) of every live record by instance and key, opened one by one."""
        vault = self.replica._hq.vault
        assert vault is not None
        found: dict[str, dict[bytes, tuple[int, bytes]]] = {}
        for name, one in vault.holdings.instances.items():
            rows = found[name] = {}
            for key, body in vault.holdings.walk(one):
                found_row = vault.holdings.record(one, key)
                assert found_row is not None and found_row[0] == body
                rows[key] = found_row[1], body
        return found

    def check_tree(self) -> None:
        """What is kept as root and nodes is what the opened rows amount to."""
        vault = self.replica._hq.vault
        if vault is None:
            return
        for name, rows in self.rows().items():
            one = vault.holdings.instances[name]
            nodes: dict[bytes, Node] = {b"": Node()}
            for key, (seq, body) in rows.items():
                digest = tree.digest(one.digest_key, one.collection, key, seq, tree.body_hash(body))
                path = tree.path(one.digest_key, key)
                for prefix in (b"", path[:1], path[:2]):
                    nodes[prefix] = nodes.get(prefix, Node()).plus(digest)
            assert nodes.pop(b"") == one.node, name
            kept = vault.holdings.nodes_below(one, b"")
            for prefix in tuple(kept):
                kept |= vault.holdings.nodes_below(one, prefix)
            assert kept == nodes, name

    def check_shown(self) -> None:
        """What the tablet sees, judged by what reached the store, by the denials made in it, and by its leases."""
        witness = self.chain.witness
        for found in self.chain.secrets.values():
            for secret in found:
                self.calls(secret)
        for secret in self.chain.gone:
            self.calls(secret)
        seen = self.sees()
        assert not seen or witness.may_disclose(self.boot, self.now_s), "shown without a lease"
        assert not seen or self.live()
        for pseudonym, (_, scopes) in seen.items():
            assert witness.standing(self.store, pseudonym), "shown after a withdrawal"
            for scope in scopes - {"name.first"}:
                assert witness.may_show(self.store, pseudonym, scope), f"{scope} shown after a withdrawal"

    # --- the shop ----------------------------------------------------------------------------------------------------

    def calls(self, secret: bytes) -> None:
        """The phone with this presence secret asks for help in front of a radio."""
        slot = self.chain.hq.now_ms // 600_000
        self.hears_token(token(day_key(secret, day_of_slot(slot)), Kind.HELP, slot))

    def session(self) -> bytes | None:
        """A tablet of an associate who is signed in; None: nobody can sign in now."""
        if self._session is not None:
            found = self.ask(query.AskSession(self._session))
            if isinstance(found, query.SessionView):
                return self._session
        if self._secret is None:
            minted = self.ask_operator(query.MintPairing())
            assert isinstance(minted, query.PairingCode)
            paired = self.ask(query.Pair(minted.code, "", ""))
            if not isinstance(paired, query.Paired):
                return None
            self._secret = paired.tablet
        signed_in = self.sign_in(self._secret, ASSOCIATE)
        if isinstance(signed_in, query.Refused) and signed_in.reason is query.RefusedReason.UNPAIRED:
            self._secret = None
        self._session = signed_in.session if isinstance(signed_in, query.SignedIn) else None
        return self._session

    def signs_out(self) -> None:
        """The associate; the next look is another session's."""
        if self._session is not None:
            self.ask(query.SignOut(self._session))
        self._session = None

    def sees(self) -> dict[bytes, tuple[bytes, frozenset[str]]]:
        """What the tablet is shown now: handle and scopes of each member on the roster, by pseudonym."""
        session = self.session()
        roster = self.ask(query.AskFloor(session)) if session is not None else None
        if not isinstance(roster, query.Roster):
            return {}
        found = {}
        for visit in roster.visits:
            pseudonym = self.gateway._presence.find(visit.handle)
            assert pseudonym is not None and session is not None
            card = self.ask(query.AskCard(session, visit.handle, None))
            scopes: set[str] = set()
            if isinstance(card, query.Card):
                scopes |= {line.scope for line in card.lead}
                for section in card.sections:
                    opened = self.ask(query.AskCard(session, visit.handle, section))
                    assert isinstance(opened, query.Card)
                    scopes |= {line.scope for line in opened.lines}
            found[pseudonym] = visit.handle, frozenset(scopes)
        return found

    def ask_operator(self, request: query.Request) -> query.Reply:
        """A question on the operator's socket."""
        reply = self.gateway.answer(request, Asker(True, None), self.now_s)
        assert not isinstance(reply, Checking)
        return reply

    def withdraws(self, pseudonym: bytes, scope: str | None) -> bool:
        """A member who stands before the tablet withdraws here; whether the store said yes."""
        seen = self.sees().get(pseudonym)
        if seen is None or self._session is None:
            return False
        before = len(self.kept_denials())
        reply = self.ask(query.Withdraw(self._session, seen[0], scope))
        if not isinstance(reply, query.Accepted):
            return False
        number = self.kept_denials()[before]
        self.chain.witness.denied(self.store, pseudonym, Denial(self.incarnation, number, scope))
        return True

    def kept_denials(self) -> list[int]:
        """Numbers of the withdrawals that were made here."""
        return [number for number, kind in self.kept if kind is sync.EventKind.WITHDRAWAL]


class Chain:
    """See the module. `processes`: so many HQ processes answer in turn.

    `open_engine` opens HQ's database, else it is a SQLite file in the folder. `boxes_in`: where the caches lie.
    """

    def __init__(
        self,
        folder: Path,
        stores: int = 1,
        seed: int = 0,
        *,
        open_engine: Callable[[], Engine] | None = None,
        processes: int = 1,
        boxes_in: Path | None = None,
    ) -> None:
        names = (STORE, *(f"store-{number}" for number in range(2, stores + 1)))
        self.folder = folder
        self.witness = Witness()
        self.broker = Broker(Random(seed))
        self.processes = processes
        self._open_engine = open_engine or (lambda: open_database(f"sqlite:///{folder}/hq.db"))
        self.draft = a_draft(names)
        self.hq = Headquarters(self._open_engine(), draft=replace(self.draft, stores=self.draft.stores[:1]))
        identities = {STORE: self.hq.identity}
        for store in names[1:]:
            identities[store] = Ed25519PrivateKey.generate()
            public = identities[store].public_key().public_bytes_raw()
            self.hq.office.add_store(store, store, public, "main", self.hq.now_ms)
        self.hq.draft = self.draft
        self.hq.publish()
        self.secrets: dict[str, list[bytes]] = {}  # presence secrets by member
        self.gone: list[bytes] = []  # presence secrets of members who were erased, and whose phones do not know it
        self._ticked_ms = self.hq.now_ms
        self.answers: list[Answers] = []
        self.start_hq()
        for store in names:
            self.hq.office.add_staff(ASSOCIATE, store, "Nina", "associate", PIN, self.hq.now_ms)
        root = self.hq.root.public_key()
        self.boxes = [
            Box(
                self,
                store,
                BoxKeys(identities[store], secrets.token_bytes(32), root, open_key_set(root, self.hq.keys.key_set)),
                (boxes_in or folder) / f"{store}.db",
            )
            for store in names
        ]

    def close(self) -> None:
        """Lets go of the files."""
        for box in self.boxes:
            box.close()
        self.hq.engine.dispose()

    @property
    def now_s(self) -> float:
        """HQ's clock in seconds, by which the broker goes."""
        return self.hq.now_ms / 1000

    # --- HQ ----------------------------------------------------------------------------------------------------------

    def start_hq(self) -> None:
        """HQ's programs begin (again), on what their database holds."""
        if self.answers:
            self.hq.engine.dispose()
            self.hq.start(self._open_engine())
        sealer = OverheardSealer(self.hq.keys, self.witness)
        self.hq.sealer = sealer
        self.answers = [Answers(self.hq.engine, self.hq.keys, sealer) for _ in range(self.processes)]
        self.hq.answers = self.answers[0]
        self.lanes = {
            topic: Outbox(self.hq.engine, sealer, lane, self._sending(topic))
            for lane, topic in ((NOW, Topic.NOW), (DOWN, Topic.DOWN))
        }

    def back_up_hq(self, to: Path) -> None:
        """A copy of HQ's database, as a backup makes it."""
        with (
            closing(sqlite3.connect(self.folder / "hq.db")) as source,
            closing(sqlite3.connect(to)) as target,
        ):
            source.backup(target)

    def restore_hq(self, backup: Path) -> None:
        """HQ's database is put back to the backup, and its programs begin again."""
        self.hq.engine.dispose()
        for end in ("", "-wal", "-shm"):
            (self.folder / f"hq.db{end}").unlink(missing_ok=True)
        shutil.copy(backup, self.folder / "hq.db")
        self.start_hq()

    def _sending(self, topic: Topic) -> Callable[..., list[bool]]:
        def send(messages: list[tuple[str, bytes]]) -> list[bool]:
            for name, payload in messages:
                self.broker.publish(Parcel(name.split("/")[2], topic, payload), self.now_s)
            return [True] * len(messages)  # the acknowledgement proves nothing

        return send

    def opened_at_hq(self, payload: bytes, keys: BoxKeys) -> sync.Message:
        """What a payload on `up` says."""
        parsed = envelope.parse(payload)
        return envelope.open_(
            parsed, sync.HQ, keys.identity.public_key(), self.hq.keys.sealing[parsed.header.sealed_to]
        )

    def join(self, name: str, *scopes: str, stores: tuple[str, ...] | None = None) -> None:
        """A member with a phone who may be recognised and shares these scopes in these stores (all)."""
        where = stores or tuple(box.store for box in self.boxes)
        self.secrets[name] = [self.hq.join(name, *scopes, stores=where)]
        self.hq.office.set_profile(name, profile(name, str(self.hq.now_ms)), self.hq.now_ms)

    # --- time --------------------------------------------------------------------------------------------------------

    def carry(self) -> None:
        """Everything that waits anywhere goes its way, and what has arrived is taken."""
        for _ in range(1000):
            moved = False
            for box in self.boxes:
                for payload in box.outgoing():
                    moved = True
                    self.broker.publish(Parcel(box.store, Topic.UP, payload), self.now_s)
            for lane in self.lanes.values():
                while lane.drain(self.hq.now_ms)[0]:
                    moved = True
            while (parcel := self.broker.arrived(self.now_s)) is not None:
                moved = True
                self.deliver(parcel)
            if not moved:
                return
        raise AssertionError("they never cease to talk")

    def deliver(self, parcel: Parcel) -> None:
        """One payload arrives at its end."""
        if parcel.topic is Topic.UP:
            answers = self.broker.chance.choice(self.answers)
            for reply in answers.answer(parcel.payload, self.hq.now_ms):
                self.broker.publish(Parcel(reply.store, Topic.DOWN, reply.payload), self.now_s)
            return
        for box in self.boxes:
            if box.store == parcel.store:
                box.take(parcel)

    def run(self, seconds: float = 0.0, step_s: float = 1.0) -> None:
        """Lets time pass everywhere."""
        end_ms = self.hq.now_ms + int(seconds * 1000)
        while True:
            for box in self.boxes:
                box.tick()
            self.carry()
            if self.hq.now_ms >= end_ms:
                return
            self.hq.now_ms += int(min(step_s, (end_ms - self.hq.now_ms) / 1000) * 1000)
            if self.hq.now_ms - self._ticked_ms >= _CLOCK_JOB_MS:
                self._ticked_ms = self.hq.now_ms
                self.hq.tick()

    def up(self) -> None:
        """All connections come, and the stores become live."""
        for box in self.boxes:
            box.link(True)
        self.settle()

    def settle(self, weather: Weather = KIND, within_s: float = 2 * 3600) -> None:
        """The network is kind: it runs until every store is live and holds what HQ holds."""
        self.broker.weather = weather
        end_s = self.now_s + within_s
        step_s = 1.0
        while self.now_s < end_s:
            self.run(20, step_s=step_s)
            if all(box.live() for box in self.boxes) and self.agrees():
                return
            step_s = min(5.0, step_s + 1)
        raise AssertionError([(box.store, box.light(), box.counters()) for box in self.boxes])

    # --- what must hold ----------------------------------------------------------------------------------------------

    def roots(self, store: str) -> dict[str, tuple[bytes, int]]:
        """Root and count of each of a store's instances at HQ."""
        return {name: (one.node.root, one.node.count) for name, one in self.hq.instances(store).items()}

    def orders_open(self) -> int:
        """How many orders wait to be done."""
        with reading(self.hq.engine) as connection:
            wanted = select(func.count()).select_from(orders)
            waiting = wanted.where(orders.c.outcome.is_(None), orders.c.not_after_ms > self.hq.now_ms)
            return int(connection.scalar(waiting) or 0)

    def order(self, box: Box, verb: sync.Verb, subject: bytes | None = None) -> None:
        """HQ gives the store an order."""
        with writing(self.hq.engine) as connection:
            give(connection, box.store, verb, self.hq.now_ms, subject=subject)

    def erase(self, name: str) -> None:
        """HQ erases a member, and tells every store."""
        self.gone += self.secrets.pop(name)
        erase(self.hq.engine, self.hq.keys, name, self.hq.now_ms)

    def agrees(self) -> bool:
        """Whether all roots are equal, nothing waits to go up, and no order waits to be done."""
        return self.orders_open() == 0 and all(
            box.held() == self.roots(box.store) and box.waiting() == 0 for box in self.boxes
        )

    def check(self) -> None:
        """What holds after any step: the trees are those of the rows, and nothing is shown that may not be."""
        self.hq.check()
        for box in self.boxes:
            box.check_tree()
            box.check_shown()

    def stored_events(self, box: Box) -> list[tuple[int, int]]:
        """(number, kind) of the events of the box's cache that HQ stored, in order."""
        rows = store_events.c
        with reading(self.hq.engine) as connection:
            wanted = select(rows.number, rows.kind).where(rows.store == box.store, rows.incarnation == box.incarnation)
            return [(row.number, row.kind) for row in connection.execute(wanted.order_by(rows.number))]

    def gaps(self, box: Box) -> list[int]:
        """The last numbers of what HQ knows to have missed of the box's cache."""
        with reading(self.hq.engine) as connection:
            here = event_gaps.c.store == box.store, event_gaps.c.incarnation == box.incarnation
            return list(connection.scalars(select(event_gaps.c.last).where(*here)))

    def check_end(self, lost_through: int = 0) -> None:
        """What holds once all is quiet: one truth, and every event of the stores at HQ, once.

        `lost_through`: HQ was restored, and what it had stored up to this number is gone with its database.
        """
        self.check()
        self.run(1)
        self.carry()
        self.settle()
        for box in self.boxes:
            stored = dict(self.stored_events(box))
            erased = sync.EventKind.ERASED if self.gone else None  # in its place, where it had not gone up yet
            for number, kind in box.kept:
                assert number <= lost_through or stored.get(number) in (kind, erased), "an event was lost"
            missing = self.gaps(box)
            assert all(number <= lost_through for number in missing), "numbers have a gap"
            for known_as, body in self.bodies(box.store):
                assert box.member(known_as) == body

    def bodies(self, store: str) -> Iterator[tuple[bytes, object]]:
        """Pseudonym and record of every member that ever was in the store's audience."""
        for name in self.secrets:
            known_as = self.hq.pseudonym(name, store)
            if known_as is not None:
                yield known_as, self.hq.record(name, store)


def profile(name: str, mark: str) -> list[object]:
    """Values of all scopes that are shared in these tests."""
    return [text("size.shoe", f"{name} {mark}"), texts("language", "de", mark), texts("brand.liked", mark)]


def days(count: float) -> float:
    """Days in seconds."""
    return count * DAY_S
