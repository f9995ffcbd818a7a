"""The console's first pages: what waits, the stores and how they are, alerts, refused imports.

I/O: answers HTTP requests (flask) from HQ's database.
"""

from typing import Any, Final

from flask import Response
from marshmallow import fields
from sqlalchemy import func, select

from hq import console_lists, systems, systems_refused
from hq.alarm_tables import alarms
from hq.alarms import OF_BRANDS, Alarm
from hq.alarms import WORDS as ALARM_WORDS
from hq.console_lists import PAGE, StoreState
from hq.console_roles import View
from hq.console_tables import questions
from hq.web import asking, console_door, pages
from hq.web.errors import Problem, ProblemKind
from hq.web.schemas import Instant, Query, Shown, text, word
from runtime.web_languages import gettext, mark

STATES: Final[dict[StoreState, str]] = {
    StoreState.NEW: mark("new"),
    StoreState.DARK: mark("dark"),
    StoreState.LOCKED: mark("locked"),
    StoreState.QUARANTINE: mark("in quarantine"),
    StoreState.READY: mark("ready"),
}
_SOUND: Final = {StoreState.READY: "good", StoreState.NEW: "", StoreState.LOCKED: "ask"}


class StoresAsked(Query):
    """Which stores."""

    after = text(40, 0, required=False, load_default="")
    find = text(40, 0, required=False, load_default="")
    state = word("", *(one.value for one in StoreState), required=False, load_default="")


class AlertsAsked(Query):
    """Which alerts."""

    after = text(20, 0, required=False, load_default="")
    find = text(40, 0, required=False, load_default="")
    past = word("", "1", required=False, load_default="")


class RefusedAsked(Query):
    """Which refused lines."""

    after = text(18, 0, required=False, load_default="")
    system = text(64, 0, required=False, load_default="")


class StoreShown(Shown):
    """A store."""

    id = fields.String()
    label = fields.String()
    policy = fields.String()
    state = fields.Function(lambda one: gettext(STATES[one.state]))
    sound = fields.Function(lambda one: _SOUND.get(one.state, "wrong"))
    hello_at = Instant(attribute="hello_ms")
    lease_until = Instant(attribute="lease_until_ms")
    dark_minutes = fields.Integer()
    software = fields.String()
    wrong = fields.String()
    alarms = fields.Integer()
    orders_open = fields.Integer()


class AlertShown(Shown):
    """An alarm."""

    alarm = fields.String()
    words = fields.Function(lambda one: ALARM_WORDS[Alarm(one.alarm)] if one.alarm in set(Alarm) else one.alarm)
    store = fields.String()
    has_page = fields.Function(lambda one: bool(one.store) and one.alarm not in OF_BRANDS)
    detail = fields.String()
    seen = fields.Integer()
    first_at = Instant(attribute="first_ms")
    last_at = Instant(attribute="last_ms")
    over_at = Instant(attribute="over_ms")


class RefusedShown(Shown):
    """A refused line; nothing of what it said is kept."""

    system = fields.String()
    call = fields.String()
    at = Instant(attribute="at_ms")
    line = fields.Integer()
    field = fields.String()
    reason = fields.String()
    hint = fields.String()


