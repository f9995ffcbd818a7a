"""A provisioned HQ of several processes and a store's box, over an engine of `tests.clusters.engines`.

HQ's processes are the real program. The box is the real replica on the real link, in a thread of this process, so that
a test can ask what it holds and would show at any instant.

I/O: processes, the folder, HQ's database, the clock.
"""

import itertools
import json
import queue
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select

from demo.store import account
from hq import keys as hq_keys
from hq import policy_file, records
from hq.database import open_database, reading
from hq.door import Grant
from hq.office import Office
from hq.process_tables import processes
from hq.rendezvous import owner
from hq.settings import Settings as HqSettings
from hq.tables import audience, incarnations, store_events
from provisioning import apply
from provisioning import settings as provisioning
from runtime import config
from store_gateway import keys as box_keys
from store_gateway.hq_link import HqLink
from store_gateway.replica import Replica
from store_gateway.settings import Settings as GatewaySettings
from tests.clusters.engines import HOST, Engine, until
from wire import sync
from wire.member import Field, SourceClass, Value, ValueClass
from wire.query import Light

T = TypeVar("T")

TOP = Path(__file__).parents[2]
POLICY = TOP / "tests/system/policy.toml"
LEASE_S = 6  # as that policy says
STORE, OTHER = "berlin-1", "paris-2"
ROLES = ("associate", "manager")
SCOPE = "size.shoe"
PATIENCE_S = 90.0
_SLICE = 256  # rows of what nobody waits for, between two turns


def now_ms() -> int:
    """HQ's clock."""
    return time.time_ns() // 1_000_000


def boot_s() -> float:
    """The box's clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Box:
    """One store's replica on its link, on a thread that owns it."""

    def __init__(self, settings: GatewaySettings, folder: Path) -> None:
        self.store = settings.store
        keys = box_keys.load(settings.hq_root_key, settings.hq_keys, settings.credentials_dir)
        self._replica = Replica(settings.store, folder / f"{settings.store}.db", keys, "test")
        self._turns: queue.Queue[Callable[[], None]] = queue.Queue()
        self._link = HqLink(
            settings,
            lambda payload, fast: self._turns.put(lambda: self._hear(payload, fast)),
            lambda up: self._turns.put(lambda: self._replica.on_link(up, boot_s())),
        )
        self._ended = threading.Event()
        self.fast = 0  # payloads of the fast lane
        self.faults: list[BaseException] = []
        self.watch: Callable[[Replica, float], None] = lambda replica, now_s: None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._link.start()

    def _hear(self, payload: bytes, fast: bool) -> None:
        self.fast += fast
        self._replica.on_payload(payload, fast, boot_s())

    def _run(self) -> None:
        more = False
        try:
            while not self._ended.is_set():
                with suppress(queue.Empty):
                    self._turns.get(timeout=0.001 if more else 0.05)()
                self._replica.tick(boot_s())
                _, more = self._replica.work(_SLICE, boot_s())
                for payload in self._replica.outgoing():
                    self._link.publish(payload)
                self.watch(self._replica, boot_s())
        except BaseException as error:  # told by the test that waits, not by a thread that nobody hears
            self.faults.append(error)
            raise

    def ask(self, what: Callable[[Replica], T]) -> T:
        """What the replica says, on its own thread, between two messages."""
        answers: queue.Queue[T] = queue.Queue()
        self._turns.put(lambda: answers.put(what(self._replica)))
        return answers.get(timeout=PATIENCE_S)

    def is_live(self) -> bool:
        """Whether the store may disclose."""
        return self.ask(lambda replica: replica.lease(boot_s()).light is Light.LIVE)

    def wait_live(self) -> None:
        """Returns when it may."""
        until(self.is_live, PATIENCE_S, f"a lease: {self.ask(lambda replica: replica.counters())}")

    def held(self) -> dict[str, tuple[bytes, int]]:
        """Root and count of every instance."""
        return self.ask(_held)

    def close(self) -> None:
        """Hangs up and lets go of the file."""
        self._ended.set()
        self._thread.join(20)
        self._link.stop()
        self._replica.close()


def _held(replica: Replica) -> dict[str, tuple[bytes, int]]:
    vault = replica._hq.vault
    return {} if vault is None else {one.instance: (one.root, one.count) for one in vault.holdings.held()}


def shows(replica: Replica, pseudonym: bytes, now_s: float) -> bool:
    """Whether the store could show the member's shoe size now."""
    if replica.lease(now_s).light is not Light.LIVE:
        return False
    found, denied = replica.member(pseudonym), replica.denied(pseudonym)
    if found is None or denied.everything:
        return False
    return SCOPE in {one.scope for one in found.fields} - denied.scopes


