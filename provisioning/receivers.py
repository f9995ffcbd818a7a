"""Which files a store's own broker, its satellites and its cheap receivers need.

The gateway comes to that broker with the key that HQ's broker knows, and a certificate of the store's own authority:
whoever has one of another store's is nobody here.

Pure: no I/O, no clock.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from provisioning import broker, toml
from provisioning.identity import Subject, Use
from provisioning.passwords import PLACE, Filled, Password, PasswordFile
from provisioning.recipes import Authority, AuthorityKey, Certificate, Copy, Fixed, Revocations, TlsKey
from provisioning.settings import Estate, ReceiverSettings, StoreSettings, split_radio, tablet_names
from provisioning.wanted import PUBLIC, SECRET, Wanted, receiver_folder, satellite_folder, store_folder
from wire import receivers
from wire.receivers import ReceiverKind

_LOOPBACK: Final = ("localhost", "127.0.0.1")  # by which the gateway calls it, on the same machine
_PLACE: Final = "etc/mosquitto/consentry-store"
_CONFIGURATION: Final = "etc/mosquitto/conf.d/consentry-store.conf"
_UNIT: Final = "consentry-satellite.service"
_BLUEZ_UNIT: Final = "bluetooth.service.d/consentry.conf"
_SYSUSERS: Final = "sysusers.d/consentry.conf"


def files(folder: Path, estate: Estate, store: str, units: Mapping[str, bytes]) -> Iterator[Wanted]:
    """Every file of a store that has receivers, what others are made from before them; none where it has none."""
    chosen = estate.stores[store]
    if not chosen.receivers:
        return
    revoked = frozenset(one.fingerprint for one in estate.revoked)
    ca, ca_key = authority(store), f"authority/stores/{store}/receivers-ca.key"
    at = store_folder(store)
    etc, place = f"{at}/etc/consentry/certs", f"{at}/{_PLACE}"
    yield Wanted(ca_key, SECRET, AuthorityKey(proof=ca))
    yield Wanted(ca, PUBLIC, Authority(f"Consentry receivers of {store}", ca_key))
    yield Wanted(f"{etc}/receivers-ca.pem", PUBLIC, Copy(ca))
    gateway = Subject(receivers.GATEWAY_NAME, Use.CLIENT)
    key = f"{at}/credentials/gateway/broker-key"
    yield Wanted(f"{etc}/receivers.pem", PUBLIC, Certificate(gateway, key, ca, ca_key))
    yield Wanted(f"{place}/ca.pem", PUBLIC, Copy(ca))
    yield Wanted(f"{place}/server.key", SECRET, TlsKey(revoked))
    names = tuple(dict.fromkeys((*tablet_names(store, chosen), *_LOOPBACK)))
    server = Subject(f"{store} receivers", Use.SERVER, names)
    yield Wanted(f"{place}/server.pem", PUBLIC, Certificate(server, f"{place}/server.key", ca, ca_key))
    serials = tuple(int(one.serial, 16) for one in estate.revoked)
    yield Wanted(f"{place}/revoked.pem", PUBLIC, Revocations(serials, ca, ca_key))
    topics = broker.store_topics(store, [one.receiver() for one in chosen.receivers])
    yield Wanted(f"{place}/topics.acl", SECRET, Fixed(topics))
    cheap = [one for one in chosen.receivers if one.kind is not ReceiverKind.SATELLITE]
    for one in chosen.receivers:
        if one.kind is ReceiverKind.SATELLITE:
            yield from _satellite(folder, estate, store, one, units, revoked)
        else:
            yield from _cheap(store, chosen, one)
    if cheap:
        accounts = tuple((one.name, f"{receiver_folder(store, one.name)}/password") for one in cheap)
        yield Wanted(f"{place}/passwords", SECRET, PasswordFile(accounts))
    installed = folder / place if estate.hq.in_place else Path("/", _PLACE)
    text = broker.store_configuration(
        chosen.receivers_listen,
        chosen.receivers_port,
        chosen.passwords_port if cheap else None,
        str(installed),
        estate.hq.unix_user if estate.hq.in_place else None,
    )
    yield Wanted(f"{at}/{_CONFIGURATION}", PUBLIC, Fixed(text))


def authority(store: str) -> str:
    """The certificate of the authority for a store's own broker, in the folder."""
    return f"authority/stores/{store}/receivers-ca.pem"


def gateway_tables(chosen: StoreSettings, place: Path) -> dict[str, toml.Table | list[toml.Table]]:
    """What the gateway's configuration says of the store's own broker."""
    if not chosen.receivers:
        return {}
    sources: list[toml.Table] = [
        {"kind": one.kind.value, "name": one.name, "nodes": one.receiver().nodes} for one in chosen.receivers
    ]
    return {
        "receivers": {
            "host": _LOOPBACK[0],
            "port": chosen.receivers_port,
            "ca": str(place / "certs/receivers-ca.pem"),
            "certificate": str(place / "certs/receivers.pem"),
            "company_id": chosen.company_id,
        },
        "receivers.sources": sources,
    }


