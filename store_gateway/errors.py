"""Why the gateway cannot keep, open or send something, each with what the operator can do about it.

    GatewayError(reason, hint)          a part of the running gateway failed
    ├── CacheError                      the cache file: nothing was changed; the store is dark until a write succeeds
    ├── LinkError                       the broker: tried again by itself
    └── HookError                       a bell was not told: tried again by itself for a minute
    KeyFileError(file, key, expected)   a ConfigError: the gateway does not start

Pure: no I/O, no clock.
"""

from enum import StrEnum

from runtime.errors import ConfigError
from wire.condition import Room, Update
from wire.sighting import RadioReason
from wire.views import ReceiverState


class CacheReason(StrEnum):
    """Why the cache could not be read or written."""

    DISK_FULL = "disk-full"
    IO = "io"  # the disk, its rights or its mount
    IN_USE = "in-use"  # another process has the file
    CORRUPT = "corrupt"  # the file, or one sealed row of it, is not what was written
    WRONG_KEY = "wrong-key"  # made with another box secret or another share
    NEWER = "newer"  # written by a later version of this program
    LOCKED = "locked"  # not unlocked yet: nothing can be sealed
    OUTBOX_FULL = "outbox-full"  # 256 MiB of events that may not be let go wait for HQ
    PUT_BACK = "put-back"  # HQ stored events that this file does not know: it is an older copy


class LinkReason(StrEnum):
    """Why there is no connection to the broker."""

    UNREACHABLE = "unreachable"
    REFUSED = "refused"  # the broker does not take this certificate
    TLS = "tls"  # one of the two certificates is not accepted
    FILES = "files"  # a certificate or key file cannot be read
    LOST = "lost"


CACHE_REMEDIES: dict[CacheReason, str] = {
    CacheReason.DISK_FULL: "make room on the disk of the state directory; the store goes on by itself",
    CacheReason.IO: "check the disk and the rights of the state directory; the store goes on by itself",
    CacheReason.IN_USE: "stop the other gateway that has this state directory",
    CacheReason.CORRUPT: "check the disk, move the cache file away and restart; the gateway fills a new one from HQ",
    CacheReason.WRONG_KEY: "restore the credential box-secret, or move the cache file away and restart",
    CacheReason.NEWER: "install the version that wrote this cache, or a later one",
    CacheReason.OUTBOX_FULL: "connect the box with HQ: it can record no disclosure before HQ has stored the old ones",
    CacheReason.PUT_BACK: "find out who put an older cache file back; then move it away and restart",
    CacheReason.LOCKED: "wait until HQ has unlocked the box; check that HQ can be reached",
}
LINK_REMEDIES: dict[LinkReason, str] = {
    LinkReason.UNREACHABLE: "check the store's network and the broker's address; tried again by itself",
    LinkReason.REFUSED: "check that HQ's broker knows this store's certificate",
    LinkReason.TLS: "check broker.ca and broker.certificate; run consentry-provision again",
    LinkReason.FILES: "check broker.ca, broker.certificate and the credential broker-key",
    LinkReason.LOST: "nothing, if it comes back within a minute",
}
RECEIVERS_REMEDIES: dict[LinkReason, str] = {
    LinkReason.UNREACHABLE: "start the store's own broker: systemctl start mosquitto; compare receivers.port with it",
    LinkReason.REFUSED: "install the store's bundle again and reload mosquitto (SIGHUP)",
    LinkReason.TLS: "check receivers.host, receivers.ca and receivers.certificate; run consentry-provision again",
    LinkReason.FILES: "check receivers.ca, receivers.certificate and the credential broker-key",
    LinkReason.LOST: "nothing, if it comes back within a minute; else journalctl --unit mosquitto",
}


HELP_BROKER_REMEDIES: dict[LinkReason, str] = {
    LinkReason.UNREACHABLE: "start the broker that on_help.mqtt names; compare its port",
    LinkReason.REFUSED: "check on_help.mqtt's login, its password, and what the broker lets it publish",
    LinkReason.TLS: "check on_help.mqtt's host, ca and certificate",
    LinkReason.FILES: "check on_help.mqtt's ca and certificate",
    LinkReason.LOST: "nothing, if it comes back within a minute; else the broker's log",
}


