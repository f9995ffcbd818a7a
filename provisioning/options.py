"""The options of `consentry-provision`, and its help.

Pure: no I/O, no clock.
"""

import argparse
from pathlib import Path
from typing import Final

from provisioning.settings import STORE_FORM
from provisioning.sign_texts import TEXTS, Paper
from runtime import cli
from wire.receivers import ReceiverKind

_DESCRIPTION: Final = """\
Writes what HQ, its MQTT broker and each store's box need to begin: keys, certificates, configuration,
broker settings and systemd units. It works in one folder, kept by whoever runs HQ:

  settings.toml, authority/     yours alone: keep it offline and backed up
  hq/  broker/  stores/ID/      one bundle for one machine, to be brought there and installed
  satellites/ID/NAME/           the same for a store's further boxes with radios
  tablets/ID/                   what the tablets of a store have to trust
  receivers/ID/NAME/            what a cheap receiver of a store has to be told

Every command can be run again: it writes only what is missing, changed or about to expire, and goes on where an
earlier run was interrupted. No key is ever printed."""
_EPILOG: Final = """\
examples:
  consentry-provision hq --broker-host mqtt.example.com      HQ and its broker
  consentry-provision store berlin-1                         a store's box
  consentry-provision tablet berlin-1                        how its tablets are paired
  consentry-provision sign berlin-1 --hq https://hq.example.com     the sign for its door
  consentry-provision install consentry-folder/stores/berlin-1     as root, on the box
  consentry-provision satellite berlin-1 back --radio shoes-2=00:1A:7D:DA:71:13
  consentry-provision receiver berlin-1 OMG_door --kind openmqttgateway --node door-1
  consentry-provision rotate store berlin-1                  a new broker certificate; the old one is refused
  consentry-provision hq-keys rotate                         new keys of HQ; `retire` takes the old ones away
  consentry-provision store berlin-1 --remove                the store may come no more
  consentry-provision doctor                                 what expires, what is missing, is the broker there

exit codes: 0 done or nothing to do, 1 doctor found something, 2 wrong options, 69 cannot go on, 78 broken settings"""


