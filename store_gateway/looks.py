"""Shows a card only after the look is recorded, records refused looks, and knows which card each session has open.

A refused look is recorded after the answer, so that its time tells nothing: `Withheld` costs the same whether the
visit may not be shown or never was. Of a visit that is over nothing is kept but, for some minutes, whose it was.

I/O: the cache, through the replica.
"""

from typing import Protocol

from consent.card import Built, build
from consent.decide import Deny, Ground
from consent.grants import PRESENCE
from consent.visit import Visit
from store_gateway.assortment import Assortment
from store_gateway.core.presence import Presence
from store_gateway.doors import DARK, Session
from store_gateway.errors import CacheError
from store_gateway.lately import Lately
from store_gateway.memories import lets_tell
from store_gateway.offers import Offers, Shown
from store_gateway.open_cards import OpenCards
from store_gateway.standing import Standing
from wire import query
from wire.events import INTRODUCED
from wire.policy import Policy, Section
from wire.sync import Disclosure, EventKind, ReasonCode

WITHHELD = query.Withheld()
MOST_REFUSED = 256  # refused looks that wait to be recorded
MOST_SILENT = 4096  # suggestions of ended visits that wait to be recorded
_SCOPES_EACH = 64  # a record names so many at most
Entry = tuple[EventKind, bytes | None, object]


class Keeper(Protocol):
    """What is needed of the replica."""

    def policy(self) -> Policy | None: ...
    def trusted_ms(self, now_mono_s: float) -> int | None: ...
    def record(self, now_mono_s: float, *entries: Entry) -> int: ...


