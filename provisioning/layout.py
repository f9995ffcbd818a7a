"""Which files a folder holds for its HQ, broker and stores: where each is, how it is made, who may read it.

    settings.toml                    what was chosen for HQ
    authority/                       stays with the operator: root, authorities, revocations
    hq/  broker/  stores/ID/         one bundle for one machine: etc/ as it is there, credentials/ to be sealed there
    tablets/ID/                      what a store's tablets have to trust
    satellites/ID/NAME/              one bundle for one satellite of a store
    receivers/ID/NAME/               what one cheap receiver of a store has to be told

Pure: no I/O, no clock.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from provisioning import bells, broker, receivers, settings, toml
from provisioning.identity import TABLETS_LIFE, Subject, Use
from provisioning.recipes import (
    Authority,
    AuthorityKey,
    Certificate,
    Copy,
    Fixed,
    Kind,
    Mark,
    PublicKey,
    Revocations,
    Secret,
    SignedKeySet,
    StoreRow,
    TlsKey,
)
from provisioning.settings import Estate, local_name, split_radio, tablet_names
from provisioning.wanted import PUBLIC, SECRET, Wanted, store_folder

SETTINGS: Final = "settings.toml"
REVOKED: Final = "authority/revoked.toml"
ROOT_KEY: Final = "authority/hq-root.key"
BROKER_CA: Final = "authority/broker-ca.pem"
BROKER_CA_KEY: Final = "authority/broker-ca.key"
KEY_SET: Final = "hq/etc/consentry/keys.cbor"
HQ_CREDENTIALS: Final = "hq/credentials/hq"
RINGS: Final = {"signing-key": Kind.SEED, "sealing-key": Kind.SEALING}  # what `consentry-provision hq-keys` rotates
WRAPPING_KEY: Final = f"{HQ_CREDENTIALS}/wrapping-key"
WRAPPING_MARK: Final = "authority/wrapping-key.mark"
_BROKER_PLACE: Final = "etc/mosquitto/consentry"
_BLUEZ_UNIT: Final = "bluetooth.service.d/consentry.conf"  # for every machine that hears
_HQ_UNITS: Final = ("consentry-hq.service", "consentry-hq-web.service")
_STORE_UNITS: Final = (
    "consentry-edge.service",
    "consentry-gateway.service",
    "consentry-probe.service",
    "consentry-tablets.service",
    "consentry.target",
    _BLUEZ_UNIT,
)
_TRUST_PORT: Final = 8080  # as the unit allows it
_SYSUSERS: Final = "sysusers.d/consentry.conf"


def wanted(folder: Path, estate: Estate, units: Mapping[str, bytes]) -> tuple[Wanted, ...]:
    """Every file, what others are made from before them. `units` are the unit files by their name under systemd/."""
    revoked = frozenset(one.fingerprint for one in estate.revoked)
    files = [*_authority(estate), *_hq(folder, estate, units, revoked), *_broker(folder, estate, revoked)]
    for store in sorted(estate.stores):
        files += _store(folder, estate, store, units, revoked)
    return tuple(files)


def _authority(estate: Estate) -> Iterator[Wanted]:
    yield Wanted(SETTINGS, SECRET, Fixed(settings.text(estate.hq)))
    yield Wanted(REVOKED, SECRET, Fixed(settings.revoked_text(estate.revoked)))
    # Settings first: a run that was interrupted is completed from them.
    for store, chosen in sorted(estate.stores.items()):
        yield Wanted(f"{store_folder(store)}/{SETTINGS}", SECRET, Fixed(settings.text(chosen)))
    yield Wanted(ROOT_KEY, SECRET, Secret(Kind.SEED, proof="hq/etc/consentry/keys.cbor"))
    yield Wanted(BROKER_CA_KEY, SECRET, AuthorityKey(proof=BROKER_CA))
    yield Wanted(BROKER_CA, PUBLIC, Authority("Consentry broker authority", BROKER_CA_KEY))


def _hq(folder: Path, estate: Estate, units: Mapping[str, bytes], revoked: frozenset[str]) -> Iterator[Wanted]:
    etc, credentials, chosen = "hq/etc/consentry", HQ_CREDENTIALS, estate.hq
    key_set = f"{etc}/keys.cbor"
    for name, kind in (("pairwise-key", Kind.BYTES), ("challenge-key", Kind.BYTES)):
        yield Wanted(f"{credentials}/{name}", SECRET, Secret(kind, proof=key_set))
    for name, kind in RINGS.items():
        yield Wanted(f"{credentials}/{name}", SECRET, Secret(kind, proof=key_set, several=True))
    yield Wanted(WRAPPING_KEY, SECRET, Secret(Kind.BYTES, proof=WRAPPING_MARK, several=True))
    yield Wanted(WRAPPING_MARK, SECRET, Mark(WRAPPING_KEY))
    yield Wanted(f"{credentials}/broker-key", SECRET, TlsKey(revoked))
    yield Wanted(key_set, PUBLIC, SignedKeySet(ROOT_KEY, f"{credentials}/signing-key", f"{credentials}/sealing-key"))
    yield Wanted(f"{etc}/certs/broker-ca.pem", PUBLIC, Copy(BROKER_CA))
    yield Wanted(
        f"{etc}/certs/hq.pem",
        PUBLIC,
        Certificate(Subject(broker.HQ_NAME, Use.CLIENT), f"{credentials}/broker-key", BROKER_CA, BROKER_CA_KEY),
    )
    place = folder / etc if chosen.in_place else Path("/etc/consentry")
    state = chosen.state_dir or (folder / "hq/state" if chosen.in_place else Path("/var/lib/consentry-hq"))
    table: toml.Table = {
        "database": chosen.database or f"sqlite:///{state}/hq.sqlite3",
        "keys": str(place / "keys.cbor"),
        "credentials_dir": str(folder / credentials) if chosen.in_place else None,
        "broker": _broker_table(estate, place, "hq.pem"),
        "web": _web_table(chosen),
    }
    yield Wanted(f"{etc}/hq.toml", 0o640, Fixed(toml.dumps(table).encode()))
    yield from _units("hq", _HQ_UNITS, units)


def _broker(folder: Path, estate: Estate, revoked: frozenset[str]) -> Iterator[Wanted]:
    at, chosen = f"broker/{_BROKER_PLACE}", estate.hq
    place = folder / at if chosen.in_place else Path("/", _BROKER_PLACE)
    yield Wanted(f"{at}/ca.pem", PUBLIC, Copy(BROKER_CA))
    yield Wanted(f"{at}/server.key", SECRET, TlsKey(revoked))
    subject = Subject("consentry-broker", Use.SERVER, (*chosen.node_names, *chosen.broker_names))
    yield Wanted(f"{at}/server.pem", PUBLIC, Certificate(subject, f"{at}/server.key", BROKER_CA, BROKER_CA_KEY))
    serials = tuple(int(one.serial, 16) for one in estate.revoked)
    yield Wanted(f"{at}/revoked.pem", PUBLIC, Revocations(serials, BROKER_CA, BROKER_CA_KEY))
    yield Wanted(f"{at}/topics.acl", SECRET, Fixed(broker.topics(estate.stores)))
    text = broker.configuration(chosen.broker_listen, chosen.broker_port, str(place), chosen.unix_user)
    yield Wanted("broker/etc/mosquitto/conf.d/consentry.conf", PUBLIC, Fixed(text))


def _store(
    folder: Path, estate: Estate, store: str, units: Mapping[str, bytes], revoked: frozenset[str]
) -> Iterator[Wanted]:
    at, ca = store_folder(store), f"authority/stores/{store}/ca.pem"
    ca_key, etc, gateway = f"authority/stores/{store}/ca.key", f"{at}/etc/consentry", f"{at}/credentials/gateway"
    row, chosen = f"{at}/store.json", estate.stores[store]
    yield Wanted(f"{gateway}/identity-key", SECRET, Secret(Kind.SEED, proof=row))
    yield Wanted(f"{gateway}/box-secret", SECRET, Secret(Kind.BYTES, proof=row))
    yield Wanted(f"{gateway}/broker-key", SECRET, TlsKey(revoked))
    yield Wanted(f"{etc}/certs/broker-ca.pem", PUBLIC, Copy(BROKER_CA))
    yield Wanted(
        f"{etc}/certs/store.pem",
        PUBLIC,
        Certificate(Subject(store, Use.CLIENT), f"{gateway}/broker-key", BROKER_CA, BROKER_CA_KEY),
    )
    yield Wanted(f"{etc}/hq-root.pub", PUBLIC, PublicKey(ROOT_KEY))
    yield Wanted(f"{etc}/keys.cbor", PUBLIC, Copy("hq/etc/consentry/keys.cbor"))
    yield Wanted(ca_key, SECRET, AuthorityKey(proof=ca))
    names = tablet_names(store, chosen)
    yield Wanted(ca, PUBLIC, Authority(f"Consentry tablets of {store}", ca_key, names))
    # The box renews its certificate by itself. Who steals the key can play this store's box, and no other server.
    yield Wanted(f"{gateway}/authority-key", SECRET, Copy(ca_key))
    tls_key = f"{at}/credentials/tablets/tls-key"
    yield Wanted(tls_key, SECRET, TlsKey(revoked))
    subject = Subject(f"{store} tablets", Use.SERVER, names)
    started = Certificate(subject, tls_key, ca, ca_key, TABLETS_LIFE)  # until the gateway has said its own
    yield Wanted(f"{etc}/certs/tablets.pem", PUBLIC, started)
    yield Wanted(f"tablets/{store}/store-authority.pem", PUBLIC, Copy(ca))
    yield Wanted(f"{etc}/certs/store-authority.pem", PUBLIC, Copy(ca))
    for name, table in _store_tables(folder, estate, store).items():
        yield Wanted(f"{etc}/{name}.toml", PUBLIC, Fixed(toml.dumps(table).encode()))
    yield from _units(at, _STORE_UNITS, units)
    yield from receivers.files(folder, estate, store, units)
    # Last: it proves that the secrets were made.
    yield Wanted(row, PUBLIC, StoreRow(store, f"{gateway}/identity-key"))


def _store_tables(folder: Path, estate: Estate, store: str) -> dict[str, toml.Table]:
    chosen, in_place, at = estate.stores[store], estate.hq.in_place, folder / store_folder(store)
    place = at / "etc/consentry" if in_place else Path("/etc/consentry")
    state = chosen.state_dir or (at / "state" if in_place else Path("/var/lib/consentry-gateway"))
    sockets = chosen.runtime_dir or (at / "run" if in_place else Path("/run/consentry-gateway"))
    run_by = estate.hq.unix_user if in_place and estate.hq.unix_user else None
    anywhere = chosen.tablet_listen in ("0.0.0.0", "::")
    return {
        "probe": {
            "name": local_name(store),  # of the store's own certificate, also where HQ delivers one for another name
            "host": "127.0.0.1" if anywhere else chosen.tablet_listen,
            "port": chosen.tablet_port,
            "ca": None if chosen.demo_http else str(place / "certs/store-authority.pem"),
            "gateway_dir": str(sockets),
        },
        "edge": {
            "gateway_socket": str(sockets / "sightings.sock"),
            "company_id": chosen.company_id,
            "radios": [{"node": node, "adapter": address} for node, address in map(split_radio, chosen.radios)],
        },
        "gateway": {
            "store": store,
            "state_dir": str(state),
            "runtime_dir": str(sockets),
            "edge_users": [run_by or "consentry-edge"],
            "tablet_users": [run_by or "consentry-tablets"],
            "operator_users": [run_by or "root"],
            "probe_users": [run_by or "consentry-probe"],
            "hq_root_key": str(place / "hq-root.pub"),
            "hq_keys": str(place / "keys.cbor"),
            "credentials_dir": str(at / "credentials/gateway") if in_place else None,
            "broker": _broker_table(estate, place, "store.pem"),
            "tablets": {"names": tablet_names(store, chosen), "authority": str(place / "certs/store-authority.pem")},
            **receivers.gateway_tables(chosen, place),
            **bells.gateway_tables(chosen),
        },
        "tablets": {
            "listen": chosen.tablet_listen,
            "port": chosen.tablet_port,
            "gateway_socket": str(sockets / "tablets.sock"),
            "certificate": str(place / "certs/tablets.pem"),
            "trust_port": None if in_place or chosen.demo_http else _TRUST_PORT,
            "demo_http": chosen.demo_http or None,
            "credentials_dir": str(at / "credentials/tablets") if in_place else None,
        },
    }


def _broker_table(estate: Estate, place: Path, certificate: str) -> toml.Table:
    where: toml.Table = {"host": estate.hq.broker_host, "port": estate.hq.broker_port}
    if estate.hq.broker_more_hosts:
        where = {**where, "more_hosts": estate.hq.broker_more_hosts}
    if not estate.hq.broker_tls:
        return {**where, "tls": False}
    return {
        **where,
        "ca": str(place / "certs/broker-ca.pem"),
        "certificate": str(place / "certs" / certificate),
    }


def _web_table(chosen: settings.HqSettings) -> toml.Table | None:
    """What of HQ's web is known here; sign-in and the rest are the operator's to add (docs/operating.md)."""
    if chosen.web_url is None:
        return None
    return {
        "public_url": chosen.web_url,
        "name": chosen.web_name or None,
        "listen": None if chosen.web_certificate is None else "0.0.0.0",
        "port": chosen.web_port,
        "certificate": None if chosen.web_certificate is None else str(chosen.web_certificate),
    }


def _units(at: str, names: tuple[str, ...], units: Mapping[str, bytes]) -> Iterator[Wanted]:
    for name in names:
        yield Wanted(f"{at}/etc/systemd/system/{name}", PUBLIC, Fixed(units[name]))
    yield Wanted(f"{at}/etc/{_SYSUSERS}", PUBLIC, Fixed(units[_SYSUSERS]))
