"""HQ's web for tests: an HQ with a few members on a database, its application, and who is signed in.

I/O: the database of the test.
"""

import dataclasses
import socket
import time
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from hq import addresses, sessions, signing_in
from hq.console_roles import Role
from hq.database import reading, writing
from hq.sessions import Kind, Lasting, Way
from hq.web import app as application
from hq.web.providers import Providers
from hq.web_settings import Encryption, MailServer, Web
from runtime.base64url import to_text
from tests.hq.headquarters import Headquarters

NAME = "Haus am Markt"
MEMBERS = {"ada": "ada@example.com", "ben": "ben@example.com"}
ALWAYS = Lasting(400 * 86_400_000, 400 * 86_400_000)
MAIL = MailServer(host="127.0.0.1", sender="choices@example.com", encryption=Encryption.NONE)


def free_port() -> int:
    """A TCP port that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def web(**more: Any) -> Web:
    """The settings."""
    return Web(**({"public_url": "https://localhost", "name": NAME, "mail": MAIL} | more))


class Place:
    """HQ and its web. `hq` is the tests' Headquarters with `ada` (shares sizes and language) and `ben` (nothing)."""

    def __init__(self, hq: Headquarters, **settings: Any) -> None:
        self.hq = hq
        self.hq.join("ada", "size.shoe", "language")
        self.hq.office.add_member("ben", 18, "DE", self.hq.now_ms)
        with writing(self.hq.engine) as connection:
            for member, address in MEMBERS.items():
                addresses.put(connection, self.hq.keys.custody, self._reference(connection, member), address, 0)
        self.port = free_port()
        self.address = f"https://localhost:{self.port}"
        self.settings = web(**{"public_url": self.address} | settings)
        named = {"member": self.settings.members, "staff": self.settings.staff}
        secrets = {realm: "open sesame" for realm, one in named.items() if one is not None and one.confidential}
        self.providers = Providers(self.settings.members, self.settings.staff, secrets)
        self.app = application.create(
            self.hq.engine, self.hq.keys, lambda: self.hq.now_ms, self.settings,
            version="0.0.0", mono=time.monotonic, providers=self.providers,
        )  # fmt: skip

    def another(self, **changed: Any) -> Flask:
        """Another program on the same database, with other settings."""
        settings = dataclasses.replace(self.settings, **changed)
        return application.create(
            self.hq.engine, self.hq.keys, lambda: self.hq.now_ms, settings, version="0", mono=time.monotonic
        )

    def _reference(self, connection: Any, member: str) -> bytes:
        found = self.hq.keys.custody.reference(connection, member)
        assert found is not None
        return found

    def reference(self, member: str) -> bytes:
        """HQ's own name of a member."""
        with reading(self.hq.engine) as connection:
            return self._reference(connection, member)

    def session(self, member: str, kind: Kind = Kind.MEMBER) -> str:
        """The secret of a new session, as its cookie or its bearer token has it."""
        with writing(self.hq.engine) as connection:
            who = self._reference(connection, member)
            custody = self.hq.keys.custody
            return to_text(
                sessions.begin(connection, custody, who, kind, Way.LINK, ALWAYS, "Firefox Android", self.hq.now_ms)
            )

    def staff_session(self, role: Role, name: str = "Nora Sanders") -> str:
        """The secret of a new session of one of the retailer's own people."""
        with writing(self.hq.engine) as connection:
            return to_text(
                sessions.begin_staff(connection, f"{role.value}-1", name, role, ALWAYS, self.hq.now_ms)
            )  # fmt: skip

    def link(self, member: str, after: str = "/") -> str:
        """The path of a sign-in link that serves in any browser."""
        with writing(self.hq.engine) as connection:
            token = signing_in.make_link(connection, self._reference(connection, member), self.hq.now_ms, after)
        return f"/sign-in/link/{token}"

    def client(self) -> FlaskClient:
        """A browser in which nobody is signed in."""
        client = self.app.test_client()
        client.environ_base["HTTP_SEC_FETCH_SITE"] = "same-origin"
        return client

    def signed_in(self, member: str = "ada") -> FlaskClient:
        """A browser in which this member is signed in."""
        client = self.client()
        client.set_cookie("__Host-consentry-session", self.session(member), secure=True)
        return client

    def app_client(self, member: str = "ada") -> FlaskClient:
        """The app, with its token."""
        client = self.app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {self.session(member, Kind.APP)}"
        return client

    def staff(self, role: Role) -> FlaskClient:
        """A browser in which somebody with this role is signed in."""
        client = self.client()
        client.set_cookie("__Host-consentry-staff", self.staff_session(role), secure=True)
        return client