class Looks:
    """See the module."""

    def __init__(
        self, keeper: Keeper, standing: Standing, presence: Presence, offers: Offers, assortment: Assortment
    ) -> None:
        self._keeper = keeper
        self._standing = standing
        self._presence = presence
        self._offers = offers
        self._assortment = assortment
        self._recorded: dict[bytes, set[tuple[bytes, frozenset[str]]]] = {}  # handle -> (session, scopes)
        self._refused_once: set[tuple[bytes, bytes]] = set()  # (handle, session)
        self._waiting: list[Entry] = []
        self._silent: list[tuple[bytes, Shown]] = []  # pseudonym, and what nobody said a word on
        self._open: dict[bytes, OpenCards] = {}
        self._lately = Lately()
        self._dismissed: dict[bytes, set[str]] = {}  # session -> hints that it wants no more

    def card(
        self, session: Session, handle: bytes, section: Section | None, now_mono_s: float, now_ms: int
    ) -> query.Card | query.Withheld | query.Refused:
        """The card as this session may see it now. The caller has checked the lease.

        Whoever asks for what is not open has touched the tablet; what is open the page asks for again by itself.
        """
        opened = self._open.get(session.key)
        if opened is None or section not in opened.versions(handle):
            session.active_mono_s = now_mono_s
        pseudonym = self._presence.find(handle)
        visit = self._presence.visit(pseudonym) if pseudonym is not None else None
        built = self._build(session, pseudonym, section, now_ms) if pseudonym is not None else None
        if pseudonym is None or visit is None or built is None:
            return WITHHELD
        if isinstance(built, Deny):
            self._refuse(session, pseudonym, handle, built)
            return WITHHELD
        key = session.key, frozenset(built.scopes)
        recorded = self._recorded.setdefault(handle, set())
        fresh = self._offers.unseen(visit, session.role, built.card)
        entries: list[Entry] = _disclosures(session, pseudonym, handle, built) if key not in recorded else []
        entries += [(EventKind.OUTCOME, pseudonym, one) for one in fresh]
        if entries:
            try:
                self._keeper.record(now_mono_s, *entries)
            except CacheError:
                return DARK
            recorded.add(key)
            self._offers.saw(visit, session.role, fresh)
        self._open.setdefault(session.key, OpenCards()).given(handle, section, built.card.version)
        self._lately.shown(session.key, handle, pseudonym, now_mono_s)
        return built.card

    def changed(self, session: Session, now_ms: int, windows: int) -> list[query.CardChanged]:
        """What to tell a session with so many streams whose open cards are others than when it asked; once each."""
        opened = self._open.get(session.key)
        if opened is None:
            return []
        opened.follow(windows)
        found = [(handle, self._version_now(session, opened, handle, now_ms)) for handle in opened.handles()]
        told = [query.CardChanged(handle, version) for handle, version in found if version is not None]
        return [query.CardChanged(handle, 0) for handle in opened.lost()] + told

    def _version_now(self, session: Session, opened: OpenCards, handle: bytes, now_ms: int) -> int | None:
        """The card's version, where a part of it is another than what was given; 0: there is none to show."""
        pseudonym = self._presence.find(handle)
        versions = opened.versions(handle)
        told: int | None = None
        for section, version in list(versions.items()):
            built = self._build(session, pseudonym, section, now_ms) if pseudonym is not None else None
            now_version = built.card.version if isinstance(built, Built) else 0
            if now_version != version:
                versions[section] = told = now_version
        if not any(versions.values()):
            opened.close(handle)
        return told

    def lately(self, session: Session, handle: bytes, now_mono_s: float) -> bytes | None:
        """Whose card this session was shown some minutes ago at most, whatever became of the visit since."""
        return self._lately.find(session.key, handle, now_mono_s)

    def standing(self, pseudonym: bytes, visit: Visit, session: Session) -> Entry:
        """What to record of a visit that comes to stand on the roster of the session's role."""
        reason = ReasonCode.HELP if visit.help else ReasonCode.OPEN
        body = _disclosure(session, visit.handle, (), (PRESENCE,), Ground.GRANT.value, reason, shown=True, roster=True)
        return EventKind.DISCLOSURE, pseudonym, body

    def introduced(self, pseudonym: bytes, visit: Visit, session: Session, now_mono_s: float) -> None:
        """Records that the shopper said who they are. Raises: CacheError; then nothing was recorded."""
        reason = ReasonCode.HELP if visit.help else ReasonCode.OPEN
        body = _disclosure(session, visit.handle, (), (PRESENCE,), INTRODUCED, reason, shown=True, roster=False)
        self._keeper.record(now_mono_s, (EventKind.DISCLOSURE, pseudonym, body))

    def suggested(self, session: Session, handle: bytes, now_ms: int) -> frozenset[str]:
        """The items that are suggested on a card that this session has open, as it is now."""
        opened, pseudonym = self._open.get(session.key), self._presence.find(handle)
        if opened is None or pseudonym is None:
            return frozenset()
        parts = [self._build(session, pseudonym, section, now_ms) for section in opened.versions(handle)]
        lines = [line for one in parts if isinstance(one, Built) for line in (*one.card.lead, *one.card.lines)]
        return frozenset(entry.item for line in lines for entry in line.entries if entry.item is not None)

    def dismiss(self, session: Session, hint: str) -> None:
        """No card of this session has this hint from now on."""
        self._dismissed.setdefault(session.key, set()).add(hint)

    def left(self, handle: bytes) -> None:
        """The visit is over: nothing of it is kept, but that something was suggested and nobody said a word on it."""
        silent = self._offers.left(handle)
        if silent is not None and len(self._silent) < MOST_SILENT:
            self._silent += [(silent[0], one) for one in silent[1]]
        self._recorded.pop(handle, None)
        self._refused_once = {one for one in self._refused_once if one[0] != handle}

    def ended(self, session: Session) -> None:
        """The session is over."""
        self._open.pop(session.key, None)
        self._dismissed.pop(session.key, None)
        for recorded in self._recorded.values():
            recorded -= {one for one in recorded if one[0] == session.key}

    def flush(self, now_mono_s: float) -> None:
        """Records the refused looks, and what was suggested in vain; where that fails they wait for the next time.

        Of a member who went meanwhile, or took back the leave to suggest, nothing more is said; and no stage of who
        took back that one. It is asked anew each time.
        """
        self._lately.tick(now_mono_s)
        now_ms = self._keeper.trusted_ms(now_mono_s) or 0
        over = {one for one, _ in self._silent if self._presence.visit(one) is None}
        self._silent = [one for one in self._silent if self._lets_tell(*one, now_ms)]
        passed = [(one, self._offers.ignored(one, shown, now_ms)) for one, shown in self._silent]
        waiting = [*self._waiting, *((EventKind.OUTCOME, one, outcome) for one, outcome in passed)]
        for pseudonym in over:
            self._standing.drop(pseudonym)
        if waiting:
            try:
                self._keeper.record(now_mono_s, *waiting)
            except CacheError:
                return
            self._waiting.clear()
            self._silent.clear()

    def _lets_tell(self, pseudonym: bytes, shown: Shown, now_ms: int) -> bool:
        policy = self._keeper.policy()
        member, denied = self._standing.record(pseudonym)
        if policy is None or member is None:
            return False
        return lets_tell(shown.outcome, member, denied, policy, policy.store.store, now_ms // 1000)

    def _build(self, session: Session, pseudonym: bytes, section: Section | None, now_ms: int) -> Built | Deny | None:
        policy = self._keeper.policy()
        visit = self._presence.visit(pseudonym)
        member, denied = self._standing.record(pseudonym)
        if policy is None or visit is None or member is None:
            return None
        dismissed = self._dismissed.get(session.key, set[str]())
        offered = self._offers.of(pseudonym, visit, session.role, policy, now_ms)
        return build(
            member, denied, session.role, visit, policy, section, now_ms, session.associate, dismissed, offered,
            self._assortment.sort_of(),
        )  # fmt: skip

    def _refuse(self, session: Session, pseudonym: bytes, handle: bytes, refused: Deny) -> None:
        if (handle, session.key) in self._refused_once or len(self._waiting) >= MOST_REFUSED:
            return
        self._refused_once.add((handle, session.key))
        body = _disclosure(session, handle, (), (), refused.rule.value, None, shown=False, roster=False)
        self._waiting.append((EventKind.DISCLOSURE, pseudonym, body))


def _disclosures(session: Session, pseudonym: bytes, handle: bytes, built: Built) -> list[Entry]:
    parts = [built.scopes[at : at + _SCOPES_EACH] for at in range(0, len(built.scopes), _SCOPES_EACH)] or [()]
    return [
        (
            EventKind.DISCLOSURE,
            pseudonym,
            _disclosure(
                session, handle, scopes, built.purposes, built.rule.value, built.reason, shown=True, roster=False
            ),
        )
        for scopes in parts
    ]


def _disclosure(
    session: Session,
    handle: bytes,
    scopes: tuple[str, ...],
    purposes: tuple[str, ...],
    rule: str,
    reason: ReasonCode | None,
    *,
    shown: bool,
    roster: bool,
) -> Disclosure:
    return Disclosure(
        visit=handle,
        associate=session.associate,
        role=session.role,
        tablet=session.tablet,
        scopes=scopes,
        purposes=purposes,
        rule=rule,
        reason=reason,
        shown=shown,
        roster=roster,
    )
