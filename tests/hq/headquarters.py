"""An HQ for tests: keys, the office, answers, and the verbs of a member's life on a clock that stands still.

I/O: the database of the test.
"""

import atexit
import functools
import json
import secrets
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, select

from hq import clock_job, importer, keys, ledger, notices, policy_file, publication, records
from hq.answers import Answers, Sealer
from hq.database import open_database, reading, writing
from hq.door import Grant
from hq.office import Office
from hq.policy_rules import Draft
from hq.tables import audience
from wire import keyring, schema, tree
from wire.keys import KeySet, SealingKey, SigningKey, make_sealing_private, sealing_public_bytes, sign_key_set
from wire.member import Field, Item, Member, SourceClass, Value, ValueClass
from wire.sync import Collection, bucket_key, instance

STORE = "berlin-1"
DAY_S = 86_400
PUBLISHED_DAYS = 30  # for so long the policy has been in force
NOON_MS = (20_778 * DAY_S + 12 * 3600) * 1000
POLICY = Path(__file__).parents[2] / "examples/policy/policy.toml"
ROLES = ("associate",)
WRAPPING = b"\x04" * 32  # the key outside of the database


def make_keys() -> tuple[keys.Keys, Ed25519PrivateKey]:
    """HQ's keys and the root that signed their set."""
    root, signing = Ed25519PrivateKey.generate(), secrets.token_bytes(32)
    sealing = make_sealing_private()
    public = Ed25519PrivateKey.from_private_bytes(signing).public_key().public_bytes_raw()
    key_set = KeySet(3, 2**39, (SigningKey(5, public),), (SealingKey(6, sealing_public_bytes(sealing)),))
    made = keys.assemble(
        signing, sealing, secrets.token_bytes(32), secrets.token_bytes(32), sign_key_set(root, key_set), WRAPPING
    )
    return made, root


def example_policy() -> Draft:
    """The policy of `examples/policy`."""
    return policy_file.read(POLICY)


