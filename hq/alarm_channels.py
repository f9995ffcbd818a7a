"""Sends one message about an alarm: as an e-mail, or as JSON to a webhook.

A far end that hangs costs at most the time-outs below; nothing is concluded from a failure but that it is to be tried
again.

I/O: http.client; e-mail by `hq.mailing`.
"""

import http.client
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from enum import StrEnum
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from hq import mailing
from hq.errors import AlarmNotSent, MailNotSent
from hq.settings import Alarms, Mail, Webhook
from runtime.config import credential

_TIMEOUT_S = 10.0  # of each step of a conversation
_MOST_REPLY_BYTES = 64 * 1024


class News(StrEnum):
    """What a message is about."""

    RAISED = "raised"
    REMINDER = "reminder"
    OVER = "over"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Notice:
    """One message. `id` is the same in each try, so that whoever gets it twice can tell; times in milliseconds UTC."""

    id: int
    news: News
    alarm: str
    store: str  # empty: HQ itself
    words: str
    detail: str
    count: int
    first_ms: int
    last_ms: int
    over_ms: int | None


class Channel(Protocol):
    """A way to people."""

    name: str

    def send(self, notice: Notice) -> None:
        """Sends it, or raises AlarmNotSent."""


def channels(settings: Alarms, credentials: Path | None) -> tuple[Channel, ...]:
    """The channels that the configuration names.

    Raises:
        ConfigError: a password, a token or a certificate authority cannot be read.
    """
    found: list[Channel] = []
    if settings.mail is not None:
        found.append(MailChannel(settings.mail, mailing.mailing(settings.mail, credentials)))
    if settings.webhook is not None:
        token = _secret("webhook-token", credentials) if settings.webhook.authorized else ""
        found.append(WebhookChannel(settings.webhook, token))
    return tuple(found)


def _secret(name: str, credentials: Path | None) -> str:
    return credential(name, credentials).decode("utf-8", "replace").strip()


class MailChannel:
    """E-mail by SMTP."""

    name = "mail"

    def __init__(self, settings: Mail, line: mailing.Mailing) -> None:
        self._settings = settings
        self._line = line

    def send(self, notice: Notice) -> None:
        """One e-mail to all recipients.

        Raises:
            AlarmNotSent: the server did not take it.
        """
        try:
            self._line.send(mail(notice, self._settings.sender, self._settings.recipients))
        except MailNotSent as error:
            raise AlarmNotSent("the mail server did not take it", error.reason) from None


class WebhookChannel:
    """JSON by POST. Redirections are not followed: what is configured is what is told."""

    name = "webhook"

    def __init__(self, settings: Webhook, token: str) -> None:
        parts = urlsplit(settings.url)
        self._host, self._port = parts.hostname or "", parts.port
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._trust = mailing.trust(settings.ca) if parts.scheme == "https" else None
        self._token = token

    def send(self, notice: Notice) -> None:
        """One POST.

        Raises:
            AlarmNotSent: no answer of 200 to 299.
        """
        headers = {"Content-Type": "application/json", "User-Agent": "consentry-hq"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if self._trust is None:
            line = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_S)
        else:
            line = http.client.HTTPSConnection(self._host, self._port, timeout=_TIMEOUT_S, context=self._trust)
        try:
            line.request("POST", self._path, json.dumps(told(notice)).encode(), headers)
            answer = line.getresponse()
            answer.read(_MOST_REPLY_BYTES)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise AlarmNotSent("the webhook did not answer", type(error).__name__) from None
        finally:
            line.close()
        if not 200 <= answer.status < 300:
            raise AlarmNotSent("the webhook refused", f"status {answer.status}")


def mail(notice: Notice, sender: str, recipients: Sequence[str]) -> EmailMessage:
    """The e-mail."""
    place = notice.store or "HQ"
    opening = {
        News.RAISED: "ALARM", News.REMINDER: "STILL OPEN", News.OVER: "OVER", News.TEST: "TEST",
    }[notice.news]  # fmt: skip
    message = EmailMessage()
    message["Subject"] = f"[Consentry] {opening}: {notice.alarm} at {place}"
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Message-ID"] = f"<{notice.id}.{notice.first_ms}@consentry-hq>"
    message["Auto-Submitted"] = "auto-generated"
    lines = [notice.words, "", f"place: {place}", f"alarm: {notice.alarm}"]
    if notice.detail:
        lines.append(f"detail: {notice.detail}")
    lines += [f"seen: {notice.count} times", f"first: {_iso(notice.first_ms)}", f"last: {_iso(notice.last_ms)}"]
    if notice.over_ms is not None:
        lines.append(f"over: {_iso(notice.over_ms)}")
    message.set_content("\n".join(lines) + "\n")
    return message


def told(notice: Notice) -> dict[str, str | int | None]:
    """The JSON of a webhook."""
    return {
        "version": 1,
        "id": notice.id,
        "news": notice.news.value,
        "alarm": notice.alarm,
        "store": notice.store or None,
        "text": notice.words,
        "detail": notice.detail,
        "count": notice.count,
        "first": _iso(notice.first_ms),
        "last": _iso(notice.last_ms),
        "over": None if notice.over_ms is None else _iso(notice.over_ms),
    }


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
