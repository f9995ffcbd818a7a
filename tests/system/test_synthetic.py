"""The synthetic member over the real programs, with an hour of 45 s: seen; and told of when the way is cut."""

import os
import signal
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import select

from hq.database import reading
from hq.synthetic_tables import synthetic_rounds
from tests.fakes.told import Mailbox, Webhook
from tests.system.store import STORE, Shop, until

pytestmark = [pytest.mark.system, pytest.mark.long]

PERIOD_S = 45
ROUND_S = 3 * PERIOD_S  # of patience


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """Where alarms are posted."""
    hook = Webhook()
    yield hook
    hook.close()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """Where alarms are mailed."""
    box = Mailbox()
    yield box
    box.close()


@pytest.fixture
def probed(needs: Callable[[str], str], webhook: Webhook, mailbox: Mailbox) -> Iterator[Shop]:
    """A store with its probe, and an HQ that tells of alarms."""
    needs("mosquitto")
    needs("dbus-daemon")
    shop = Shop()
    try:
        with shop.store.hq_config.open("a") as settings:
            settings.write(
                f"[alarms]\nsynthetic_every_s = {PERIOD_S}\n"
                f'[alarms.webhook]\nurl = "http://127.0.0.1:{webhook.port}/"\n'
                f'[alarms.mail]\nhost = "127.0.0.1"\nport = {mailbox.port}\nencryption = "none"\n'
                'sender = "hq@shop.test"\nrecipients = ["operators@shop.test"]\n'
            )
        shop.open()
        shop.store.start_probe()
        shop.store.wait_ready("probe")
        yield shop
    finally:
        shop.close()


def _round(shop: Shop) -> dict[str, int | None]:
    with reading(shop.store.office.engine) as connection:
        row = connection.execute(select(synthetic_rounds).where(synthetic_rounds.c.store == STORE)).first()
    return {} if row is None else dict(row._mapping)


def _seen(shop: Shop, after_ms: int = 0) -> bool:
    found = _round(shop)
    return (found.get("granted_ms") or 0) > after_ms and found.get("seen_ms") is not None


def _gone(shop: Shop) -> bool:
    found = _round(shop)
    return found.get("phase") == 2 and found.get("gone_ms") is not None


@pytest.mark.parametrize("broken", ["broker", "gateway"])
def test_a_withdrawal_that_does_not_arrive_is_told_by_mail_and_webhook(
    probed: Shop, webhook: Webhook, mailbox: Mailbox, broken: str
) -> None:
    """A round is seen and gone within seconds, and no associate sees anything of it. Then the way is cut between grant
    and withdrawal: an alarm by both ways; mended, the next good round ends it."""
    tablet = probed.tablet(probed.manager)
    followed = tablet.follow()
    status = probed.store.status()
    until(lambda: _seen(probed), ROUND_S, "the first grant on the tablet")
    assert (probed.store.status().sessions, probed.store.status().tablets) == (status.sessions, status.tablets)
    until(lambda: _gone(probed), ROUND_S, "the first withdrawal on the tablet")
    found = _round(probed)
    delay_ms = (found["gone_ms"] or 0) - (found["withdrawn_ms"] or 0)
    assert -2_000 <= delay_ms <= 5_000, delay_ms
    assert followed.visits == ()
    assert all("visits" not in body or not body["visits"] for _, body in followed.seen)
    assert webhook.told == [] == mailbox.mails
    until(lambda: _seen(probed, found["granted_ms"] or 0), ROUND_S, "the second grant on the tablet")
    _cut(probed, broken)
    try:
        until(lambda: bool(webhook.told and mailbox.mails), ROUND_S, "the alarm")
        (told,) = webhook.told
        assert (told["alarm"], told["store"], told["news"]) == ("withdrawal_not_seen", STORE, "raised")
        assert "withdrawal was not seen" in told["detail"]
        assert f"ALARM: withdrawal_not_seen at {STORE}" in mailbox.mails[0]
    finally:
        _mend(probed, broken)
    until(lambda: any(one["news"] == "over" for one in webhook.told), 2 * ROUND_S, "the end of the alarm")
    followed.close()


def _cut(shop: Shop, broken: str) -> None:
    if broken == "broker":
        shop.stop("broker")
    else:
        os.kill(shop.store.children.pid("gateway"), signal.SIGSTOP)  # nobody at the store says anything any more


def _mend(shop: Shop, broken: str) -> None:
    if broken == "broker":
        shop.start("broker")
    else:
        os.kill(shop.store.children.pid("gateway"), signal.SIGCONT)
