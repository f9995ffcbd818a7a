"""What an operator can set of HQ's web: the table `[web]` of `hq.toml`.

Pure: no I/O, no clock.
"""

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from runtime.config import Form

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_ORIGIN: Final = Form(
    pattern=r"https?://(\[[0-9a-f:]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?", words="https://NAME or https://NAME:PORT"
)
_PARTS: Final = re.compile(r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:]+\]|[A-Za-z0-9.-]+).*")
_ADDRESS: Final = Form(pattern=r"https?://(\[[0-9a-f:]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?(/[!-~]*)?", words="an address")
_CLAIM: Final = Form(pattern=r"[!-~]{1,64}", words="the name of a claim")
_REDIRECT: Final = re.compile(r"(?!javascript:|data:|http:)[a-z][a-z0-9+.-]*:/[!-~]{1,256}")


class Encryption(StrEnum):
    """How a mail server is spoken to. Without any is for a server on loopback only."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """A mail server, and who writes. With a `login` its password is the credential `mail-password`."""

    host: str
    sender: str
    port: Annotated[int, Form(low=1, high=65_535)] = 587
    encryption: Encryption = Encryption.STARTTLS
    login: str | None = None
    ca: Path | None = None  # None: those that the system trusts

    def __post_init__(self) -> None:
        if self.encryption is Encryption.NONE and self.host not in _LOOPBACK:
            raise ValueError('encryption = "none" is for a mail server on loopback only')


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An identity provider that speaks OpenID Connect, by which members sign in.

    `member_claim` is the claim that holds the id by which HQ knows the member. The secret is the credential
    `provider-secret`; where it is not `confidential` HQ is a public client, which PKCE alone vouches for. `audiences`:
    whose tokens the app may bring besides, such as the app's own client id.
    """

    issuer: Annotated[str, _ADDRESS]
    client_id: str
    label: str = ""
    member_claim: Annotated[str, _CLAIM] = "sub"
    audiences: tuple[str, ...] = ()
    confidential: bool = True
    ca: Path | None = None

    def __post_init__(self) -> None:
        _check_issuer(self.issuer)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffProvider:
    """The identity provider of the retailer's own people, with the credential `staff-secret`.

    `roles_claim` holds one or several of the words of `privacy`, `operations` and `integrator`; in none: nothing.
    """

    issuer: Annotated[str, _ADDRESS]
    client_id: str
    roles_claim: Annotated[str, _CLAIM] = "roles"
    privacy: tuple[str, ...] = ("consentry-privacy",)
    operations: tuple[str, ...] = ("consentry-operations",)
    integrator: tuple[str, ...] = ("consentry-integrator",)
    confidential: bool = True
    ca: Path | None = None

    def __post_init__(self) -> None:
        _check_issuer(self.issuer)


def _host(address: str) -> str:
    found = _PARTS.fullmatch(address)
    return "" if found is None else found["host"].strip("[]").lower()


def _is_safe(address: str) -> bool:
    """Whether nobody on the way reads along."""
    return address.startswith("https:") or _host(address) in _LOOPBACK


def _check_issuer(issuer: str) -> None:
    if not _is_safe(issuer):
        raise ValueError("issuer: http:// is for an address on loopback only")


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """HQ's web.

    public_url: how phones and systems reach it, without a path.
    name: the retailer, as members know it.
    listen, port: where it listens.
    certificate: the PEM chain for TLS; its key is the credential `web-key`. None: plain HTTP, on loopback.
    proxy_hops: how many proxies of the retailer stand before it; so many of the last addresses are believed.
    mail: the server that sends sign-in links; None: nobody signs in by a link.
    members: the identity provider of members; staff: that of the retailer's own people.
    app_redirects: where the loyalty app is handed its code.
    idle_days, session_days: after how long without use, and at the latest, a member's sign-in ends.
    staff_idle_s, staff_session_s: the same of the console.
    """

    public_url: Annotated[str, _ORIGIN]
    name: str = ""
    listen: Annotated[str, Form(words="an IP address")] = "127.0.0.1"
    port: Annotated[int, Form(low=0, high=65_535)] = 8444
    certificate: Path | None = None
    proxy_hops: Annotated[int, Form(low=0, high=8)] = 0
    mail: MailServer | None = None
    members: Provider | None = None
    staff: StaffProvider | None = None
    app_redirects: tuple[str, ...] = ()
    idle_days: Annotated[int, Form(low=1, high=90)] = 14
    session_days: Annotated[int, Form(low=1, high=400)] = 90
    staff_idle_s: Annotated[int, Form(low=60, high=28_800)] = 1_800
    staff_session_s: Annotated[int, Form(low=300, high=86_400)] = 36_000

    def __post_init__(self) -> None:
        try:
            address = ipaddress.ip_address(self.listen)
        except ValueError as error:
            raise ValueError("listen: an IP address is expected") from error
        if self.certificate is None and not address.is_loopback:
            raise ValueError("certificate is missing: plain HTTP is for listen on a loopback address only")
        if not _is_safe(self.public_url):
            raise ValueError("public_url: http:// is for an address on loopback only")
        if not all(_REDIRECT.fullmatch(one) for one in self.app_redirects):
            raise ValueError("app_redirects: addresses such as com.example.app:/signed-in are expected")

    @property
    def is_plain(self) -> bool:
        """Whether browsers come without TLS, which only those on this machine do."""
        return not self.public_url.startswith("https:")

    @property
    def host(self) -> str:
        """The name in `public_url`, lower case, without port and brackets."""
        return _host(self.public_url)
