"""Alarms are raised once for each kind and store, counted, told of, reminded of and ended."""

import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, delete, insert, select

from hq import alarm_delivery, alarms
from hq import settings as settings_of
from hq.alarm_channels import channels
from hq.alarm_delivery import Delivery
from hq.alarm_tables import alarm_messages
from hq.alarm_tables import alarms as rows
from hq.alarm_watch import Watch
from hq.alarms import Alarm
from hq.database import reading, writing
from hq.settings import Alarms, Mail
from hq.tables import links
from hq.web_settings import Encryption
from tests.fakes.told import Mailbox, Webhook, certificate
from tests.hq.headquarters import NOON_MS, STORE, Headquarters, example_policy

TOP = Path(__file__).parents[2]


def test_one_alarm_of_a_kind_and_store_is_open(engine: Engine) -> None:
    """What is raised again is counted and keeps the newest detail; another store has one of its own."""
    with writing(engine) as connection:
        alarms.raise_(connection, Alarm.STORE_SILENT, "berlin-1", 1000, "first")
        alarms.raise_(connection, Alarm.STORE_SILENT, "berlin-1", 2000, "second")
        alarms.raise_(connection, Alarm.STORE_SILENT, "berlin-2", 3000)
        alarms.raise_(connection, Alarm.LOG_BROKEN, "berlin-1", 4000)
    with reading(engine) as connection:
        found = [(one.alarm, one.store, one.seen, one.first_ms, one.last_ms, one.detail)
                 for one in alarms.open_alarms(connection)]  # fmt: skip
    assert found == [
        ("store_silent", "berlin-1", 2, 1000, 2000, "second"),
        ("store_silent", "berlin-2", 1, 3000, 3000, ""),
        ("log_broken", "berlin-1", 1, 4000, 4000, ""),
    ]


def test_an_alarm_that_is_over_may_be_raised_anew(engine: Engine) -> None:
    """The past one stays as it was; ending what is not open changes nothing."""
    with writing(engine) as connection:
        assert not alarms.clear(connection, Alarm.EVENTS_LOST, "berlin-1", 500)
        alarms.raise_(connection, Alarm.EVENTS_LOST, "berlin-1", 1000)
        assert alarms.clear(connection, Alarm.EVENTS_LOST, "berlin-1", 2000)
        alarms.raise_(connection, Alarm.EVENTS_LOST, "berlin-1", 3000)
    with reading(engine) as connection:
        found = connection.execute(select(rows).order_by(rows.c.id)).all()
    assert [(one.first_ms, one.over_ms) for one in found] == [(1000, 2000), (3000, None)]


