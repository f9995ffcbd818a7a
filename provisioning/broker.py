"""Writes mosquitto's configurations, HQ's and a store's: TLS, who may come, and which topics are whose.

For HQ's see docs/protocol.md, section 3; for a store's own its appendix B.

Pure: no I/O, no clock.
"""

from collections.abc import Iterable
from typing import Final

from wire import receivers
from wire.receivers import Receiver, ReceiverKind

# Not the form of a store's id, so no store can bear it.
HQ_NAME: Final = "HQ"
_PAYLOAD_BYTES: Final = 64 * 1024  # docs/protocol.md, section 3
_RECEIVED_BYTES: Final = 16 * 1024  # twice a satellite's longest message
_HEADER_BYTES: Final = 512  # topic, packet id and length of one PUBLISH

_LOG: Final = ("log_dest stderr", "log_type error", "log_type warning", "log_type notice", "connection_messages true")


def configuration(listen: str, port: int, place: str, unix_user: str | None) -> bytes:
    """mosquitto.conf for a broker whose files are in the directory `place`."""
    lines = [
        "# Consentry's broker. Who has no certificate of our authority does not come in; a certificate's name is the",
        "# name in the list of who may use which topic. Nothing is kept: correctness needs no retained message,",
        "# no session and no queue on disk.",
        f"listener {port} {listen}",
        "allow_anonymous false",
        "require_certificate true",
        "use_identity_as_username true",
        "tls_version tlsv1.3",
        f"cafile {place}/ca.pem",
        f"certfile {place}/server.pem",
        f"keyfile {place}/server.key",
        f"crlfile {place}/revoked.pem",
        f"acl_file {place}/topics.acl",
        "persistence false",
        "retain_available false",
        f"message_size_limit {_PAYLOAD_BYTES}",
        f"max_packet_size {_PAYLOAD_BYTES + _HEADER_BYTES}",
        "max_queued_messages 10000",
        "max_queued_bytes 67108864",
        *_LOG,
        *_runs_as(unix_user),
    ]
    return ("\n".join(lines) + "\n").encode()


def _runs_as(unix_user: str | None) -> tuple[str, ...]:
    return (f"user {unix_user}",) if unix_user is not None else ()


def topics(stores: Iterable[str]) -> bytes:
    """The list of who may use which topic; who is not named may use none."""
    blocks = [_block(HQ_NAME, "write consentry/1/+/down", "write consentry/1/+/now", "read consentry/1/+/up")]
    for store in sorted(stores):
        at = f"consentry/1/{store}"
        blocks.append(_block(store, f"read {at}/down", f"read {at}/now", f"write {at}/up"))
    return ("# Written by consentry-provision: a store is on it or has no topic at all.\n" + "\n".join(blocks)).encode()


def store_configuration(listen: str, port: int, passwords_port: int | None, place: str, unix_user: str | None) -> bytes:
    """mosquitto.conf of a store's own broker; `passwords_port` None: no cheap receiver, so no second listener."""
    tls = ["tls_version tlsv1.2", f"certfile {place}/server.pem", f"keyfile {place}/server.key"]
    lines = [
        "# Consentry's broker inside the store, for satellites and cheap receivers: on the store's own network only.",
        "# A certificate's name, or an account's, is the name in the list of who may use which topic.",
        "# Nothing is queued or written to disk; what is kept is whether a receiver is there, which it says itself.",
        "allow_anonymous false",
        f"acl_file {place}/topics.acl",
        *([f"password_file {place}/passwords"] if passwords_port is not None else []),
        f"listener {port} {listen}",
        *tls,
        f"cafile {place}/ca.pem",
        f"crlfile {place}/revoked.pem",
        "require_certificate true",
        "use_identity_as_username true",
        *([f"listener {passwords_port} {listen}", *tls] if passwords_port is not None else []),
        "persistence false",
        f"message_size_limit {_RECEIVED_BYTES}",
        f"max_packet_size {_RECEIVED_BYTES + _HEADER_BYTES}",
        "max_queued_messages 1000",
        "max_queued_bytes 8388608",
        *_LOG,
        *_runs_as(unix_user),
    ]
    return ("\n".join(lines) + "\n").encode()


def store_topics(store: str, there: Iterable[Receiver]) -> bytes:
    """Who may use which topic of a store's own broker: each receiver writes its own, the gateway reads them all."""
    reads, blocks = [], []
    for one in sorted(there, key=lambda one: one.name):
        if one.kind is ReceiverKind.SATELLITE:
            topics = [receivers.satellite_topic(store, one.name)]
        else:
            topics = [f"{receivers.adverts_topic(one.name)}/#", receivers.state_topic(one.name)]
        reads += [f"read {topic}" for topic in topics]
        blocks.append(_block(one.name, *(f"write {topic}" for topic in topics)))
    written = "# Written by consentry-provision: a receiver is on it or has no topic at all.\n"
    return (written + "\n".join([_block(receivers.GATEWAY_NAME, *reads), *blocks])).encode()


def _block(name: str, *rules: str) -> str:
    return "".join([f"user {name}\n", *(f"topic {rule}\n" for rule in rules)])
