"""Hands an e-mail to a mail server.

A server that hangs costs at most the time-out below; nothing is concluded from a failure but that it is to be tried
again.

I/O: smtplib and ssl.
"""

import smtplib
import ssl
from email.message import EmailMessage
from pathlib import Path
from typing import Final

from hq.errors import MailNotSent
from hq.web_settings import Encryption, MailServer
from runtime.config import credential
from runtime.errors import ConfigError

_TIMEOUT_S: Final = 10.0  # of each step of a conversation
_PASSWORD: Final = "mail-password"  # noqa: S105 - the credential's name


def trust(ca: Path | None) -> ssl.SSLContext:
    """Whom to believe: these certificates (PEM), or those that the system trusts. Raises: ConfigError."""
    try:
        return ssl.create_default_context(cafile=None if ca is None else str(ca))
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(ca or Path("ca"), "", "certificates in PEM are expected") from error


def mailing(settings: MailServer, credentials: Path | None) -> "Mailing":
    """The server that the configuration names. Raises: ConfigError, a password or an authority cannot be read."""
    password = "" if settings.login is None else credential(_PASSWORD, credentials).decode("utf-8", "replace").strip()
    return Mailing(settings, password)


class Mailing:
    """One mail server. It must prove its name by a certificate, but for one on loopback. Never shown."""

    def __init__(self, settings: MailServer, password: str) -> None:
        self._settings = settings
        self._password = password
        self._trust = None if settings.encryption is Encryption.NONE else trust(settings.ca)

    def __repr__(self) -> str:
        return "Mailing(…)"

    def send(self, message: EmailMessage) -> None:
        """To all of its recipients.

        Raises:
            MailNotSent: the server did not take it.
        """
        settings = self._settings
        try:
            if settings.encryption is Encryption.TLS and self._trust is not None:
                server: smtplib.SMTP = smtplib.SMTP_SSL(
                    settings.host, settings.port, timeout=_TIMEOUT_S, context=self._trust
                )
            else:
                server = smtplib.SMTP(settings.host, settings.port, timeout=_TIMEOUT_S)
            with server:
                if settings.encryption is Encryption.STARTTLS and self._trust is not None:
                    server.starttls(context=self._trust)
                if settings.login is not None:
                    server.login(settings.login, self._password)
                server.send_message(message)
        except (OSError, ValueError) as error:  # smtplib's and ssl's are OSErrors; ValueError: an address that is none
            raise MailNotSent(type(error).__name__) from None