@pytest.fixture
def trust(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for loopback."""
    return certificate(tmp_path)


@pytest.fixture
def mailbox(trust: tuple[Path, ssl.SSLContext]) -> Iterator[Mailbox]:
    """A mail server that offers STARTTLS."""
    box = Mailbox(trust[1])
    yield box
    box.close()


@pytest.fixture
def webhook(trust: tuple[Path, ssl.SSLContext]) -> Iterator[Webhook]:
    """A web server over TLS."""
    hook = Webhook(trust[1])
    yield hook
    hook.close()


@pytest.fixture
def delivery(
    engine: Engine, tmp_path: Path, trust: tuple[Path, ssl.SSLContext], mailbox: Mailbox, webhook: Webhook
) -> Delivery:
    """A delivery by both ways, each with its secret."""
    (tmp_path / "mail-password").write_text("open sesame\n")
    (tmp_path / "webhook-token").write_text("t-1")
    settings = Alarms(
        Mail(
            host="127.0.0.1",
            sender="hq@shop.test",
            recipients=("ops@shop.test", "dpo@shop.test"),
            port=mailbox.port,
            login="hq",
            ca=trust[0],
        ),
        settings_of.Webhook(f"https://127.0.0.1:{webhook.port}/hook?for=ops", authorized=True, ca=trust[0]),
    )
    return Delivery(engine, channels(settings, tmp_path))


def _raise(engine: Engine, alarm: Alarm, now_ms: int, detail: str = "") -> None:
    with writing(engine) as connection:
        alarms.raise_(connection, alarm, "berlin-1", now_ms, detail)


def test_a_raised_alarm_is_mailed_and_posted_once(
    engine: Engine, delivery: Delivery, mailbox: Mailbox, webhook: Webhook
) -> None:
    """Over TLS, with login and token; what it is, where, what to do; and not again while nothing is new."""
    _raise(engine, Alarm.STORE_SILENT, NOON_MS, "25 min")
    assert delivery.tick(NOON_MS) == 2
    assert delivery.tick(NOON_MS + 3_600_000) == 0
    assert len(mailbox.mails) == len(webhook.told) == 1
    assert mailbox.was_encrypted
    assert (mailbox.login, webhook.token) == (("hq", "open sesame"), "Bearer t-1")
    mail = mailbox.mails[0]
    assert "Subject: [Consentry] ALARM: store_silent at berlin-1" in mail
    assert "To: ops@shop.test, dpo@shop.test" in mail
    assert "detail: 25 min" in mail
    told = webhook.told[0]
    assert (told["news"], told["alarm"], told["store"], told["over"]) == ("raised", "store_silent", "berlin-1", None)
    assert told["text"] == alarms.WORDS[Alarm.STORE_SILENT]


def test_an_open_alarm_is_recalled_daily_and_its_end_is_told(
    engine: Engine, delivery: Delivery, webhook: Webhook
) -> None:
    """A reminder after a day, with the count; then the end; then no more."""
    _raise(engine, Alarm.LOG_BROKEN, NOON_MS)
    delivery.tick(NOON_MS)
    _raise(engine, Alarm.LOG_BROKEN, NOON_MS + 1000)
    delivery.tick(NOON_MS + alarm_delivery.REMIND_MS - 1)
    assert len(webhook.told) == 1
    delivery.tick(NOON_MS + alarm_delivery.REMIND_MS)
    with writing(engine) as connection:
        alarms.clear(connection, Alarm.LOG_BROKEN, "berlin-1", NOON_MS + alarm_delivery.REMIND_MS + 1)
    delivery.tick(NOON_MS + alarm_delivery.REMIND_MS + 2000)
    assert delivery.tick(NOON_MS + 5 * alarm_delivery.REMIND_MS) == 0
    assert [(one["news"], one["count"]) for one in webhook.told] == [("raised", 1), ("reminder", 2), ("over", 2)]


def test_what_is_not_taken_is_tried_again_after_growing_pauses(
    engine: Engine, delivery: Delivery, mailbox: Mailbox, webhook: Webhook
) -> None:
    """One way's failure holds up nothing of the other; each try bears the same id; the pauses double."""
    webhook.status = 503
    _raise(engine, Alarm.STORE_SILENT, NOON_MS)
    assert delivery.tick(NOON_MS) == 1
    assert len(mailbox.mails) == 1
    tries = [NOON_MS + second * 1000 for second in range(1, 600) if _due_now(engine, NOON_MS + second * 1000, delivery)]
    pauses = [after - before for before, after in zip([NOON_MS, *tries], tries, strict=False)]
    assert pauses == [30_000, 60_000, 120_000, 240_000]
    webhook.status = 200
    assert delivery.tick(NOON_MS + 3_600_000) == 1
    assert [one["news"] for one in webhook.told] == ["raised"]


def _due_now(engine: Engine, now_ms: int, delivery: Delivery) -> bool:
    with reading(engine) as connection:
        due = connection.scalar(select(alarm_messages.c.due_ms))
    if due > now_ms:
        return False
    delivery.tick(now_ms)
    return True


def test_a_mail_server_that_refuses_or_is_gone_is_tried_again(
    engine: Engine, delivery: Delivery, mailbox: Mailbox
) -> None:
    """Whatever it says, the message waits."""
    mailbox.refuses = True
    _raise(engine, Alarm.STORE_SILENT, NOON_MS)
    delivery.tick(NOON_MS)
    assert not mailbox.mails
    mailbox.refuses = False
    delivery.tick(NOON_MS + 60_000)
    assert len(mailbox.mails) == 1


def test_nobody_who_cannot_prove_the_name_is_told(
    engine: Engine, tmp_path: Path, mailbox: Mailbox, webhook: Webhook, trust: tuple[Path, ssl.SSLContext]
) -> None:
    """Certificates are checked, by both ways; without TLS only loopback may be named at all."""
    strangers = Alarms(
        Mail(host="127.0.0.1", sender="hq@shop.test", recipients=("ops@shop.test",), port=mailbox.port),
        settings_of.Webhook(f"https://127.0.0.1:{webhook.port}/"),
    )
    delivery = Delivery(engine, channels(strangers, tmp_path))
    _raise(engine, Alarm.STORE_SILENT, NOON_MS)
    assert delivery.tick(NOON_MS) == 0
    assert not mailbox.mails and not webhook.told
    with pytest.raises(ValueError, match="loopback"):
        settings_of.Webhook("http://hooks.shop.test/")
    with pytest.raises(ValueError, match="loopback"):
        Mail(host="mail.shop.test", sender="a@b", recipients=("c@d",), encryption=Encryption.NONE)


def test_two_processes_send_each_message_once(engine: Engine, delivery: Delivery, webhook: Webhook) -> None:
    """Whoever claims a message first sends it; what both made news of is made once."""
    for store in range(8):
        with writing(engine) as connection:
            alarms.raise_(connection, Alarm.STORE_SILENT, f"store-{store}", NOON_MS)
    with ThreadPoolExecutor(2) as pool:
        sent = list(pool.map(lambda _: delivery.tick(NOON_MS), range(4)))
    assert sum(sent) == 16
    assert sorted(one["store"] for one in webhook.told) == [f"store-{store}" for store in range(8)]


def test_a_store_that_has_been_open_and_silent_for_long_raises_an_alarm(engine: Engine, hq: Headquarters) -> None:
    """After 15 minutes of opening hours, once; it ends with the next hello; a closed store may be switched off."""
    watch = Watch(engine)
    _hello(hq, hq.now_ms)
    watch.tick(hq.now_ms + 10 * 60_000)
    assert not _open(engine)
    watch.tick(hq.now_ms + 16 * 60_000)
    watch.tick(hq.now_ms + 17 * 60_000)
    assert _open(engine) == [("store_silent", STORE, 1)]
    _hello(hq, hq.now_ms + 18 * 60_000)
    watch.tick(hq.now_ms + 19 * 60_000)
    assert not _open(engine)
    night_ms = hq.now_ms + 10 * 3_600_000
    _hello(hq, night_ms)
    watch.tick(night_ms + 3 * 3_600_000)
    assert not _open(engine)


def test_where_the_hours_are_not_known_an_hour_of_silence_is_too_long(engine: Engine, hq: Headquarters) -> None:
    """A policy without hours tells nothing."""
    hq.office.publish_policy(
        replace(
            example_policy(),
            main=replace(example_policy().main, version=9),
            stores=tuple(replace(one, hours=()) for one in example_policy().stores),
        ),
        hq.now_ms,
    )
    watch = Watch(engine)
    _hello(hq, hq.now_ms)
    watch.tick(hq.now_ms + 59 * 60_000)
    assert not _open(engine)
    watch.tick(hq.now_ms + 60 * 60_000)
    assert _open(engine) == [("store_silent", STORE, 1)]


def _hello(hq: Headquarters, now_ms: int) -> None:
    """The store spoke, and got a lease."""
    row = {"store": STORE, "boot": bytes(16), "sealing_key": bytes(1216), "incarnation": bytes(16), "readiness": 2,
           "software": "test", "hello_ms": now_ms, "lease_until_ms": now_ms + 120_000, "dark_ms": 0}  # fmt: skip
    with writing(hq.engine) as connection:
        connection.execute(delete(links))
        connection.execute(insert(links).values({**row, **_more(connection)}))


def _more(connection: Connection) -> dict[str, object]:
    known = {"store", "boot", "sealing_key", "incarnation", "readiness", "software", "hello_ms", "lease_until_ms",
             "dark_ms"}  # fmt: skip
    return {one.name: 0 for one in links.columns if one.name not in known and not one.nullable}


def _open(engine: Engine) -> list[tuple[str, str, int]]:
    with reading(engine) as connection:
        return [(one.alarm, one.store, one.seen) for one in alarms.open_alarms(connection)]


@pytest.mark.parametrize("alarm", list(Alarm))
def test_every_alarm_says_what_is_wrong_and_stands_in_the_manual(alarm: Alarm) -> None:
    """One place for the words, one row in the operators' table."""
    assert alarms.WORDS[alarm].endswith(".")
    assert f"`{alarm.value}`" in (TOP / "docs/operating.md").read_text(encoding="utf-8")