def parser() -> argparse.ArgumentParser:
    """The parser; `command` is hq, store, satellite, receiver, tablet, sign, rotate, hq-keys, install or doctor."""
    found = cli.parser("consentry-provision", _DESCRIPTION, epilog=_EPILOG)
    commands = found.add_subparsers(dest="command", required=True, metavar="COMMAND")

    hq = _command(commands, "hq", "HQ and its broker: authority, keys, certificates, configuration")
    hq.add_argument("--broker-host", metavar="NAME", help="the broker's DNS name or IP address (needed the first time)")
    hq.add_argument("--broker-port", type=int, metavar="PORT", help="its port (default 8883)")
    hq.add_argument("--broker-listen", metavar="ADDRESS", help="the address it listens on (default: all)")
    hq.add_argument(
        "--broker-name", dest="broker_names", action="append", metavar="NAME", help="a further name in its certificate"
    )
    hq.add_argument(
        "--broker-more-host", dest="broker_more_hosts", action="append", metavar="HOST[:PORT]",
        help="another node of its cluster, tried in turn",
    )  # fmt: skip
    hq.add_argument("--database", metavar="URL", help="HQ's database, for SQLAlchemy (default: SQLite in /var/lib)")
    hq.add_argument("--web-url", metavar="URL", help="how phones reach HQ's web: https://NAME[:PORT]")
    hq.add_argument("--web-name", metavar="NAME", help="the retailer, as members know it")
    hq.add_argument("--web-port", type=int, metavar="PORT", help="the port it listens on (default 8444)")
    hq.add_argument(
        "--web-certificate", type=Path, metavar="FILE",
        help="the PEM chain on HQ's machine, of a public authority (default: plain HTTP on loopback, behind a proxy)",
    )  # fmt: skip
    hq.add_argument(
        "--in-place", action="store_true", default=None, help="run all from the folder, without systemd: for a trial"
    )
    hq.add_argument("--state-dir", type=Path, metavar="DIR", help="where HQ keeps its database")

    store = _command(commands, "store", "one store's box: identity, certificates, configuration, units")
    store.add_argument("store", metavar="ID", help=STORE_FORM)
    store.add_argument(
        "--radio",
        dest="radios",
        action="append",
        metavar="NODE[=ADDRESS]",
        help="a radio of the box: its name in policy (default edge-1), and its address; may be given several times",
    )
    store.add_argument("--company-id", type=_number, metavar="N", help="of the phones' adverts, as 0xFFFF")
    store.add_argument(
        "--tablet-name",
        dest="tablet_names",
        action="append",
        metavar="NAME",
        help="a name or address by which tablets call the box (default ID.local); may be given several times",
    )
    store.add_argument("--tablet-listen", metavar="ADDRESS", help="the address for tablets (default: all)")
    store.add_argument("--tablet-port", type=int, metavar="PORT", help="the port for tablets (default 8443)")
    store.add_argument("--state-dir", type=Path, metavar="DIR", help="where the gateway keeps its cache")
    store.add_argument("--runtime-dir", type=Path, metavar="DIR", help="where the gateway's sockets are")
    store.add_argument("--remove", action="store_true", help="revoke its certificates and remove its files")

    store.add_argument("--receivers-listen", metavar="ADDRESS", help="the address for satellites (default: all)")
    store.add_argument("--receivers-port", type=int, metavar="PORT", help="the port for satellites (default 8884)")
    store.add_argument("--passwords-port", type=int, metavar="PORT", help="the port for cheap receivers (default 8885)")

    bells = store.add_argument_group("bells, lights and headsets, told that help waits in a zone; '' takes one away")
    bells.add_argument("--on-help-webhook", metavar="URL", help="gets a signed POST")
    bells.add_argument("--on-help-broker", metavar="HOST[:PORT]", help="an MQTT broker in the store")
    bells.add_argument("--on-help-ca", type=Path, metavar="FILE", help="their authority, as it is called on the box")
    bells.add_argument("--on-help-login", metavar="NAME", help="of the gateway at that broker")
    bells.add_argument("--on-help-topic", metavar="TOPIC", help="below which is told (default consentry/help)")
    bells.add_argument("--on-help-role", metavar="ROLE", help="whose roster rings (default associate)")

    satellite = _command(commands, "satellite", "a further box with radios in a store: its bundle")
    satellite.add_argument("store", metavar="ID", help="the store")
    satellite.add_argument("name", metavar="NAME", help=STORE_FORM)
    satellite.add_argument(
        "--radio",
        dest="radios",
        action="append",
        metavar="NODE[=ADDRESS]",
        help="a radio of that box: its name in policy, and its address; may be given several times",
    )
    _change(satellite, "a new key and certificate; the old one is revoked")

    receiver = _command(commands, "receiver", "a cheap receiver in a store: its account, and how it is set up")
    receiver.add_argument("store", metavar="ID", help="the store")
    receiver.add_argument("name", metavar="NAME", help="the name that it bears itself: A-Z, a-z, 0-9, - and _")
    receiver.add_argument(
        "--kind",
        choices=[one.value for one in ReceiverKind if one is not ReceiverKind.SATELLITE],
        help="which program it runs (needed the first time)",
    )
    receiver.add_argument("--node", metavar="NODE", help="its name in policy (needed the first time)")
    _change(receiver, "a new password; the old one is refused")

    tablet = _command(commands, "tablet", "what a store's tablets have to trust, and how to pair one")
    tablet.add_argument("store", metavar="ID", help="the store")

    sign = _command(
        commands, "sign", "the sign for a store's door: what happens there and how to leave, as PDF to print",
        "The QR code leads to HQ's public page for this store. There are: "
        + ", ".join(sorted(TEXTS)) + "; other languages need a text in provisioning/sign_texts.py.",
    )  # fmt: skip
    sign.add_argument("store", metavar="ID", help="the store")
    sign.add_argument("--hq", required=True, metavar="URL", help="HQ's public address, as https://hq.example.com")
    sign.add_argument("--name", metavar="TEXT", help="what people call the store (default: its id)")
    sign.add_argument(
        "--language", dest="languages", action="append", choices=sorted(TEXTS),
        help="a page in this language; may be given several times (default: all)",
    )  # fmt: skip
    sign.add_argument("--paper", choices=[one.value for one in Paper], help="one size (default: each)")

    rotate = _command(commands, "rotate", "a new key and certificate; the old one is revoked")
    rotate.add_argument(
        "what", choices=["hq", "broker", "store", "tablets"],
        help="HQ's or a store's certificate for the broker, the broker's own, or the one a store's tablets see",
    )  # fmt: skip
    rotate.add_argument("store", metavar="ID", nargs="?", help="the store, for store and tablets")

    hq_keys = _command(
        commands, "hq-keys", "HQ's own keys: new ones beside the old, and the old ones away",
        """\
signing and sealing, in two steps:
  consentry-provision hq-keys rotate      then install hq/ and restart each consentry-hq; stores learn the new keys
  consentry-provision hq-keys retire      once every store has said hello since; install hq/ and restart again
the wrapping key, under which HQ's database is sealed:
  consentry-provision hq-keys rotate-wrapping                   then install hq/, restart each consentry-hq
  consentry-hq keys rewrap                                      tells the new key's name when nothing is left
  consentry-provision hq-keys retire-wrapping --name NAME       then install hq/, restart each consentry-hq""",
    )  # fmt: skip
    hq_keys.add_argument("what", choices=["rotate", "retire", "rotate-wrapping", "retire-wrapping"])
    hq_keys.add_argument("--name", metavar="HEX", default="", help="of the wrapping key in use, for retire-wrapping")

    bundle = commands.add_parser("install", help="as root on a machine: put a bundle in place, its secrets sealed")
    bundle.add_argument("bundle", type=Path, metavar="BUNDLE", help="hq/, broker/, stores/ID/ or satellites/ID/NAME/")
    bundle.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="where / is (default: /)")
    bundle.add_argument("--dry-run", action="store_true", help="show what would change, and change nothing")

    doctor = _command(commands, "doctor", "examine the folder and the broker; change nothing")
    doctor.add_argument("--offline", action="store_true", help="do not call the broker")
    return found


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, words: str, epilog: str | None = None
) -> argparse.ArgumentParser:
    found = commands.add_parser(
        name, help=words, description=words[0].upper() + words[1:] + ".", epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    found.add_argument(
        "--folder", type=Path, default=Path("consentry-folder"), metavar="DIR", help="default: ./consentry-folder"
    )
    found.add_argument("--units", type=Path, metavar="DIR", help=argparse.SUPPRESS)
    if name != "doctor":
        found.add_argument("--dry-run", action="store_true", help="show what would change, and change nothing")
    return found


def _change(command: argparse.ArgumentParser, words: str) -> None:
    choice = command.add_mutually_exclusive_group()
    choice.add_argument("--rotate", action="store_true", help=words)
    choice.add_argument("--remove", action="store_true", help="it may come no more; its files are removed")


def _number(text: str) -> int:
    """Decimal, or hexadecimal after 0x."""
    return int(text, 0)
