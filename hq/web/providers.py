"""Speaks OpenID Connect with the identity providers: the code flow with PKCE, and tokens verified by their keys.

What a provider publishes (its addresses, its keys) is kept for an hour, and longer while it is away; nothing of a
sign-in is kept here.

I/O: authlib and requests, over HTTPS; joserfc.
"""

import json
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import requests
from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]
from authlib.integrations.requests_client import OAuth2Session  # type: ignore[import-untyped]
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from hq.console_roles import Role, role_of
from hq.web.errors import Problem, ProblemKind
from hq.web_settings import Provider, StaffProvider
from runtime.logs import Log

MEMBERS: Final = "member"
STAFF: Final = "staff"
_LOG: Final = Log("providers")
_TIMEOUT_S: Final = 10
_KEPT_MS: Final = 3_600_000
_AWAY_MS: Final = 5_000  # who met no answer may come again after so long
_REST_MS: Final = _TIMEOUT_S * 1000 + _AWAY_MS  # from a question that had no answer to the next one
_AGAIN_MS: Final = 60_000  # keys are asked for anew at most so often, whatever tokens name
_LEEWAY_S: Final = 60
_MOST_BYTES: Final = 1024 * 1024
_MOST_TOKEN: Final = 8192
# No shared secret signs a token here, and none is taken unsigned.
_ALGORITHMS: Final = [
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "Ed25519",
    "EdDSA",
]


@dataclass(frozen=True, slots=True, repr=False)
class Leaving:
    """Where a browser goes to sign in, and what the answer must fit."""

    address: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True, repr=False)
class StaffClaims:
    """What the provider says of one of the retailer's own people; `role` None: none of ours."""

    subject: str
    name: str
    role: Role | None


T = TypeVar("T")


class _Kept(Generic[T]):
    """One thing that a provider publishes. One thread asks for it anew, the others go on with what is there."""

    def __init__(self, ask: Callable[[int], T]) -> None:
        self._ask = ask
        self._asking = threading.Lock()
        self._found: T | None = None
        self._found_ms = 0
        self._tried_ms = 0

    def get(self, now_ms: int, kept_ms: int = _KEPT_MS) -> T:
        """What is at most so old, or what was found last. Raises: Problem, PROVIDER_AWAY: nothing was found ever."""
        found = self._found
        if found is not None and (not self._is_due(now_ms, kept_ms) or self._asking.locked()):
            return found
        with self._asking:
            if self._found is None or self._is_due(now_ms, kept_ms):  # else another thread was quicker
                self._tried_ms = now_ms
                try:
                    self._found, self._found_ms = self._ask(now_ms), now_ms
                except Problem:
                    if self._found is None:
                        raise
            return self._found

    def _is_due(self, now_ms: int, kept_ms: int) -> bool:
        return now_ms - self._found_ms > kept_ms and now_ms - self._tried_ms > _AGAIN_MS


