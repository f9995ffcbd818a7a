"""The gateway's program: wires its parts together, serves a store, and asks a running one.

I/O: everything below it; reads the clock and handles the end.
"""

import argparse
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from runtime import cli, config, garbage, logs
from runtime.base64url import from_text
from runtime.errors import UnavailableError
from runtime.logs import Log
from runtime.notify import Notify
from store_gateway import keys, operator, sockets, tablet_list, trust_text
from store_gateway.counts import Counts
from store_gateway.gateway import Gateway
from store_gateway.help_news import Hook
from store_gateway.hq_link import HqLink
from store_gateway.inbox import Inbox
from store_gateway.keyring import TableMaker
from store_gateway.loop import Asked, Datagram, Gone, Heard, Item, Linked, Loop, Payload, Stop, Verdict
from store_gateway.on_help import HelpHooks
from store_gateway.pins import PinChecker
from store_gateway.receivers_link import ReceiversLink
from store_gateway.replica import Replica
from store_gateway.settings import Settings
from store_gateway.streams import Door, Streams
from wire import query

PROGRAM = "consentry-gateway"
CONFIG = Path("/etc/consentry/gateway.toml")
SIGHTINGS, TABLETS, OPERATOR, PROBE = "sightings.sock", "tablets.sock", "operator.sock", "probe.sock"
CACHE = "cache.db"
_ALIVE_S = 1.0
_SWITCH_S = 0.001  # a thread that reads sockets must not hold the state thread for 5 ms
_EPILOG = """\
commands:
  serve    serve the store (the default)
  pair     print a one-time code with which a tablet is paired, as a QR code too
  trust    print where tablets come to trust this box, and the fingerprint to compare
  tablets  print the paired tablets, with their browsers and who is signed in
  unpair   end a tablet's pairing by its id, and whoever is signed in on it
  status   print how the store is
  retry    try now again what does not agree with HQ and is quarantined
  check    read the whole cache now and prove it; its end is in the log and in the status
  explain  say which rule decided about an item on a visit's card; it is recorded as a look of --role
"""

_ASKED: dict[str, query.Request] = {
    "pair": query.MintPairing(),
    "tablets": query.AskTablets(None),
    "status": query.AskStatus(),
    "retry": query.Upkeep(query.Task.RETRY),
    "check": query.Upkeep(query.Task.CHECK),
}

_ID_BYTES = 64
_HANDLE_BYTES = 16

_log = Log("gateway")


