"""What an associate does with items: what the shopper made of a suggestion, and what is proposed for the app.

Everything is recorded before it has effect. An item counts only while it is suggested on the card that this session
has open, a list only while this role may see it on this visit; all else is answered as what never was.

I/O: the cache, through the replica.
"""

from consent.decide import Allow, decide
from consent.visit import Visit
from store_gateway.acts import Acts
from store_gateway.asking import Effects
from store_gateway.assortment import Assortment
from store_gateway.doors import DARK, Session
from store_gateway.errors import CacheError
from store_gateway.looks import WITHHELD, Looks
from store_gateway.offers import Offers
from store_gateway.replica import Replica
from store_gateway.standing import Standing
from wire import acts, query
from wire.items import ItemList, Mute, MuteKind, Proposal, Response
from wire.query import Refused, RefusedReason
from wire.sync import EventKind

SCOPES = {ItemList.BASKET: "basket.online", ItemList.WISHLIST: "wishlist"}


class Suggestions:
    """See the module."""

    REQUESTS: frozenset[type[query.Request]] = frozenset(
        {acts.Respond, acts.MuteFor, acts.Propose, acts.AskCatalog}
    )  # fmt: skip

    def __init__(
        self,
        replica: Replica,
        standing: Standing,
        looks: Looks,
        visits: Acts,
        assortment: Assortment,
        offers: Offers,
        effects: Effects,
    ) -> None:
        self._replica = replica
        self._standing = standing
        self._looks = looks
        self._visits = visits
        self._assortment = assortment
        self._offers = offers
        self._effects = effects

    def answer(self, asked: query.Request, session: Session, now_mono_s: float) -> query.Reply:
        """The answer to one of `REQUESTS`."""
        now_ms = self._visits.live_ms(now_mono_s)
        if now_ms is None:
            return DARK
        if isinstance(asked, acts.AskCatalog):
            return self._assortment.find(asked.text)
        if not isinstance(asked, acts.Respond | acts.MuteFor | acts.Propose):
            return Refused(RefusedReason.MALFORMED)
        found = self._visits.seen(session, asked.handle, now_ms)
        if found is None:
            return WITHHELD
        pseudonym, visit = found
        try:
            match asked:
                case acts.Respond():
                    return self._respond(asked, session, pseudonym, visit, now_mono_s, now_ms)
                case acts.MuteFor(_, handle, what, name):
                    if name not in self._mutable(session, handle, what, now_ms):
                        return WITHHELD
                    self._mute(pseudonym, Mute(what, name, session.associate, session.tablet), now_mono_s)
                    return query.Accepted()
                case acts.Propose():
                    return self._propose(asked, session, pseudonym, visit, now_mono_s, now_ms)
        except CacheError:
            return DARK

    def _respond(
        self, asked: acts.Respond, session: Session, pseudonym: bytes, visit: Visit, now_mono_s: float, now_ms: int
    ) -> query.Reply:
        if asked.item not in self._looks.suggested(session, asked.handle, now_ms):
            return WITHHELD
        if not self._offers.is_news(asked.handle, asked.item, asked.response):
            return query.Accepted()  # the box noted by itself that it was shown; and a second tap says nothing new
        outcome = EventKind.OUTCOME, pseudonym, self._offers.outcome(visit, asked.item, asked.response, now_ms)
        if asked.response is Response.NOT_FOR_ME:
            mute = Mute(MuteKind.ITEM, asked.item, session.associate, session.tablet)
            self._mute(pseudonym, mute, now_mono_s, outcome)
        else:
            self._replica.record(now_mono_s, outcome)
        self._offers.answered(asked.handle, asked.item, asked.response)
        self._effects.stir()  # another tablet may have the same card open
        return query.Accepted()

    def _mutable(self, session: Session, handle: bytes, what: MuteKind, now_ms: int) -> frozenset[str]:
        """What may be muted of the suggestions on the card: these items, or their categories, or their themes."""
        items = self._looks.suggested(session, handle, now_ms)
        if what is MuteKind.ITEM:
            return items
        told = [one for one in map(self._assortment.of, items) if one is not None]
        return frozenset(name for one in told for name in (one.path if what is MuteKind.CATEGORY else one.themes))

    def _mute(
        self, pseudonym: bytes, mute: Mute, now_mono_s: float, *before: tuple[EventKind, bytes | None, object]
    ) -> None:
        """In force at once, in this store; HQ makes it the member's own choice. Raises: CacheError."""
        self._effects.took(self._replica.mute(pseudonym, mute, now_mono_s, *before), now_mono_s)
        self._effects.stir()

    def _propose(
        self, asked: acts.Propose, session: Session, pseudonym: bytes, visit: Visit, now_mono_s: float, now_ms: int
    ) -> query.Reply:
        policy = self._replica.policy()
        member, denied = self._standing.record(pseudonym)
        if policy is None or member is None or self._assortment.offered(asked.item) is None:
            return WITHHELD
        verdict = decide(member, denied, SCOPES[asked.to], session.role, visit, policy, now_ms // 1000)
        if not isinstance(verdict, Allow):
            return WITHHELD
        body = Proposal(asked.to, asked.item, asked.quantity, session.role, session.associate, session.tablet)
        self._replica.record(now_mono_s, (EventKind.PROPOSAL, pseudonym, body))
        return query.Accepted()