class _Published:
    """What one provider publishes."""

    def __init__(self, issuer: str, ca: object) -> None:
        self._issuer = issuer
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = True if ca is None else str(ca)
        self._addresses = _Kept(self._ask_addresses)
        self._keys = _Kept(self._ask_keys)
        self._away_until_ms = 0

    def addresses(self, now_ms: int) -> Mapping[str, Any]:
        """OpenID Connect Discovery 1.0. Raises: Problem, PROVIDER_AWAY."""
        return self._addresses.get(now_ms)

    def claims(self, token: str, now_ms: int) -> dict[str, Any] | None:
        """What a token says, once its signature is verified; None: it is none of this provider's.

        Only a token of the right form that names a key we do not know leads to asking for keys anew.
        """
        if len(token) > _MOST_TOKEN:
            return None
        try:
            stated = jws.extract_compact(token.encode()).headers()
            if stated.get("alg") not in _ALGORITHMS:
                return None
            keys, named = self._keys.get(now_ms), stated.get("kid")
            if named is not None and named not in {one.kid for one in keys.keys}:
                keys = self._keys.get(now_ms, kept_ms=0)
            return dict(jwt.decode(token, keys, algorithms=_ALGORITHMS).claims)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):  # all but the first: what is no token
            return None

    def _ask_addresses(self, now_ms: int) -> Mapping[str, Any]:
        found = self._get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration", now_ms)
        if found.get("issuer") != self._issuer:  # section 4.3: else it is another's
            self._away_until_ms = now_ms + _REST_MS
            raise _away("issuer")
        return found

    def _ask_keys(self, now_ms: int) -> KeySet:
        try:
            found = self._get(str(self.addresses(now_ms).get("jwks_uri", "")), now_ms)
            return KeySet.import_key_set(found)  # type: ignore[arg-type]
        except (JoseError, ValueError, TypeError, KeyError):
            self._away_until_ms = now_ms + _REST_MS
            raise _away("keys") from None

    def _get(self, address: str, now_ms: int) -> dict[str, Any]:
        if now_ms < self._away_until_ms:
            raise Problem(ProblemKind.PROVIDER_AWAY, retry_after_s=_AWAY_MS // 1000)
        found = None
        try:
            with self._session.get(address, timeout=_TIMEOUT_S, allow_redirects=False, stream=True) as answer:
                content = answer.raw.read(_MOST_BYTES, decode_content=True)
                found = json.loads(content) if answer.status_code == 200 else None
        except (requests.RequestException, OSError, ValueError):
            pass
        if not isinstance(found, dict):
            self._away_until_ms = now_ms + _REST_MS
            raise _away("answer")
        return found


def _away(what: str) -> Problem:
    _LOG.warning(
        "provider_away", what=what, remedy="see that HQ reaches the issuer of [web] and trusts its certificate"
    )
    return Problem(ProblemKind.PROVIDER_AWAY, retry_after_s=5)


class Providers:
    """The providers that the settings name, each with its secret where it has one. Never shown."""

    def __init__(
        self, members: Provider | None, staff: StaffProvider | None, secrets_of: Mapping[str, str] | None = None
    ) -> None:
        self._members, self._staff = members, staff
        self._secrets = dict(secrets_of or {})
        self._published = {
            realm: _Published(one.issuer, one.ca)
            for realm, one in ((MEMBERS, members), (STAFF, staff))
            if one is not None
        }

    def __repr__(self) -> str:
        return "Providers(…)"

    def has(self, realm: str) -> bool:
        """Whether there is one."""
        return realm in self._published

    def leave(self, realm: str, redirect: str, language: str, now_ms: int) -> Leaving:
        """Sends a browser to the provider; `redirect` is where it comes back.

        Raises:
            Problem: NOT_FOUND, there is none; PROVIDER_AWAY.
        """
        nonce, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        addresses = self._of(realm).addresses(now_ms)
        address, state = self._session(realm, redirect).create_authorization_url(
            str(addresses.get("authorization_endpoint", "")), code_verifier=verifier, nonce=nonce, ui_locales=language
        )
        return Leaving(str(address), str(state), nonce, verifier)

    def come_back(self, realm: str, redirect: str, code: str, nonce: str, verifier: str, now_ms: int) -> dict[str, Any]:
        """Changes the code into what the provider says of whoever signed in.

        Raises:
            Problem: PROVIDER_AWAY, or LINK_OVER: the code or the token is not what it should be.
        """
        published = self._of(realm)
        address = str(published.addresses(now_ms).get("token_endpoint", ""))
        try:
            token = self._session(realm, redirect).fetch_token(
                address, code=code, code_verifier=verifier, timeout=_TIMEOUT_S, allow_redirects=False
            )
        except AuthlibBaseError:
            raise Problem(ProblemKind.LINK_OVER) from None
        except (requests.RequestException, OSError, ValueError, KeyError):
            raise _away("token") from None
        claims = published.claims(str(token.get("id_token", "")), now_ms)
        if claims is None or not self._fits(realm, claims, now_ms, own=True) or claims.get("nonce") != nonce:
            raise Problem(ProblemKind.LINK_OVER)
        return claims

    def member_of(self, token: str, now_ms: int) -> str | None:
        """The id of the member whose token of the provider this is; None: it is none, over, or for somebody else.

        Raises:
            Problem: PROVIDER_AWAY.
        """
        if not self.has(MEMBERS):
            return None
        claims = self._of(MEMBERS).claims(token, now_ms)
        if claims is None or not self._fits(MEMBERS, claims, now_ms, own=False):
            return None
        return self.member_in(claims)

    def member_in(self, claims: Mapping[str, Any]) -> str | None:
        """The member's id in these claims; an e-mail address only where the provider verified it."""
        assert self._members is not None
        name = self._members.member_claim
        found = claims.get(name)
        if name == "email" and claims.get("email_verified") is not True:
            return None
        return found if isinstance(found, str) and 0 < len(found) <= 64 else None

    def staff_in(self, claims: Mapping[str, Any]) -> StaffClaims:
        """Who of the staff it is, and the one role among those that the settings name."""
        assert self._staff is not None
        said = claims.get(self._staff.roles_claim)
        words = {said} if isinstance(said, str) else {one for one in said or () if isinstance(one, str)}
        ours = {
            Role.PRIVACY: self._staff.privacy,
            Role.OPERATIONS: self._staff.operations,
            Role.INTEGRATOR: self._staff.integrator,
        }
        role = role_of([one.value for one, named in ours.items() if words & set(named)])
        subject = str(claims.get("sub", ""))[:255]
        return StaffClaims(subject, str(claims.get("name") or subject)[:255], role if subject else None)

    def _of(self, realm: str) -> _Published:
        if realm not in self._published:
            raise Problem(ProblemKind.NOT_FOUND)
        return self._published[realm]

    def _settings(self, realm: str) -> Provider | StaffProvider:
        found = self._members if realm == MEMBERS else self._staff
        assert found is not None
        return found

    def _session(self, realm: str, redirect: str) -> Any:
        settings = self._settings(realm)
        session = OAuth2Session(
            settings.client_id,
            self._secrets.get(realm),
            scope="openid profile email",
            redirect_uri=redirect,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic" if realm in self._secrets else "none",
        )
        session.trust_env = False
        session.verify = True if settings.ca is None else str(settings.ca)
        return session

    def _fits(self, realm: str, claims: Mapping[str, Any], now_ms: int, *, own: bool) -> bool:
        """RFC 7519 4.1 and OpenID Connect Core 3.1.3.7: of this issuer, for us, and in its time."""
        settings = self._settings(realm)
        wanted = {settings.client_id}
        if not own and isinstance(settings, Provider):
            wanted |= set(settings.audiences)
        audience = claims.get("aud")
        given = {audience} if isinstance(audience, str) else set(audience) if isinstance(audience, list) else set()
        party = claims.get("azp", settings.client_id)
        now_s, ends, begins = now_ms / 1000, claims.get("exp"), claims.get("nbf", 0)
        return (
            claims.get("iss") == settings.issuer
            and bool(given & wanted)
            and (not own or party == settings.client_id)
            and isinstance(ends, int | float)
            and now_s < ends + _LEEWAY_S
            and isinstance(begins, int | float)
            and begins - _LEEWAY_S <= now_s
        )