def boot_s() -> float:
    """CLOCK_BOOTTIME in seconds: it goes on while the box sleeps, and nobody can set it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def main() -> None:
    """The console script `consentry-gateway`."""
    description = "Consentry's gateway: a store's only holder of keys and cache. It decides what a tablet may show."
    parser = cli.parser(PROGRAM, description, CONFIG, _EPILOG)
    parser.add_argument("command", nargs="?", choices=("serve", *_ASKED, "unpair", "trust", "explain"), default="serve")
    of = "for `unpair`: the tablet's id, as `tablets` prints it; for `explain`: the visit's handle"
    parser.add_argument("of", nargs="?", metavar="TABLET|HANDLE", help=of)
    parser.add_argument("item", nargs="?", metavar="ITEM", help="for `explain`: its id in the catalog")
    role = "for `explain`: the role in which you ask, which the member must let see suggestions (default: associate)"
    parser.add_argument("--role", default="associate", metavar="ROLE", help=role)
    parser.add_argument("--log", type=logs.Level, choices=list(logs.Level), default=logs.Level.INFO, help="how much")
    parser.add_argument(
        "--tablets-url",
        metavar="URL",
        help="where tablets find this box, for `pair` and `trust` (default: its first name)",
    )
    arguments = parser.parse_args()
    cli.run(lambda: _run(arguments), "gateway")


def _run(arguments: argparse.Namespace) -> int:
    settings = config.load(arguments.config, Settings)
    if arguments.command == "serve":
        logs.setup(PROGRAM, arguments.log)
        return serve(arguments.config, settings)
    if arguments.command == "unpair":
        return _unpair(settings, arguments.of)
    if arguments.command == "explain":
        return _explain(settings, arguments.of, arguments.item, arguments.role)
    url = arguments.tablets_url or trust_text.address(settings.tablets, socket.gethostname())
    if arguments.command == "trust":
        if settings.tablets is None:
            raise UnavailableError("no authority is configured", "provision the store again, and install its bundle")
        sys.stdout.write(operator.qr(trust_text.link(url)) + "\n" + trust_text.sheet(settings.tablets, url))
        return 0
    reply = operator.ask(settings.runtime_dir / OPERATOR, _ASKED[arguments.command])
    if isinstance(reply, query.PairingCode):
        sys.stdout.write(operator.pairing_text(reply, url))
        if settings.tablets is not None:
            sys.stdout.write(trust_text.sheet(settings.tablets, url))
    elif isinstance(reply, query.Tablets):
        sys.stdout.write(tablet_list.text(reply))
    elif isinstance(reply, query.Status):
        sys.stdout.write(operator.status_text(reply))
    elif isinstance(reply, query.Accepted):
        sys.stdout.write("begun; see `consentry-gateway status` and the log\n")
    elif isinstance(reply, query.Refused) and reply.reason is query.RefusedReason.DARK:
        raise UnavailableError("the cache is locked", "wait until HQ has unlocked it")
    else:
        raise UnavailableError("the gateway refused", "ask as one of operator_users")
    return 0


def _unpair(settings: Settings, tablet: str | None) -> int:
    if tablet is None or not 1 <= len(tablet.encode()) <= _ID_BYTES:
        raise UnavailableError("no tablet", "name its id, as `consentry-gateway tablets` prints it")
    reply = operator.ask(settings.runtime_dir / OPERATOR, query.Unpair(None, tablet))
    if isinstance(reply, query.Withheld):
        raise UnavailableError("no such tablet", "name its id, as `consentry-gateway tablets` prints it")
    if not isinstance(reply, query.Accepted):
        raise UnavailableError("the tablet is paired still", "see the gateway's log; the cache must be unlocked")
    sys.stdout.write("unpaired\n")
    return 0


def _explain(settings: Settings, handle: str | None, item: str | None, role: str) -> int:
    named = from_text(handle or "", _HANDLE_BYTES)
    if named is None or item is None or not 1 <= len(item.encode()) <= _ID_BYTES or not 1 <= len(role) <= _ID_BYTES:
        remedy = "name a visit's handle, as the card's address on a tablet has it, and an item of the catalog"
        raise UnavailableError("no visit or no item", remedy)
    reply = operator.ask(settings.runtime_dir / OPERATOR, query.Explain(named, item, role))
    if isinstance(reply, query.Withheld):
        raise UnavailableError("nothing may be told of that visit", "the member must let this role see suggestions")
    if not isinstance(reply, query.Explained):
        raise UnavailableError("the store is dark, or the gateway refused", "see `consentry-gateway status`")
    sys.stdout.write(operator.explained_text(reply))
    return 0


def serve(config_file: Path, settings: Settings) -> int:
    """Serves the store until SIGTERM or Ctrl-C."""
    sys.setswitchinterval(_SWITCH_S)
    edges = sockets.uids(settings.edge_users, config_file, "edge_users")
    tablets = sockets.uids(settings.tablet_users, config_file, "tablet_users")
    operators = sockets.uids(settings.operator_users, config_file, "operator_users")
    probes = sockets.uids(settings.probe_users, config_file, "probe_users")
    box = keys.load(settings.hq_root_key, settings.hq_keys, settings.credentials_dir, settings.tablets)
    notify = Notify.from_environment()
    inbox: Inbox[Item] = Inbox()
    sightings = sockets.bind(settings.runtime_dir / SIGHTINGS, socket.SOCK_DGRAM)
    tablet_door = sockets.bind(settings.runtime_dir / TABLETS, socket.SOCK_STREAM)
    operator_door = sockets.bind(settings.runtime_dir / OPERATOR, socket.SOCK_STREAM)
    probe_door = sockets.bind(settings.runtime_dir / PROBE, socket.SOCK_STREAM)
    software = _software()
    replica = Replica(settings.store, settings.state_dir / CACHE, box, software)
    tables = TableMaker(inbox.put)
    link = HqLink(
        settings,
        lambda payload, fast: deliver(Payload(payload, fast), inbox, gateway.counts),
        lambda up: inbox.put(Linked(up)),
    )
    receivers = (
        ReceiversLink(
            settings.store,
            settings.receivers,
            settings.credentials_dir,
            lambda heard: put_heard(Heard(heard), inbox, gateway.counts),
            boot_s,
        )
        if settings.receivers is not None
        else None
    )

    def link_counters() -> dict[str, int]:
        return {**link.counters(), **(receivers.counters() if receivers is not None else {})}

    hooks = _hooks(settings)
    hook = Hook(settings.on_help.role, hooks.ring, hooks.counters) if hooks is not None and settings.on_help else None
    gateway = Gateway(
        settings.store, software, replica, secrets.token_bytes, tables.start, link_counters, hook, _software, _aside
    )
    pins = PinChecker(lambda check, right, asked: inbox.put(Verdict(check, right, _asked(asked))))
    streams = Streams(
        [
            (tablet_door, tablets, Door.TABLETS),
            (operator_door, operators, Door.OPERATOR),
            (probe_door, probes, Door.PROBE),
        ],
        lambda line, number, request: inbox.put(Asked(line, number, request)),
        lambda line: inbox.put(Gone(line)),
        gateway.counts,
    )
    loop = Loop(gateway, inbox, pins, link.publish, _watchdog(notify), boot_s)
    hearing = threading.Thread(
        target=hear, args=(sightings, edges, probes, inbox, gateway.counts), name="sightings", daemon=True
    )
    cli.stop_on_signals(lambda: inbox.put(Stop()))
    pins.start()
    streams.start()
    hearing.start()
    link.start()
    if receivers is not None:
        receivers.start()
    if hooks is not None:
        hooks.start()
    garbage.settle()
    _log.info("started", store=settings.store, software=software)
    notify.ready("serving")
    try:
        loop.run()
    finally:
        notify.stopping()
        streams.stop()
        doors = {SIGHTINGS: sightings, TABLETS: tablet_door, OPERATOR: operator_door, PROBE: probe_door}
        for name, door in doors.items():
            (settings.runtime_dir / name).unlink(missing_ok=True)
            door.close()
        if receivers is not None:
            receivers.stop()
        if hooks is not None:
            hooks.stop()
        link.stop()
        tables.stop()
        pins.stop()
        replica.close()
        _log.info("stopped")
    return 0


def _software() -> str:
    return f"consentry/{cli.version()}"


def _hooks(settings: Settings) -> HelpHooks | None:
    if settings.on_help is None:
        return None
    return HelpHooks(settings.store, settings.on_help, settings.credentials_dir, boot_s, time.time)


def hear(
    sightings: socket.socket, edges: frozenset[int], probes: frozenset[int], inbox: Inbox[Item], counts: Counts
) -> None:
    """Puts what the edges and the probe send into the inbox, until the socket is closed."""
    while True:
        try:
            content, uid = sockets.receive(sightings)
        except OSError:
            return
        if uid in edges:
            put_heard(Datagram(content), inbox, counts)
        elif uid in probes:
            put_heard(Datagram(content, probe=True), inbox, counts)
        else:
            counts.strangers += 1


def put_heard(item: Datagram | Heard, inbox: Inbox[Item], counts: Counts) -> None:
    """Puts what was heard into the inbox, or drops and counts it where that is full."""
    if not inbox.put_sightings(item):
        counts.dropped += 1


def deliver(payload: Payload, inbox: Inbox[Item], counts: Counts) -> None:
    """Puts what the broker brings into the inbox; the fast lane overtakes any backlog."""
    put = inbox.put_fast if payload.fast else inbox.put_backlog
    if not put(payload):
        counts.late += 1


def _asked(token: object) -> Asked:
    assert isinstance(token, Asked)
    return token


def _aside(work: Callable[[], None]) -> None:
    """Runs what takes long and touches nothing of the state."""
    threading.Thread(target=work, name="aside", daemon=True).start()


def _watchdog(notify: Notify) -> Callable[[], None]:
    """Feeds systemd's watchdog from the state thread, at most once a second."""
    fed_s = 0.0

    def alive() -> None:
        nonlocal fed_s
        now_s = boot_s()
        if now_s - fed_s >= _ALIVE_S:
            fed_s = now_s
            notify.alive()

    return alive


if __name__ == "__main__":
    main()
