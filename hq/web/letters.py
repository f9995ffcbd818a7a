"""Sends the mails with sign-in links that wait, in the language in which they were asked for.

I/O: sqlalchemy, a mail server.
"""

from email.message import EmailMessage
from email.utils import make_msgid
from typing import Final

from flask import Flask, render_template
from sqlalchemy import Engine

from hq import signing_in
from hq.custody import Custody
from hq.database import reading, writing
from hq.errors import MailNotSent
from hq.mailing import Mailing
from hq.web_settings import Web
from runtime.logs import Log
from runtime.web_languages import gettext, mark, speaking

_LOG: Final = Log("letters")
_SUBJECT: Final = mark("Your link to sign in at %(name)s")
_AGAIN_MS: Final = (5_000, 20_000, 60_000)  # after so long it is tried again; then every minute, while the link serves


class Letters:
    """The mails of one database, sent by one mail server; several programs may share the work."""

    def __init__(self, engine: Engine, custody: Custody, app: Flask, settings: Web, line: Mailing) -> None:
        self._engine = engine
        self._custody = custody
        self._app = app
        self._settings = settings
        self._line = line

    def tick(self, now_ms: int) -> int:
        """Sends what is due; how many were sent. Raises: DatabaseUnavailable."""
        sent = 0
        while True:
            with reading(self._engine) as connection:
                if not signing_in.mail_is_due(connection, now_ms):
                    return sent
            with writing(self._engine) as connection:
                due = signing_in.take_mail(connection, self._custody, now_ms)
            if due is None:
                return sent
            try:
                if due.letter is not None:
                    self._line.send(self._mail(due.letter, due.language))
                    sent += 1
            except MailNotSent as error:
                again_ms = now_ms + _AGAIN_MS[min(due.tries, len(_AGAIN_MS) - 1)]
                with writing(self._engine) as connection:
                    signing_in.mail_failed(connection, due.id, again_ms)
                _LOG.warning("link_not_sent", reason=error.reason, remedy=error.remedy)
                return sent
            with writing(self._engine) as connection:
                signing_in.mail_is_sent(connection, due.id)

    def _mail(self, letter: signing_in.Letter, language: str) -> EmailMessage:
        name = self._settings.name or self._settings.host
        message = EmailMessage()
        with speaking(self._app, language):
            link = f"{self._settings.public_url}/sign-in/link/{letter.token}"
            message["Subject"] = gettext(_SUBJECT, name=name)
            message.set_content(render_template("sign_in/mail.txt", name=name, link=link))
        message["From"] = self._settings.mail.sender if self._settings.mail is not None else ""
        message["To"] = letter.address
        message["Message-ID"] = make_msgid(domain=self._settings.host)
        message["Auto-Submitted"] = "auto-generated"
        return message
