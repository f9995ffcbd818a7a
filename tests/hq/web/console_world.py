"""What the console's tests and screens show: stores in every state, alerts, questions, requests, figures of a year.

I/O: the database of the test.
"""

import random
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from hq import (
    exports,
    figures,
    looks,
    membership,
    questions,
    receipts,
    systems,
    systems_refused,
    training_card,
    training_versions,
    webhooks,
)
from hq.alarms import Alarm, raise_
from hq.console_roles import Colleague, Role
from hq.database import reading, writing
from hq.errors import HookNotTaken, Reason
from hq.figures import Rules, Sheet
from hq.figures_model import DAY_S, OUTCOMES, Axis, Episode, Outcome, Population, SpanKind, span_of
from hq.figures_noise import MICRO
from hq.figures_tables import store_dark
from hq.importer import Problem
from hq.learning.findings import Attack, Group
from hq.log_tables import withdrawals_applied
from hq.looks import LookReason, Section
from hq.questions import QuestionKind
from hq.systems import EVERY_BRAND, Right
from hq.tables import links, stores
from hq.training_versions import State, VersionKey
from tests.hq.web.place import Place
from wire.member import Mode
from wire.sync import Readiness

PRIVACY: Final = Colleague("privacy-1", Role.PRIVACY)
CITIES: Final = ("Hamburg", "Köln", "München", "Leipzig", "Wien", "Zürich", "Graz", "Bremen")
_DAY_MS: Final = DAY_S * 1000


def fill(place: Place, weeks: int = 4) -> None:
    """All of it; figures of so many weeks."""
    with writing(place.hq.engine) as connection:
        _stores(connection, place.hq.now_ms)
        _alerts(connection, place.hq.now_ms)
        _refused(connection, place.hq.now_ms)
        _work(connection, place.hq.now_ms)
    ask(place)
    _figures(place, weeks)


def _stores(connection: Connection, now_ms: int) -> None:
    found = random.Random(7)
    for number, city in enumerate(CITIES):
        name = f"store-{number}"
        row = {"id": name, "label": city, "identity": secrets.token_bytes(32), "policy": "main", "added_ms": now_ms}
        connection.execute(insert(stores).values(row))
        if number == 4:
            continue  # new: never said hello
        dark = number in (2, 6)
        connection.execute(
            insert(links).values(
                store=name, boot=secrets.token_bytes(16), sealing_key=bytes(1216), incarnation=secrets.token_bytes(16),
                readiness=int(Readiness.LOCKED if number == 5 else Readiness.LIVE), software="0.1.0",
                hello_ms=now_ms - (900_000 if dark else 4_000),
                lease_until_ms=now_ms + (-780_000 if dark else 90_000),
                dark_ms=found.randrange(9_000_000), quarantined="members/store-3" if number == 3 else "",
            )
        )  # fmt: skip
    connection.execute(update(stores).where(stores.c.id == "store-6").values(orders_open=2))


def _alerts(connection: Connection, now_ms: int) -> None:
    raise_(connection, Alarm.STORE_SILENT, "store-2", now_ms - 700_000)
    raise_(connection, Alarm.EVENTS_LOST, "store-3", now_ms - 90_000_000, "3 events")
    raise_(connection, Alarm.KEYS_END, "", now_ms - 1_000, "in 21 days")


def _refused(connection: Connection, now_ms: int) -> None:
    systems.add(connection, "webshop", "Web shop", [Right.PURCHASES], ["main"], [], now_ms)
    lines = [
        Problem(3, "profile.size.shoe", Reason.NO_CONSENT, "a scope that the member grants"),
        Problem(17, "lines[0].quantity", Reason.MALFORMED, "a whole number from 1 on"),
        Problem(208, "member", Reason.UNKNOWN_MEMBER, "the id of a member"),
    ]
    systems_refused.keep(connection, "webshop", "purchases", lines, now_ms - 3_600_000)


def _work(connection: Connection, now_ms: int) -> None:
    found = random.Random(11)
    today = now_ms // _DAY_MS
    number = 0
    for day in range(today - 29, today + 1):
        for _ in range(found.randrange(6, 30)):
            number += 1
            connection.execute(
                insert(withdrawals_applied).values(
                    store="store-0", incarnation=bytes(16), number=number, seq=number,
                    delay_ms=int(found.lognormvariate(5.6, 0.6)), acknowledged=2, open=2,
                    at_ms=day * _DAY_MS + found.randrange(_DAY_MS) // 2,
                )
            )  # fmt: skip
    dark_ms = 0
    for day in range(today - 31, today + 1):
        dark_ms += found.choice([0, 0, 120_000, 600_000, 2_400_000])
        connection.execute(insert(store_dark).values(store="store-0", day=day, dark_ms=dark_ms, noted_ms=now_ms))


