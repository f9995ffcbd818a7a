"""Raises and ends alarms: what an operator of HQ must look at, one open alarm for each kind and store.

A row in the caller's transaction is all that happens here; `hq.alarm_delivery` tells people of it, outside. No alarm
names a member or a value: `detail` is of counts, instances, reasons and ids of orders.

I/O: sqlalchemy.
"""

from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hq.alarm_tables import alarms

MAX_DETAIL = 200  # characters


class Alarm(StrEnum):
    """What is wrong; each has its words in `WORDS` and in docs/operating.md."""

    STALE_TICKET = "stale_ticket"
    AHEAD_OF_HQ = "ahead_of_hq"
    LOG_BROKEN = "log_broken"
    EVENTS_LOST = "events_lost"
    ORDER_FAILED = "order_failed"
    WITHDRAWAL_NOT_SEEN = "withdrawal_not_seen"
    STORE_SILENT = "store_silent"
    KEYS_END = "keys_end"
    CERTIFICATE_FAILED = "certificate_failed"
    CERTIFICATE_LATE = "certificate_late"
    CONSENT_BROKEN = "consent_broken"
    RULE_OFF = "rule_off"
    RULE_RESTS = "rule_rests"
    HOOK_GIVEN_UP = "hook_given_up"
    CHANGE_UNREADABLE = "change_unreadable"
    MODEL_LEAVES = "model_leaves"
    CONTACTS_IN_DOUBT = "contacts_in_doubt"


OF_BRANDS = frozenset({Alarm.MODEL_LEAVES})  # one open for each brand: `store` has the brand's name

# What an operator reads: what is wrong, and the first thing to do.
WORDS: dict[Alarm, str] = {
    Alarm.STALE_TICKET: "The store's cache is an old copy or a second box uses its identity. It gets no lease. "
    "Find out whether its disk was restored or copied; then wipe the cache of the right box, and revoke the other.",
    Alarm.AHEAD_OF_HQ: "The store holds newer records than HQ: HQ's database was restored from a backup. "
    "It gets no lease until `consentry-hq recover` has run.",
    Alarm.LOG_BROKEN: "The store's log of disclosures does not verify: rows were changed, removed or put back. "
    "Treat the box as tampered with and keep its disk.",
    Alarm.EVENTS_LOST: "Events of the store are missing for good. Its disk was full, or its cache was lost.",
    Alarm.ORDER_FAILED: "The store could not do an order. `consentry-hq order list` names it.",
    Alarm.WITHDRAWAL_NOT_SEEN: "The test withdrawal did not reach a tablet of the store in time. "
    "Treat every withdrawal there as not applied: look at the store's lease, its tablets and its network now.",
    Alarm.KEYS_END: "HQ's key set ends within 30 days, and with it every store's lease. "
    "Make a new one with `consentry-provision hq`, install HQ's bundle, and restart HQ.",
    Alarm.CERTIFICATE_FAILED: "No new certificate for the store's tablets could be had, or the store does not take it. "
    "The one before stays. `consentry-hq certificate show` has the state; the detail says what is wrong.",
    Alarm.CERTIFICATE_LATE: "The certificate for the store's tablets is past two thirds of its life and was not "
    "renewed. When it ends, tablets warn or show nothing. Look at the issuer, or use `consentry-hq certificate put`.",
    Alarm.CONSENT_BROKEN: "HQ's consent events are not what HQ signed: events were changed, or the end was cut. "
    "Run `consentry-hq consent verify`, and compare the database with a backup.",
    Alarm.HOOK_GIVEN_UP: "Another system was not told what members changed: it took nothing for three days, or a "
    "change cannot be opened. Mend what the detail says, then send again in the console, or `consentry-hq hook retry`.",
    Alarm.CHANGE_UNREADABLE: "Another system asked for members' changes, and some do not open: their rows or keys were "
    "changed outside of HQ. It was told all others. Restore them from a backup; `consentry-hq consent check` opens all "
    "and ends this.",
    Alarm.RULE_OFF: "A rule of suggestions felt creepy to too many members and was switched off in all stores of the "
    "policy. `consentry-hq felt POLICY` shows the counts; `--on RULE` switches it on again.",
    Alarm.RULE_RESTS: "Too few took what a rule of suggestions suggested, so it rests there for policy's days, in all "
    "stores of the policy. `consentry-hq suggestions resting POLICY` says until when; `--end RULE` ends it.",
    Alarm.MODEL_LEAVES: "No new model of suggestions could take the place of one that is old, or that somebody left. "
    "On the sixth day it leaves all stores. `consentry-hq train card` says why; `consentry-hq train` tries again.",
    Alarm.CONTACTS_IN_DOUBT: "HQ was restored from a backup, and no store knows who withdrew a contact since. Nobody "
    "is contacted by a yes from before. Have mailers and CMPs send their withdrawals since the backup again; then "
    "`consentry-hq recover --contacts-known` ends it.",
    Alarm.STORE_SILENT: "The store has not said hello for long. It is dark; look at its power and its network.",
}


def raise_(connection: Connection, alarm: Alarm, store: str, now_ms: int, detail: str = "") -> None:
    """Raises an alarm, or counts once more the one that is open, in the caller's transaction.

    `store` is empty where it is of HQ itself, and the brand for those `OF_BRANDS`. `detail` is cut to 200 characters,
    and replaces that of the open one.
    """
    detail = detail[:MAX_DETAIL]
    row = {"alarm": alarm.value, "store": store, "detail": detail, "seen": 1, "first_ms": now_ms,
           "last_ms": now_ms, "over_told": False}  # fmt: skip
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    # One statement, so that two processes that see the same at the same time count one alarm.
    connection.execute(
        dialect.insert(alarms)
        .values(row)
        .on_conflict_do_update(
            index_elements=[alarms.c.alarm, alarms.c.store],
            index_where=alarms.c.over_ms.is_(None),
            set_={"seen": alarms.c.seen + 1, "last_ms": now_ms, "detail": detail},
        )
    )


def clear(connection: Connection, alarm: Alarm, store: str, now_ms: int) -> bool:
    """Ends the open alarm of this kind and store; returns whether there was one."""
    ended = connection.execute(
        update(alarms)
        .where(alarms.c.alarm == alarm.value, alarms.c.store == store, alarms.c.over_ms.is_(None))
        .values(over_ms=now_ms)
    )
    return ended.rowcount > 0


def open_alarms(connection: Connection) -> list[Row[Any]]:
    """The open alarms, oldest first."""
    return list(connection.execute(select(alarms).where(alarms.c.over_ms.is_(None)).order_by(alarms.c.id)))