class HookReason(StrEnum):
    """Why a bell could not be told to a hook."""

    UNREACHABLE = "unreachable"  # no such name, no such address, no connection
    SILENT = "silent"  # it did not answer in time
    TLS = "tls"  # its certificate is not accepted
    REFUSED = "refused"  # it answered that it does not take it
    OUTSIDE = "outside"  # plain HTTP, and the address is not of the store's own network


HOOK_REMEDIES: dict[HookReason, str] = {
    HookReason.UNREACHABLE: "check on_help's address and whether what listens there runs; tried again by itself",
    HookReason.SILENT: "see why what listens at on_help's address does not answer; tried again by itself",
    HookReason.TLS: "check on_help's ca and the certificate of what listens there",
    HookReason.REFUSED: "see the log of what listens there: a wrong path, or another secret",
    HookReason.OUTSIDE: "set an https:// address: the name leads out of the store's network",
}


class GatewayError(Exception):
    """A part of the running gateway failed; `hint` says what to do and names no member and no value."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


class CacheError(GatewayError):
    """The cache could not do it, and holds what it held before."""

    def __init__(self, reason: CacheReason) -> None:
        super().__init__(f"cache: {reason.value}", CACHE_REMEDIES[reason])
        self.reason = reason


class LinkError(GatewayError):
    """No connection to the broker."""

    def __init__(self, reason: LinkReason) -> None:
        super().__init__(f"link: {reason.value}", LINK_REMEDIES[reason])
        self.reason = reason


class HookError(GatewayError):
    """A bell was not told."""

    def __init__(self, reason: HookReason) -> None:
        super().__init__(f"hook: {reason.value}", HOOK_REMEDIES[reason])
        self.reason = reason


class KeyFileError(ConfigError):
    """A key file or credential is not of its form; never repeats what is in it."""


RADIO_REMEDIES: dict[RadioReason, str] = {
    RadioReason.NO_DBUS: "on its box, start D-Bus: systemctl start dbus.socket",
    RadioReason.NO_BLUEZ: "on its box, start BlueZ: systemctl enable --now bluetooth",
    RadioReason.NO_PERMISSION: "on its box, run the edge as the system user consentry-edge",
    RadioReason.NO_RADIO: "plug a Bluetooth radio into its box; if there is one, see dmesg",
    RadioReason.OTHER_RADIO: "plug the configured radio in, or correct its address: consentry-edge adapters",
    RadioReason.BLOCKED: "on its box: rfkill unblock bluetooth; then plug the radio out and in",
    RadioReason.BUSY: "on its box, stop the other program that scans: systemctl restart bluetooth",
    RadioReason.NO_ANSWER: "on its box: systemctl restart bluetooth",
    RadioReason.SILENT: "plug the radio out and in; if that does not help, replace it",
    RadioReason.FAILED: "on its box, see journalctl --unit bluetooth; then systemctl restart bluetooth",
}
ABSENT_REMEDIES: dict[ReceiverState, str] = {
    ReceiverState.AWAY: "see that its box runs, is on the network, and runs the edge: systemctl status consentry-edge",
    ReceiverState.NEVER_HEARD: "install it, or correct the node's name in its configuration or in the policy",
}


ROOM_REMEDIES: dict[Room, str] = {
    Room.LOW: "make room on the disk of the state directory: journalctl --vacuum-size=200M; see what else grew",
    Room.FULL: "make room on the disk of the state directory now: without any the store goes dark",
    Room.UNKNOWN: "check the disk and the rights of the state directory",
}
UPDATE_REMEDIES: dict[Update, str] = {
    Update.BEHIND: "install the release that policy wants, then: systemctl restart consentry.target",
    Update.AHEAD: "policy wants an older release: install that one, or publish a policy that wants this one",
    Update.RESTART: "systemctl restart consentry.target: another release is installed than runs",
}


def receiver_remedy(state: ReceiverState, reason: RadioReason | None) -> str | None:
    """What the operator can do about a receiver; None: nothing is to be done."""
    if state in ABSENT_REMEDIES:
        return ABSENT_REMEDIES[state]
    return RADIO_REMEDIES[reason] if reason is not None else None