class Estate:
    """Everything above one engine, in one folder."""

    def __init__(self, folder: Path, engine: Engine, database: str) -> None:
        self.folder, self.engine = folder, engine
        hq = provisioning.HqSettings(
            broker_host=HOST, broker_port=engine.ports[0], broker_listen=HOST, in_place=True, unix_user=account(),
            broker_more_hosts=tuple(f"{HOST}:{port}" for port in engine.ports[1:]),
        )  # fmt: skip
        stores = {name: provisioning.StoreSettings(tablet_names=("localhost",)) for name in (STORE, OTHER)}
        apply.provision(folder, provisioning.Estate(hq, stores), datetime.now(UTC))
        self._hq_config = folder / "hq/etc/consentry/hq.toml"
        text = re.sub(r"(?m)^database = .*$", f'database = "{database}"', self._hq_config.read_text())
        self._hq_config.write_text(text)
        settings = config.load(self._hq_config, HqSettings)
        assert settings.database == database
        assert len(settings.broker.addresses) == len(engine.ports)
        self.office = Office(open_database(database), hq_keys.load(settings.keys, settings.credentials_dir))
        draft = policy_file.read(POLICY)
        for name in stores:
            row = json.loads((folder / f"stores/{name}/store.json").read_text())
            self.office.add_store(name, name, bytes.fromhex(row["identity"]), draft.name, now_ms())
        self.office.publish_policy(draft, now_ms())
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._numbers = itertools.count(1)
        self.boxes: list[Box] = []
        engine.start(folder / "broker/etc/mosquitto/consentry", list(stores))

    @property
    def is_cluster(self) -> bool:
        """Whether the engine has several nodes."""
        return len(self.engine.ports) > 1

    # --- HQ's processes ----------------------------------------------------------------------------------------------

    def start_hq(self, name: str) -> None:
        """Starts one `consentry-hq serve` and returns when it has its place."""
        with self.log(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", "hq", "serve", "--config", str(self._hq_config)],
                cwd=TOP, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        until(lambda: self.id_of(name) is not None, PATIENCE_S, f"the start of {name}")

    def log(self, name: str) -> Path:
        """What a process said."""
        return self.folder / f"{name}.log"

    def id_of(self, name: str) -> bytes | None:
        """The process's id among the others, as it said last."""
        found = re.findall(r"event=place .*\bid=([0-9a-f]{16})", self.log(name).read_text())
        return bytes.fromhex(found[-1]) if found else None

    def answering(self, store: str = STORE) -> str:
        """The name of the process that answers for a store."""
        with reading(self.office.engine) as connection:
            live = connection.scalars(select(processes.c.id).where(processes.c.until_ms > now_ms())).all()
        chosen = owner(store, live)
        return next(name for name in self._processes if self.id_of(name) == chosen)

    def end_hq(self, name: str, number: signal.Signals) -> None:
        """Ends one process."""
        running = self._processes.pop(name)
        running.send_signal(number)
        running.wait(30)

    # --- the store ---------------------------------------------------------------------------------------------------

    def open_box(self, store: str = STORE) -> Box:
        """A store's box, connected."""
        settings = config.load(self.folder / f"stores/{store}/etc/consentry/gateway.toml", GatewaySettings)
        made = Box(settings, self.folder)
        self.boxes.append(made)
        return made

    # --- members -----------------------------------------------------------------------------------------------------

    def join(self) -> str:
        """A new member who shares the shoe size with both stores."""
        member, at_ms = f"member-{next(self._numbers)}-{secrets.token_hex(4)}", now_ms()
        chosen_s = at_ms // 1000 - 240  # within what clocks may differ from the publication of the notices
        self.office.add_member(member, 21, "DE", at_ms)
        self.edit(member, "42")
        self.office.grant(member, Grant("presence", (STORE, OTHER), ROLES, until_days=300, chosen_s=chosen_s), at_ms)
        self.office.grant(
            member, Grant("assist", (STORE, OTHER), ROLES, (SCOPE,), until_days=300, chosen_s=chosen_s), at_ms
        )
        self.office.add_phone(member, at_ms)
        return member

    def edit(self, member: str, value: str) -> None:
        """Another shoe size."""
        at_s = now_ms() // 1000
        field = Field(SCOPE, Value(text=value), SourceClass.ZERO, "app", ValueClass.PERSONAL, at_s, at_s)
        self.office.set_profile(member, [field], now_ms())

    def pseudonym(self, member: str, store: str = STORE) -> bytes:
        """The member's name in a store."""
        with reading(self.office.engine) as connection:
            reference = self.office.keys.custody.reference(connection, member)
            wanted = select(audience.c.pseudonym).where(audience.c.member == reference, audience.c.store == store)
            return bytes(connection.scalar(wanted))

    # --- what must hold ----------------------------------------------------------------------------------------------

    def roots(self, store: str = STORE) -> dict[str, tuple[bytes, int]]:
        """Root and count of every instance of a store at HQ."""
        with reading(self.office.engine) as connection:
            return {one.name: (one.node.root, one.node.count) for one in records.of_store(connection, store)}

    def events(self, store: str = STORE) -> list[Any]:
        """A store's withdrawals as HQ holds them, by number."""
        with reading(self.office.engine) as connection:
            wanted = select(store_events).where(
                store_events.c.store == store, store_events.c.kind == int(sync.EventKind.WITHDRAWAL)
            )
            return list(connection.execute(wanted.order_by(store_events.c.number)))

    def lost(self, store: str = STORE) -> int:
        """How many numbers of a store's events HQ passed over."""
        with reading(self.office.engine) as connection:
            return sum(connection.scalars(select(incarnations.c.lost).where(incarnations.c.store == store)))

    def close(self) -> None:
        """Ends all."""
        for box in self.boxes:
            box.close()
        for name in list(self._processes):
            self.end_hq(name, signal.SIGKILL)
        self.engine.close()
        self.office.engine.dispose()
