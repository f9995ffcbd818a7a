"""A store whose HQ knows very many members at once: their records are put into HQ's database, not imported.

Each record is what the store would get of a real member: a body of about 300 bytes that decodes, in mode open, and one
day key. What members, consent and audience HQ would need besides is left out, because no fill reads it.

I/O: a folder, HQ's database, loopback, the programs.
"""

import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

from sqlalchemy import update

from benchmarks.report import percentile
from demo.store import Plan, Store, now_ms
from hq import records
from hq.database import writing
from hq.tables import instances
from tests.fakes.hq import a_member
from wire import keyring, schema
from wire.member import Field, Mode, SourceClass, Value, ValueClass
from wire.query import Light
from wire.sync import KEYRING_BUCKETS, Collection, bucket_key, instance

POLICY = Path(__file__).parents[1] / "demo/shop/policy.toml"
BODY_BYTES = 300
_AT_ONCE = 2_000  # records of one commit while HQ is filled
_MARK = b"0123456789abcdef"
_LOOK_S = 0.1
_DAY_MS = 86_400_000


def pseudonym(number: int) -> bytes:
    """A member's."""
    return blake2b(number.to_bytes(8, "little"), digest_size=16, person=b"member").digest()


def body(number: int, version: int = 0) -> bytes:
    """A member's record, about 300 bytes, another for each member and version."""
    return _BODY.replace(_MARK, f"{number:09x}{version:07x}".encode())


def _template() -> bytes:
    at_s = 1_700_000_000
    field = Field("size.shoe", Value(text=_MARK.decode()), SourceClass.ZERO, "app", ValueClass.PERSONAL, at_s, at_s)
    lacking = BODY_BYTES - len(schema.encode(a_member(Mode.OPEN, fields=(field,))))
    longer = replace(field, value=Value(text=_MARK.decode() + "." * max(0, lacking - 1)))
    return schema.encode(a_member(Mode.OPEN, fields=(longer,)))


_BODY = _template()


class Waited:
    """How long a store took to be live, and how long each question for its status took meanwhile."""

    def __init__(self, unlocked_s: float, live_s: float, answers: list[float]) -> None:
        self.fill_s = live_s - unlocked_s
        self.live_s = live_s
        self.answer_median_s = percentile(answers, 0.5)
        self.answer_p99_s = percentile(answers, 0.99)
        self.answer_longest_s = max(answers)


class SyncShop:
    """A provisioned store; HQ holds so many members' records. Nothing runs before it is started."""

    def __init__(self, folder: Path, members: int) -> None:
        self.members = members
        self.store = Store(folder, Plan(POLICY))
        self.instance = instance(Collection.MEMBERS, self.store.plan.store)
        self._put(self.instance, ((pseudonym(number), body(number)) for number in range(members)), _AT_ONCE)
        self._put_keys(now_ms() // _DAY_MS)

    def _put(self, title: str, changes: Iterable[tuple[bytes, bytes]], at_once: int) -> None:
        """Commits records at HQ, so many in a transaction."""
        waiting = list(changes)
        for at in range(0, len(waiting), at_once):
            with writing(self.store.office.engine) as connection:
                commit = records.begin(connection, [title])
                for key, content in waiting[at : at + at_once]:
                    commit.put(title, key, content)
                commit.write(now_ms())

    def _put_keys(self, today: int) -> None:
        """Today's keyring, whole: HQ's clock has nothing to add."""
        buckets: dict[bytes, list[tuple[bytes, tuple[bytes, ...]]]] = {}
        for number in range(self.members):
            one = pseudonym(number)
            buckets.setdefault(bucket_key(one), []).append((one, (blake2b(one, digest_size=16).digest(),)))
        title = instance(Collection.KEYRING, self.store.plan.store, today)
        with writing(self.store.office.engine) as connection:
            records.make_instance(connection, Collection.KEYRING, self.store.plan.store, today)
            connection.execute(update(instances).where(instances.c.name == title).values(filled=KEYRING_BUCKETS))
        packed = ((key, keyring.pack(sorted(entries))) for key, entries in buckets.items())
        self._put(title, packed, 64)

    def change(self, count: int, version: int, at_once: int) -> None:
        """So many members' records become others."""
        step = max(1, self.members // count)
        numbers = range(0, step * count, step)
        self._put(self.instance, ((pseudonym(number), body(number, version)) for number in numbers), at_once)

    # --- the gateway -------------------------------------------------------------------------------------------------

    def start_gateway(self) -> None:
        """Starts the gateway and returns when it serves."""
        self.store.start_gateway()
        self.store.wait_ready("gateway")

    def ask(self) -> tuple[Light, float]:
        """The light, and how many seconds the answer took."""
        asked = time.perf_counter()
        return self.store.light().light, time.perf_counter() - asked

    def wait_live(self, within_s: float) -> Waited:
        """Asks for the status again and again until the store is live."""
        began, unlocked_s, answers = time.monotonic(), None, []
        while time.monotonic() < began + within_s:
            light, took_s = self.ask()
            answers.append(took_s)
            since_s = time.monotonic() - began
            if unlocked_s is None and light is not Light.LOCKED:
                unlocked_s = since_s
            if light is Light.LIVE:
                return Waited(unlocked_s or 0.0, since_s, answers)
            self.store.children.check()
            time.sleep(_LOOK_S)
        raise RuntimeError(f"the store was not live within {within_s:.0f} s: {self.store.light().reason}")

    def counter(self, name: str) -> int:
        """One of the operator's counters; 0 where there is none."""
        return next((one.value for one in self.store.status().counters if one.name == name), 0)

    def wait_counter(self, name: str, least: int, within_s: float) -> float:
        """Waits until a counter is so high; how long that took."""
        began = time.monotonic()
        while self.counter(name) < least:
            if time.monotonic() > began + within_s:
                raise RuntimeError(f"{name} stays below {least}")
            time.sleep(0.1)
        return time.monotonic() - began

    def written_bytes(self) -> int:
        """What the gateway caused to be written to the disk since it started (proc(5), write_bytes)."""
        return self._figure("io", "write_bytes")

    def resident_bytes(self) -> int:
        """The gateway's resident set."""
        return self._figure("status", "VmRSS") * 1024

    def peak_bytes(self) -> int:
        """The highest that it was."""
        return self._figure("status", "VmHWM") * 1024

    def cpu_s(self, name: str) -> float:
        """The CPU time of a program, its own alone."""
        content = Path(f"/proc/{self.store.children.pid(name)}/stat").read_text(encoding="ascii")
        fields = content.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def _figure(self, file: str, name: str) -> int:
        lines = Path(f"/proc/{self.store.children.pid('gateway')}/{file}").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


@contextmanager
def sync_shop(members: int) -> Iterator[SyncShop]:
    """In a folder of its own, which is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="consentry-bench-"))
    try:
        made = SyncShop(folder, members)
        try:
            yield made
        finally:
            made.store.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
