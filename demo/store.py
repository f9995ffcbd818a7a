"""One store with its HQ in one folder: provisioned, then run by the real programs on free ports of loopback.

What differs from a store is told by configuration: everything runs from the folder, as one account, on one machine.

I/O: the folder, loopback sockets, HQ's database.
"""

import getpass
import json
import os
import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from demo import broker
from demo.children import Children, python
from demo.errors import DemoError
from demo.tablet import Address
from hq import keys, policy_file
from hq.database import open_database
from hq.office import Office
from hq.settings import Settings as HqSettings
from provisioning import apply
from provisioning import settings as provisioning
from runtime import config
from store_gateway import operator
from wire import query

START_S: Final = 30.0
NODE: Final = "edge-1"
_LOOK_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Plan:
    """What to set up. `http`: plain HTTP for tablets, as the demo has it, else TLS; `tablet_port` 0: any free one.

    `store` is the one that runs; `others` are provisioned and known to HQ, and run nowhere. `policy` is published at
    once. `embedded`: amqtt even where mosquitto is installed. `web`: HQ's web too, by plain HTTP.
    """

    policy: Path
    store: str = "demo"
    others: tuple[str, ...] = ()
    http: bool = False
    tablet_port: int = 0
    embedded: bool = False
    web: bool = False