def text(scope: str, value: str, at_s: int = NOON_MS // 1000 - DAY_S) -> Field:
    """A text that the member gave."""
    return Field(scope, Value(text=value), SourceClass.ZERO, "app", ValueClass.PERSONAL, at_s, at_s)


def texts(scope: str, *values: str, at_s: int = NOON_MS // 1000 - DAY_S) -> Field:
    """Some texts that the member gave."""
    return Field(scope, Value(texts=values), SourceClass.ZERO, "app", ValueClass.PERSONAL, at_s, at_s)


def items(scope: str, *labels: str, at_s: int = NOON_MS // 1000 - DAY_S) -> Field:
    """A list of things."""
    found = tuple(Item(f"i-{number}", label, at_s, 1, False) for number, label in enumerate(labels))
    return Field(scope, Value(items=found), SourceClass.FIRST, "till", ValueClass.TRANSACTIONAL, at_s, at_s)


class Headquarters:
    """HQ, with one store under the example policy, or another `draft`. `now_ms` moves only by `later`."""

    def __init__(self, engine: Engine, now_ms: int = NOON_MS, draft: Draft | None = None) -> None:
        self.draft = draft or example_policy()
        self.keys, self.root = make_keys()
        self.start(engine)
        self.now_ms = now_ms
        self.identity = Ed25519PrivateKey.generate()
        self.office.add_store(STORE, "Berlin", self.identity.public_key().public_bytes_raw(), "main", now_ms)
        self.office.publish_policy(self.draft, now_ms - PUBLISHED_DAYS * DAY_S * 1000)
        self.tick()

    def copied(self, engine: Engine) -> "Headquarters":
        """The same HQ on a copy of its database, with the same keys, which take as long to make as the tables."""
        found = Headquarters.__new__(Headquarters)
        found.draft, found.root, found.identity = self.draft, self.root, self.identity
        found.keys = replace(self.keys)  # a test may change its own
        found.now_ms = self.now_ms
        found.start(engine)
        return found

    def start(self, engine: Engine) -> None:
        """HQ's program begins on this database: nothing but what is in there is left of an earlier one."""
        self.engine = engine
        self.office = Office(engine, self.keys)
        self.sealer = Sealer(self.keys)
        self.answers = Answers(engine, self.keys, self.sealer)

    @property
    def now_s(self) -> int:
        """The clock in seconds."""
        return self.now_ms // 1000

    def later(self, seconds: float) -> None:
        """Time goes on, and the clock job runs."""
        self.now_ms += int(seconds * 1000)
        self.tick()

    def tick(self) -> int:
        """The clock job."""
        return clock_job.tick(self.engine, self.keys, self.now_ms)

    def join(self, member: str, *shares: str, age: int = 18, stores: tuple[str, ...] = (STORE,)) -> bytes:
        """A member with a phone who may be recognised and shares these scopes; returns the phone's secret."""
        self.office.add_member(member, age, "DE", self.now_ms)
        _, secret = self.office.add_phone(member, self.now_ms)
        self.grant(member, "presence", stores=stores)
        if shares:
            self.grant(member, "assist", *shares, stores=stores)
        return secret

    def serve(self, member: str, language: str = "en", surface: str = "app", store: str | None = None) -> None:
        """The member is shown every notice that is in force."""
        with writing(self.engine) as connection:
            notices.serve(connection, self.keys, member, language, surface, self.now_ms, store=store)

    def join_many(self, count: int) -> None:
        """As many members `m-0` … at once, each with a phone, sharing the shoe size."""
        grant = {"stores": [STORE], "roles": list(ROLES), "until_days": 365}
        rows = (
            {
                "member": f"m-{number}",
                "age_at_least": 18,
                "jurisdiction": "DE",
                "chosen": self.now_s,
                "phones": [secrets.token_hex(32)],
                "grants": [
                    {"purpose": "presence", **grant},
                    {"purpose": "assist", "scopes": ["size.shoe"], **grant},
                ],
                "profile": {"size.shoe": {"value": str(number), "collected": self.now_s}},
            }
            for number in range(count)
        )
        lines = (json.dumps(row).encode() for row in rows)
        assert importer.run(self.engine, self.keys, lines, self.now_ms).taken == count

    def grant(
        self, member: str, purpose: str, *scopes: str, stores: tuple[str, ...] = (STORE,), days: int = 365
    ) -> None:
        """A grant chosen now."""
        grant = Grant(purpose, stores, ROLES, scopes, until_days=days, chosen_s=self.now_s)
        self.office.grant(member, grant, self.now_ms)

    def publish(self, **changes: object) -> None:
        """The policy again, with these changes of the shared part, one version up."""
        draft = self.draft
        with reading(self.engine) as connection:
            held = publication.Policies(connection).main("main")
        version = 1 if held is None else held.version
        self.office.publish_policy(
            replace(draft, main=replace(draft.main, version=version + 1, **changes)), self.now_ms
        )
        self.tick()

    def pseudonym(self, member: str, store: str = STORE) -> bytes | None:
        """The member's name in that store; None: never was in its audience."""
        with reading(self.engine) as connection:
            reference = self.keys.custody.reference(connection, member)
            return connection.scalar(
                select(audience.c.pseudonym).where(audience.c.member == reference, audience.c.store == store)
            )

    def record(self, member: str, store: str = STORE) -> Member | None:
        """The member's record as the store holds it; None: out of the audience."""
        known_as = self.pseudonym(member, store)
        with reading(self.engine) as connection:
            body = known_as and records.body(connection, instance(Collection.MEMBERS, store), known_as)
        return schema.decode(Member, body) if body else None

    def day_keys(self, member: str, day: int | None = None, store: str = STORE) -> tuple[bytes, ...]:
        """The day keys of the member's phones in that store's keyring."""
        known_as = self.pseudonym(member, store)
        if known_as is None:
            return ()
        title = instance(Collection.KEYRING, store, self.now_s // DAY_S if day is None else day)
        with reading(self.engine) as connection:
            body = records.body(connection, title, bucket_key(known_as))
        return dict(keyring.unpack(body or b"")).get(known_as, ())

    def instances(self, store: str = STORE) -> dict[str, records.Instance]:
        """The store's instances with the shared ones, by name."""
        with reading(self.engine) as connection:
            return {one.name: one for one in records.of_store(connection, store)}

    def recomputed(self, found: records.Instance) -> tree.Node:
        """The root as the rows give it."""
        node = tree.Node()
        with reading(self.engine) as connection:
            keys = records.keys_of(connection, found)
            for row in connection.execute(
                select(records.records).where(
                    records.records.c.instance == found.id, records.records.c.body.is_not(None)
                )
            ):
                hashed = tree.body_hash(keys.open(row.key, row.seq, row.body) or b"")
                node = node.plus(tree.digest(keys.digest_key, found.collection, row.key, row.seq, hashed))
        return node

    def check(self) -> None:
        """What must hold after anything: roots are those of the rows, the chain of events is whole."""
        for found in self.instances().values():
            assert self.recomputed(found) == found.node, found.name
        with reading(self.engine) as connection:
            assert ledger.first_broken(connection) is None


@functools.cache
def first() -> tuple[Path, Headquarters]:
    """A folder with the files of an HQ to which nothing has happened yet, and that HQ."""
    folder = Path(tempfile.mkdtemp(prefix="consentry-hq-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    engine = open_database(f"sqlite:///{folder}/hq.db")
    made = Headquarters(engine)
    engine.dispose()
    return folder, made


def on_sqlite(folder: Path) -> Headquarters:
    """An HQ with the example policy's store, nobody in it, in `hq.db` of a folder: a copy of one made before."""
    files, made = first()
    for file in files.iterdir():
        shutil.copyfile(file, folder / file.name)
    return made.copied(open_database(f"sqlite:///{folder}/hq.db"))
