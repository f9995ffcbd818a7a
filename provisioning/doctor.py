"""Examines a folder: what is missing or loose, what expires, whether the broker can be spoken to.

I/O: the folder through `provisioning.apply`; one TLS connection to the broker.
"""

import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provisioning import apply, layout, plan
from provisioning.errors import LostKeyError
from provisioning.settings import Estate
from provisioning.wanted import satellite_folder, store_folder
from wire import keys
from wire.errors import WireError
from wire.receivers import ReceiverKind

_TIMEOUT_S: Final = 5.0
KEYS_WARNED_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination; `good` or something to be mended."""

    good: bool
    text: str

    def __str__(self) -> str:
        return f"{'ok  ' if self.good else 'LOOK'} {self.text}"


def examine(
    folder: Path, estate: Estate, now: datetime, units: Mapping[str, bytes] | None = None, broker: bool = True
) -> Iterator[Finding]:
    """Every finding, in the order in which one would look. Changes nothing."""
    yield from _files(folder, estate, now, units)
    yield from _certificates(folder, estate, now)
    yield from _hq_keys(folder, now)
    if broker:
        yield _broker(folder, estate)


def _files(folder: Path, estate: Estate, now: datetime, units: Mapping[str, bytes] | None) -> Iterator[Finding]:
    try:
        steps = apply.provision(folder, estate, now, units=units, dry_run=True)
    except LostKeyError as error:
        yield Finding(False, f"{error.text}: {error.remedy}")
        return
    due = plan.changes(steps)
    for step in due:
        yield Finding(
            False, f"{step.path}: run again to {step.action.value} it{f' ({step.reason})' if step.reason else ''}"
        )
    yield Finding(not due, f"{len(steps) - len(due)} of {len(steps)} files are as they should be")


def _certificates(folder: Path, estate: Estate, now: datetime) -> Iterator[Finding]:
    paths = ["hq/etc/consentry/certs/hq.pem", "broker/etc/mosquitto/consentry/server.pem"]
    for store in sorted(estate.stores):
        paths += [f"{store_folder(store)}/etc/consentry/certs/{name}.pem" for name in ("store", "tablets")]
        if estate.stores[store].receivers:
            paths.append(f"{store_folder(store)}/etc/consentry/certs/receivers.pem")
            paths.append(f"{store_folder(store)}/etc/mosquitto/consentry-store/server.pem")
        for one in estate.stores[store].receivers:
            if one.kind is ReceiverKind.SATELLITE:
                paths.append(f"{satellite_folder(store, one.name)}/etc/consentry/certs/satellite.pem")
    for path in paths:
        try:
            certificate = x509.load_pem_x509_certificate((folder / path).read_bytes())
        except (OSError, ValueError):
            continue  # told among the files
        left = (certificate.not_valid_after_utc - now).days
        yield Finding(left > 0, f"{path}: {left} days left")


def _hq_keys(folder: Path, now: datetime) -> Iterator[Finding]:
    try:
        root = Ed25519PrivateKey.from_private_bytes((folder / layout.ROOT_KEY).read_bytes()).public_key()
        key_set = keys.open_key_set(root, (folder / layout.KEY_SET).read_bytes())
    except (OSError, ValueError, WireError):
        return  # told among the files
    left = (datetime.fromtimestamp(key_set.not_after_s, UTC) - now).days
    yield Finding(left >= KEYS_WARNED_DAYS, f"{layout.KEY_SET}: {left} days left; without it every store goes dark")
    older = max(len(key_set.signing), len(key_set.sealing)) - 1
    if older:
        yield Finding(
            False, f"{layout.KEY_SET}: {older} older keys; consentry-provision hq-keys retire, once all stores have it"
        )


def _broker(folder: Path, estate: Estate) -> Finding:
    where = f"broker {estate.hq.broker_host}:{estate.hq.broker_port}"
    etc, key = folder / "hq/etc/consentry/certs", folder / "hq/credentials/hq/broker-key"
    try:
        context = ssl.create_default_context(cafile=str(etc / "broker-ca.pem"))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(etc / "hq.pem", key)
        with (
            socket.create_connection((estate.hq.broker_host, estate.hq.broker_port), timeout=_TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=estate.hq.broker_host) as line,
        ):
            # MQTT 3.1.1 CONNECT without a client id: in TLS 1.3 a refused certificate shows only at the first answer.
            line.sendall(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00")
            answer = line.recv(4)
    except ssl.SSLCertVerificationError:
        return Finding(False, f"{where}: its certificate is not of this folder's authority, or names another host")
    except ssl.SSLError:
        return Finding(False, f"{where}: refuses HQ's certificate; install the broker's bundle anew")
    except OSError as error:
        return Finding(False, f"{where}: cannot be reached ({error.strerror or 'no such host'})")
    if answer != b"\x20\x02\x00\x00":
        return Finding(False, f"{where}: does not let HQ in; install the broker's bundle anew")
    return Finding(True, f"{where}: lets HQ in")
