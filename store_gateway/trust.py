"""Holds what proves this box to tablets: the certificate that HQ delivered, and one of the store's own authority.

HQ's is kept in the cache file under a key of the box's secret alone, so that it is there while the cache is locked. The
own one is made at each start and lives in memory only.

I/O: the cache file, through `store_gateway.cache`; the system's random generator.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from runtime.built import BUILT_MS
from runtime.logs import Log
from store_gateway.authority import Authority
from store_gateway.cache import Cache
from store_gateway.errors import CacheError
from store_gateway.seal import KEY_BYTES, Seal
from wire import schema
from wire.certificates import Leaf, judge
from wire.errors import WireError
from wire.trust import (
    MOST_NAMES,
    Certificate,
    CertificateFault,
    CertificateKit,
    Certificates,
    CertificateSource,
    CertificateView,
    id_of,
)

_INFO = b"consentry/certificate/1"
_BOUND = b"certificate"
_LATE_REMEDY = "see that HQ renews it: consentry-hq certificate show"

_log = Log("trust")


@dataclass(frozen=True, slots=True, repr=False)
class _Held:
    """A certificate that serves; `kit` is what the tablet API gets."""

    kit: CertificateKit
    leaf: Leaf


class Trust:
    """See the module. `authority` None: nothing is configured, so nothing is made and nothing taken."""

    def __init__(self, authority: Authority | None, box_secret: bytes, entropy: Callable[[int], bytes]) -> None:
        self._authority = authority
        self._box_secret = box_secret
        self._entropy = entropy
        self._delivered: _Held | None = None
        self._own: _Held | None = None
        self._late: bytes | None = None  # of which it was said already
        self._answered_mono_s = -1.0  # when the newest hello was sent that a certificate answered
        self.seen: bytes | None = None  # the id of what came last, taken or not
        self.fault: CertificateFault | None = None  # why it was not taken
        self.counts: Counter[str] = Counter()

    def use(self, cache: Cache) -> None:
        """This file is open: what it keeps is what was delivered, and in a new one that is nothing."""
        self._delivered = self.seen = self.fault = None
        sealed = cache.certificate()
        if sealed is None:
            return
        try:
            kept = schema.decode(Certificate, self._seal(cache).open(sealed, _BOUND))
        except (CacheError, WireError):  # of another box, or damaged: HQ sends it again
            self.counts["certificates_unreadable"] += 1
            return
        judged = judge(kept.chain, kept.key, kept.name, None)
        if isinstance(judged, Leaf):
            self._delivered = _held(CertificateSource.HQ, kept, judged)
            self.seen = judged.id

    def take(self, cache: Cache, sent: Certificate, sent_mono_s: float, now_ms: int | None) -> None:
        """What HQ delivers, in answer to the hello of `sent_mono_s`. `now_ms` is trusted time.

        Raises: CacheError; then nothing was taken. What does not serve is not taken either, and HQ is told why.
        """
        if sent_mono_s < self._answered_mono_s:
            self.counts["certificates_void"] += 1  # a recording
            return
        self._answered_mono_s = sent_mono_s
        if not sent.chain:
            with cache.transaction():
                cache.put_certificate(None)
            self._delivered = self.seen = self.fault = None
            _log.info("certificate_withdrawn")
            return
        judged = self._judged(sent, now_ms)
        if isinstance(judged, CertificateFault):
            self.seen, self.fault = id_of(sent.chain), judged
            self.counts[f"certificates_refused_{judged.name.lower()}"] += 1
            _log.error("certificate_refused", remedy="HQ delivers another; the one before stays", reason=judged.name)
            return
        with cache.transaction():
            cache.put_certificate(self._seal(cache).close(schema.encode(sent), _BOUND))
        self._delivered = _held(CertificateSource.HQ, sent, judged)
        self.seen, self.fault = judged.id, None
        self.counts["certificates_taken"] += 1
        _log.info("certificate_taken", until=judged.not_after.date().isoformat())

    def tick(self, now_ms: int | None, kept_ms: int) -> None:
        """Renews the own one at half its life; says once that HQ's is late. `kept_ms`: a time that has passed."""
        now = _at(max(now_ms or 0, kept_ms, BUILT_MS))
        if self._authority is not None and (self._own is None or now >= self._own.leaf.half):
            self._own = self._issued(self._authority, now)
        delivered = self._delivered
        if delivered is not None and now >= delivered.leaf.late and self._late != delivered.leaf.id:
            self._late = delivered.leaf.id
            self.counts["certificates_late"] += 1
            _log.warning("certificate_late", remedy=_LATE_REMEDY, until=delivered.leaf.not_after.date().isoformat())

    def certificates(self, now_ms: int | None) -> Certificates:
        """What tablets are shown now: of HQ's only while it holds, as far as is known."""
        now = _at(now_ms) if now_ms is not None else None
        kits = [
            one.kit
            for one in (self._delivered, self._own)
            if one is not None and (now is None or now < one.leaf.not_after)
        ]
        return Certificates(tuple(kits), self._authority.pem if self._authority is not None else b"")

    def views(self) -> tuple[CertificateView, ...]:
        """Both, for people."""
        return tuple(
            CertificateView(one.kit.source, one.leaf.names[0], one.kit.not_after_ms)
            for one in (self._delivered, self._own)
            if one is not None
        )

    def _judged(self, sent: Certificate, now_ms: int | None) -> Leaf | CertificateFault:
        if self._authority is None or sent.name.lower() not in self._authority.dns_names:
            return CertificateFault.OTHER_NAME
        return judge(sent.chain, sent.key, sent.name, _at(now_ms) if now_ms is not None else None)

    def _issued(self, authority: Authority, now: datetime) -> _Held:
        chain, key = authority.issue(now)
        judged = judge(chain, key, authority.dns_names[0], now)
        assert isinstance(judged, Leaf)  # we made it
        self.counts["certificates_made"] += 1
        return _held(CertificateSource.OWN, Certificate(judged.names[0], chain, key), judged)

    def _seal(self, cache: Cache) -> Seal:
        """Under HKDF-SHA256(ikm = box secret 32, salt = incarnation 16, info = "consentry/certificate/1")."""
        hkdf = HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=cache.header.incarnation, info=_INFO)
        return Seal(hkdf.derive(self._box_secret), self._entropy)


def _held(source: CertificateSource, sent: Certificate, leaf: Leaf) -> _Held:
    not_after_ms = int(leaf.not_after.timestamp() * 1000)
    return _Held(CertificateKit(source, leaf.id, leaf.names[:MOST_NAMES], sent.chain, sent.key, not_after_ms), leaf)


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