def make() -> pages.Part:
    """The pages."""
    part = pages.Part("console")

    @part.get("/console")
    def overview() -> Response:
        """What waits for whoever is signed in."""
        who = asking.staff()
        return console_door.show("overview.html", who, waits=_waiting(who.colleague.may))

    @part.get("/console/stores")
    def stores() -> Response:
        """All stores."""
        who, asked = console_door.enter(View.STORES), pages.asked(StoresAsked)
        state = StoreState(asked["state"]) if asked["state"] else None
        with asking.reading() as connection:
            page = console_lists.stores_page(
                connection, asking.now_ms(), after=asked["after"], find=asked["find"], state=state
            )
        filters = {"find": asked["find"], "state": asked["state"]}
        return console_door.show(
            "stores.html", who, stores=console_door.shown(StoreShown, page.rows), asked=asked,
            states=[(one.value, gettext(label)) for one, label in STATES.items()],
            onward=page.after and console_door.address("/console/stores", **filters, after=page.after),
            first=asked["after"] and console_door.address("/console/stores", **filters),
        )  # fmt: skip

    @part.get("/console/stores/<store>")
    def store(store: str) -> Response:
        """One store."""
        who = console_door.enter(View.STORES)
        with asking.reading() as connection:
            found = console_lists.store_line(connection, store, asking.now_ms())
            raised = console_lists.alarms_page(connection, store=store, past=True)
        if found is None:
            raise Problem(ProblemKind.NOT_FOUND)
        alerts = console_door.shown(AlertShown, raised.rows)
        return console_door.show("store.html", who, store=pages.shown(StoreShown, found), alerts=alerts)

    @part.get("/console/alerts")
    def alerts() -> Response:
        """What an operator must look at."""
        who, asked = console_door.enter(View.ALERTS), pages.asked(AlertsAsked)
        past = bool(asked["past"])
        with asking.reading() as connection:
            page = console_lists.alarms_page(connection, after=asked["after"], find=asked["find"], past=past)
        filters = {"find": asked["find"], "past": asked["past"]}
        return console_door.show(
            "alerts.html", who, alerts=console_door.shown(AlertShown, page.rows), asked=asked,
            onward=page.after and console_door.address("/console/alerts", **filters, after=page.after),
            first=asked["after"] and console_door.address("/console/alerts", **filters),
        )  # fmt: skip

    @part.get("/console/refused")
    def refused() -> Response:
        """Lines of other systems that were not taken, the newest first."""
        who, asked = console_door.enter(View.REFUSED), pages.asked(RefusedAsked)
        before = int(asked["after"]) if asked["after"].isdecimal() else None
        with asking.reading() as connection:
            rows = systems_refused.newest(connection, before=before, system=asked["system"] or None, limit=PAGE + 1)
            known = [one.system.id for one in systems.listed(connection)]
        last = rows[PAGE - 1].id if len(rows) > PAGE else None
        return console_door.show(
            "refused.html", who, lines=console_door.shown(RefusedShown, rows[:PAGE]), asked=asked, systems=known,
            onward=last and console_door.address("/console/refused", system=asked["system"], after=last),
            first=before is not None and console_door.address("/console/refused", system=asked["system"]),
        )  # fmt: skip

    return part


def _waiting(may: Any) -> list[dict[str, Any]]:
    """The overview's numbers, of what this role may see."""
    found: list[dict[str, Any]] = []
    with asking.reading() as connection:
        if may(View.STORES):
            counts = console_lists.store_counts(connection, asking.now_ms())
            found += [
                {"label": gettext("stores %(state)s", state=gettext(STATES[state])), "count": count,
                 "wrong": bool(count) and _SOUND.get(state, "wrong") == "wrong",
                 "address": console_door.address("/console/stores", state=state.value)}
                for state, count in counts.items()
            ]  # fmt: skip
        if may(View.ALERTS):
            count = connection.scalar(select(func.count()).select_from(alarms).where(alarms.c.over_ms.is_(None))) or 0
            found.append({"label": gettext("open alerts"), "count": count, "wrong": count > 0,
                          "address": "/console/alerts"})  # fmt: skip
        if may(View.QUESTIONS):
            waits = select(func.count()).select_from(questions).where(questions.c.answered_ms.is_(None))
            late = console_lists.late(connection, asking.now_ms())
            found.append({"label": gettext("questions that wait"), "count": connection.scalar(waits) or 0,
                          "wrong": False, "address": "/console/questions"})  # fmt: skip
            found.append({"label": gettext("questions past their date"), "count": late, "wrong": late > 0,
                          "address": "/console/questions"})  # fmt: skip
        if may(View.REFUSED):
            since_ms = asking.now_ms() - 86_400_000
            count = sum(one[3] for one in systems_refused.counts(connection, since_ms))
            found.append({"label": gettext("lines refused or in doubt since yesterday"), "count": count, "wrong": False,
                          "address": "/console/refused"})  # fmt: skip
    return found