def ask(place: Place) -> None:
    """Ada was looked at, and asks why."""
    hq = place.hq
    whose = place.reference("ada")
    with writing(hq.engine) as connection:
        look = looks.begin(connection, hq.keys.custody, PRIVACY, whose, LookReason.CHECK, "after an update", hq.now_ms)
        looks.show(connection, hq.keys.custody, PRIVACY, look, [Section.CHOICES], hq.now_ms)
    with writing(hq.engine) as connection:
        (locked,) = membership.lock_by_id(connection, hq.keys.custody, ["ada"]).values()
        event = receipts.of_member(connection, hq.keys, whose)[0].event
        for kind, said, ago in (
            (QuestionKind.OTHER, "Who was it, and what did they want to see?\nI was at home.", 2),
            (QuestionKind.WHY, "", 40),
        ):  # fmt: skip
            questions.ask(connection, hq.keys, locked, event, kind, said, "en", hq.now_ms - ago * _DAY_MS)
    exports.ask(hq.engine, hq.keys, "ada", hq.now_ms - 3 * _DAY_MS)


def call(place: Place) -> None:
    """Two systems are called when Ada changes something: one took it, one is gone."""
    hq = place.hq
    with writing(hq.engine) as connection:
        for name, label, url in (
            ("crm", "CRM", "https://crm.example.com/consentry"),
            ("mailing", "Mailing", "https://mailing.example.com/hooks/consent"),
        ):
            systems.add(connection, name, label, [Right.CHANGES], [EVERY_BRAND], [], hq.now_ms)
            webhooks.add(connection, hq.keys.custody, name, url, hq.now_ms)

    def post(url: str, body: bytes, headers: Mapping[str, str]) -> None:
        if "mailing" in url:
            raise HookNotTaken("the hook refused", "status 410", gone=True)

    for mode in (Mode.QUIET, Mode.OPEN):
        hq.office.set_mode("ada", mode, hq.now_ms)
        webhooks.Hooks(hq.engine, hq.keys.custody, post).tick(hq.now_ms)


def _figures(place: Place, weeks: int) -> None:
    """Askings, released week by week."""
    found = random.Random(5)
    now_ms = place.hq.now_ms
    today = now_ms // _DAY_MS
    first = span_of(SpanKind.WEEK, today - 7 * weeks - 14).first
    episodes = []
    for day in range(first, today):
        for number in range(found.randrange(20, 60)):
            outcome = found.choices(OUTCOMES[Population.ASKED], (60 + (day - first) // 9, 20, 25))[0]
            wait = "" if outcome is Outcome.NONE else found.choice(["minute", "minute", "hour", "day"])
            episodes.append(
                Episode(
                    b"%d-%d" % (day, number), day * DAY_S + number, outcome,
                    found.choices(["app", "preference-centre", "store-sign"], (6, 3, 2))[0],
                    found.choice(["store-0", "store-1", "berlin-1"]), found.choice(["3f9ac01b22de", "b70b6a8d11c4"]),
                    wait,
                )
            )  # fmt: skip
    rules = Rules(10, MICRO, 40 * MICRO)
    with writing(place.hq.engine) as connection:
        for span in sorted({span_of(SpanKind.WEEK, day) for day in range(first, today - 14)}):
            held = [one for one in episodes if span.first - 40 <= one.at_s // DAY_S < span.end + 40]
            for axis in (Axis.ALL, Axis.CHANNEL, Axis.STORE, Axis.WAIT):
                sheet = Sheet(Population.ASKED, "presence", span, axis)
                figures.release(connection, sheet, lambda *_, held=held: held, now_ms, rules)


def look_of(place: Place) -> str:
    """The handle of the newest look."""
    from hq.console_tables import looks as rows

    with reading(place.hq.engine) as connection:
        return bytes(connection.scalar(select(rows.c.id).order_by(rows.c.at_ms.desc()).limit(1)) or b"").hex()


def models(place: Place) -> None:
    """A model that is kept, one in force, and one that was refused since a group fared worse; nothing is in them."""
    hq = place.hq
    better = (
        Group("everybody", 4320, 0.217, 0.193, 0.012, 0.037),
        Group("purchases: up to 12", 430, 0.18, 0.17, -0.01, 0.03),
        Group("purchases: 13 to 40", 2010, 0.21, 0.19, 0.001, 0.03),
        Group("purchases: 41 and more", 1880, 0.24, 0.2, 0.02, 0.05),
        Group("visits: under 1 a month", 900, 0.19, 0.18, -0.02, 0.04),
        Group("bought again: over two thirds", 700, 0.31, 0.28, 0.01, 0.05),
    )
    worse = (replace(better[0], low=-0.02), replace(better[1], new=0.12, low=-0.09, high=-0.02), *better[2:])
    with writing(hq.engine) as connection:
        training_versions.lock(connection)
        for number, groups in enumerate((better, better, worse), 1):
            made_ms = hq.now_ms - (4 - number) * 20 * _DAY_MS
            told = replace(
                training_card.empty(number, "main", made_ms, number - 1 or None), digest=f"{number:016x}", people=4320,
                baskets=51_200, items=3_550, left_out=40, first="2026-01", last="2026-10", groups=groups,
                clusters=(43, 60, 100, 180), attack=Attack(0.552, 0.092, 430, 430),
            )  # fmt: skip
            is_kept = groups is better
            kept: dict[str, Any] = {"key": VersionKey(), "tables": ({}, {})} if is_kept else {}
            state = State.KEPT if is_kept else State.REFUSED
            training_versions.add(connection, hq.keys.custody, told, state, made_ms, **kept)
        training_versions.put_in_force(connection, training_versions.of(connection, "main", 2))