class Store:
    """The folder and what runs in it. Nothing runs before it is started; `close` ends all."""

    def __init__(self, folder: Path, plan: Plan, extra_environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.plan = plan
        self.children = Children(folder, extra_environment)
        self.broker_port = free_port()
        self.tablet_port = plan.tablet_port or free_port()
        self.web_port = free_port() if plan.web else 0
        self.at = folder / "stores" / plan.store
        self._provision()
        settings = config.load(self.hq_config, HqSettings)
        self.database = Path(settings.database.removeprefix("sqlite:///"))
        self.database.parent.mkdir(exist_ok=True)
        self.office = Office(open_database(settings.database), keys.load(settings.keys, settings.credentials_dir))
        self._open_shop()

    @property
    def hq_config(self) -> Path:
        """HQ's configuration file."""
        return self.folder / "hq/etc/consentry/hq.toml"

    @property
    def web_address(self) -> str:
        """Where HQ's web is."""
        return f"http://localhost:{self.web_port}"

    def config_of(self, program: str) -> Path:
        """The configuration file of edge, gateway or tablets."""
        return self.at / f"etc/consentry/{program}.toml"

    @property
    def address(self) -> Address:
        """Where this store's tablet API is."""
        if self.plan.http:
            return Address(broker.HOST, self.tablet_port)
        authority = self.folder / f"tablets/{self.plan.store}/store-authority.pem"
        return Address(broker.HOST, self.tablet_port, str(authority))

    def _provision(self) -> None:
        hq = provisioning.HqSettings(
            broker_host=broker.HOST,
            broker_port=self.broker_port,
            broker_listen=broker.HOST,
            in_place=True,
            unix_user=account(),
            web_url=self.web_address if self.plan.web else None,
            web_name="Consentry",
            web_port=self.web_port or 8444,
        )
        own = provisioning.StoreSettings(
            radios=(NODE,),
            tablet_names=(broker.HOST, "localhost"),
            tablet_listen=broker.HOST,
            tablet_port=self.tablet_port,
            demo_http=self.plan.http,
        )
        others = {name: provisioning.StoreSettings(tablet_names=("localhost",)) for name in self.plan.others}
        estate = provisioning.Estate(hq, {self.plan.store: own, **others})
        apply.provision(self.folder, estate, datetime.now(UTC))
        for place in ("run", "state"):  # systemd makes them on a box
            (self.at / place).mkdir(mode=0o750, exist_ok=True)

    def _open_shop(self) -> None:
        """Tells HQ of the stores, as `consentry-hq store add` does, and publishes the policy."""
        draft = policy_file.read(self.plan.policy)
        for name in (self.plan.store, *self.plan.others):
            row = json.loads((self.folder / f"stores/{name}/store.json").read_text())
            label = next((one.label for one in draft.stores if one.store == name), name)
            self.office.add_store(name, label, bytes.fromhex(row["identity"]), draft.name, now_ms())
        self.office.publish_policy(draft, now_ms())

    def start_broker(self) -> None:
        """Starts the broker."""
        broker.start(self.children, self.folder / "broker", self.broker_port, self.plan.embedded)

    def start_hq(self) -> None:
        """Starts `consentry-hq serve`."""
        self._start("hq", python("hq", "serve", "--config", self.hq_config))

    def start_web(self) -> None:
        """Starts `consentry-hq web`."""
        self._start("web", python("hq", "web", "--config", self.hq_config))

    def start_gateway(self) -> None:
        """Starts `consentry-gateway`."""
        self._start("gateway", python("store_gateway", "--config", self.config_of("gateway")))

    def start_tablets(self) -> None:
        """Starts `consentry-tablets`."""
        self._start("tablets", python("tablet_api", "--config", self.config_of("tablets")))

    def start_probe(self) -> None:
        """Starts `consentry-probe`."""
        self._start("probe", python("probe", "--config", self.config_of("probe")))

    def start_edge(self, replay: bool) -> None:
        """Starts `consentry-edge`, which hears BlueZ or reads adverts from its standard input."""
        source = ("replay", "-") if replay else ()
        self._start("edge", python("edge", "--config", self.config_of("edge"), *source), reads=replay)

    def start(self, replay: bool) -> None:
        """Starts all, together, and returns when each is ready."""
        self.start_broker()
        self.start_hq()
        self.start_gateway()
        self.start_tablets()
        self.start_edge(replay)
        self.wait_ready("hq", "gateway", "tablets", "edge")

    def wait_ready(self, *names: str) -> None:
        """Returns when each of these is ready. Raises: DemoError."""
        for name in names:
            self.children.wait_ready(name, START_S)

    def _start(self, name: str, command: list[str], reads: bool = False) -> None:
        self.children.start(name, command, reads=reads)

    def status(self) -> query.Status:
        """How the store is, as `consentry-gateway status` asks for it. Raises: UnavailableError."""
        reply = operator.ask(self.at / "run/operator.sock", query.AskStatus())
        assert isinstance(reply, query.Status)
        return reply

    def light(self) -> query.Lease:
        """Whether the store may disclose. Raises: UnavailableError."""
        return self.status().lease

    def wait_live(self, within_s: float) -> None:
        """Returns when the store may disclose. Raises: DemoError, with the reason where it may not for so long."""
        lease = self.light()
        for _ in range(round(within_s / _LOOK_S)):
            if lease.light is query.Light.LIVE:
                return
            self.children.check()
            self.children.pause(_LOOK_S)
            lease = self.light()
        raise DemoError(f"the store stays {lease.light}: {lease.reason}", "look at the programs' logs")

    def pairing_code(self) -> str:
        """A one-time code, as `consentry-gateway pair` asks for it. Raises: DemoError, UnavailableError."""
        reply = operator.ask(self.at / "run/operator.sock", query.MintPairing())
        if not isinstance(reply, query.PairingCode):
            raise DemoError("the gateway gives no pairing code", "look at its log")
        return reply.code

    def close(self) -> None:
        """Ends all programs and leaves the folder, without open files in it."""
        self.children.stop_all()
        self.office.engine.dispose()


def account() -> str:
    """The account that runs this: its name, or its number where it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def now_ms() -> int:
    """Unix milliseconds UTC, for HQ's calls."""
    return time.time_ns() // 1_000_000


def free_port(first: int = 0, tries: int = 1) -> int:
    """A free port of loopback: any, or the first free one of `tries` from `first` on.

    Raises: DemoError where none of these is free.
    """
    for number in range(first, first + tries):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((broker.HOST, number))
            except OSError:
                continue
            port: int = probe.getsockname()[1]
            return port
    raise DemoError(f"no port from {first} to {first + tries - 1} is free", "end what uses them")