def _satellite(
    folder: Path,
    estate: Estate,
    store: str,
    one: ReceiverSettings,
    units: Mapping[str, bytes],
    revoked: frozenset[str],
) -> Iterator[Wanted]:
    chosen, in_place, at = estate.stores[store], estate.hq.in_place, satellite_folder(store, one.name)
    etc, key = f"{at}/etc/consentry", f"{at}/credentials/satellite/satellite-key"
    ca, ca_key = authority(store), f"authority/stores/{store}/receivers-ca.key"
    yield Wanted(key, SECRET, TlsKey(revoked))
    yield Wanted(f"{etc}/certs/receivers-ca.pem", PUBLIC, Copy(ca))
    yield Wanted(f"{etc}/certs/satellite.pem", PUBLIC, Certificate(Subject(one.name, Use.CLIENT), key, ca, ca_key))
    place = folder / etc if in_place else Path("/etc/consentry")
    table: toml.Table = {
        "company_id": chosen.company_id,
        "radios": [{"node": node, "adapter": address} for node, address in map(split_radio, one.radios)],
        "satellite": {
            "host": tablet_names(store, chosen)[0],
            "port": chosen.receivers_port,
            "store": store,
            "name": one.name,
            "ca": str(place / "certs/receivers-ca.pem"),
            "certificate": str(place / "certs/satellite.pem"),
            "credentials_dir": str(folder / at / "credentials/satellite") if in_place else None,
        },
    }
    yield Wanted(f"{etc}/satellite.toml", PUBLIC, Fixed(toml.dumps(table).encode()))
    for unit in (_UNIT, _BLUEZ_UNIT):
        yield Wanted(f"{at}/etc/systemd/system/{unit}", PUBLIC, Fixed(units[unit]))
    yield Wanted(f"{at}/etc/{_SYSUSERS}", PUBLIC, Fixed(units[_SYSUSERS]))


def _cheap(store: str, chosen: StoreSettings, one: ReceiverSettings) -> Iterator[Wanted]:
    at = receiver_folder(store, one.name)
    password = f"{at}/password"
    yield Wanted(password, SECRET, Password())
    yield Wanted(f"{at}/receivers-ca.pem", PUBLIC, Copy(authority(store)))
    host = tablet_names(store, chosen)[0]
    if one.kind is ReceiverKind.THEENGS:
        text = json.dumps(_theengs(host, chosen.passwords_port, one.name), indent=2) + "\n"
        yield Wanted(f"{at}/theengsgw.conf", SECRET, Filled(text, password))
    else:
        text = _OPENMQTTGATEWAY.format(host=host, port=chosen.passwords_port, name=one.name, password=PLACE)
        yield Wanted(f"{at}/SETUP.txt", SECRET, Filled(text, password))


def _theengs(host: str, port: int, name: str) -> dict[str, str | int]:
    """The keys of Theengs Gateway's configuration file (its `docs/use/use.md`) that differ from what it would do."""
    return {
        "host": host,
        "port": port,
        "user": name,
        "pass": PLACE,
        "enable_tls": 1,
        "publish_topic": receivers.adverts_topic(name),
        "lwt_topic": receivers.state_topic(name),
        "subscribe_topic": f"{receivers.adverts_topic(name)}/commands",  # what others say is not decoded here
        "publish_all": 1,
        "publish_advdata": 1,
        "discovery": 0,
        "presence": 0,
        "general_presence": 0,
        "scanning_mode": "active",
        "ble_scan_time": 60,
        "ble_time_between_scans": 0,
    }


_OPENMQTTGATEWAY: Final = """\
OpenMQTTGateway on an ESP32. The names of the settings are those of its own documentation.

1. Its configuration portal (the network that it opens when it starts for the first time):
   MQTT server               {host}
   MQTT port                 {port}
   MQTT secure connection    on
   MQTT server certificate   the text of receivers-ca.pem, BEGIN and END lines included
   MQTT username             {name}
   MQTT password             {password}
   MQTT base topic           home/
   gateway name              {name}

2. The console of its web page, each line as it stands:
   commands/MQTTtoSYS/config {{"discovery":false,"save":true}}
   commands/MQTTtoBT/config {{"adaptivescan":false,"bleconnect":false,"hasspresence":false}}
   commands/MQTTtoBT/config {{"onlysensors":false,"randommacs":true,"minrssi":-200}}
   commands/MQTTtoBT/config {{"extDecoderEnable":true,"extDecoderTopic":"undecoded","pubadvdata":true}}
   commands/MQTTtoBT/config {{"save":true}}

3. On the store's box, within a minute: consentry-gateway status shows its node as hearing.
"""
