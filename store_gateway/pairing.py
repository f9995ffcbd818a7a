"""Pairs tablets by one-time codes, knows what they say of themselves, and ends pairings, also of a browser too old.

Codes live in memory; of a tablet's secret only the SHA-256 is kept.

I/O: the cache, through the replica.
"""

import base64
import hashlib
from collections.abc import Callable
from typing import Protocol

from store_gateway.errors import CacheError
from store_gateway.replica import Tablet
from store_gateway.tries import Tries
from wire import browsers, query, synthetic
from wire.policy import Policy
from wire.query import Refused, RefusedReason

CODE_BYTES = 16  # 128 bits: 26 base32 characters
CODE_S = 60
SECRET_BYTES = 32
MOST_CODES = 8
MOST_TABLETS = 256
_ID_BYTES = 4

WRONG = Refused(RefusedReason.WRONG)
DARK = Refused(RefusedReason.DARK)
OUTDATED = Refused(RefusedReason.OUTDATED)


class Keeper(Protocol):
    """What is needed of the replica."""

    def policy(self) -> Policy | None: ...
    def trusted_ms(self, now_mono_s: float) -> int | None: ...
    def add_tablet(self, tablet: Tablet) -> None: ...
    def tablet(self, secret_hash: bytes) -> Tablet | None: ...
    def tablets(self) -> tuple[Tablet, ...]: ...
    def unpair(self, tablet_id: str, now_mono_s: float) -> None: ...


class Pairing:
    """See the module. `entropy(n)` gives n random bytes; `gone` is told of tablets that are not paired any more."""

    def __init__(
        self, store: str, keeper: Keeper, entropy: Callable[[int], bytes], tries: Tries,
        gone: Callable[[frozenset[str]], None],
    ) -> None:  # fmt: skip
        self._store = store
        self._keeper = keeper
        self._entropy = entropy
        self._tries = tries
        self._gone = gone
        self._codes: dict[bytes, float] = {}  # SHA-256 of a code -> when it ends
        self._probe_code = (b"", 0.0)  # likewise, of the one that is for the probe's tablet
        self.refused = {"pairings_wrong_total": 0, "pairings_throttled_total": 0, "browsers_outdated_total": 0}
        self._asked: dict[str, float] = {}  # when each tablet last asked something
        self._browsers: dict[str, str] = {}  # what each said of itself last

    def mint(self, now_mono_s: float) -> query.PairingCode:
        """A new one-time code; the oldest of too many goes."""
        code = base64.b32encode(self._entropy(CODE_BYTES)).decode().rstrip("=")
        while len(self._codes) >= MOST_CODES:
            del self._codes[next(iter(self._codes))]
        self._codes[_hash(code.encode())] = now_mono_s + CODE_S
        return query.PairingCode(code, CODE_S)

    def mint_probe(self, now_mono_s: float) -> str:
        """A new one-time code for the probe's tablet, in the place of an older one."""
        code = base64.b32encode(self._entropy(CODE_BYTES)).decode().rstrip("=")
        self._probe_code = _hash(code.encode()), now_mono_s + CODE_S
        return code

    def pair(self, asked: query.Pair, now_mono_s: float) -> query.Paired | Refused:
        """A code for a tablet's secret. The code is spent even where the tablet cannot be kept.

        Only wrong codes are throttled: 128 bits cannot be guessed, and whoever reaches the network could otherwise
        keep the store from pairing.
        """
        code = asked.code.upper().replace("-", "").replace(" ", "")
        hashed = _hash(code.encode())
        probes = hashed == self._probe_code[0]
        ends_mono_s = self._probe_code[1] if probes else self._codes.pop(hashed, 0.0)
        if ends_mono_s <= now_mono_s:
            left_s = self._tries.left_s("codes", now_mono_s)
            if left_s:
                self.refused["pairings_throttled_total"] += 1
                return Refused(RefusedReason.THROTTLED, left_s)
            self._tries.wrong("codes", now_mono_s)
            self.refused["pairings_wrong_total"] += 1
            return WRONG
        if probes:
            self._probe_code = (b"", 0.0)
        elif self.tablets >= MOST_TABLETS:
            return Refused(RefusedReason.FORBIDDEN)
        elif not self._may_browse(asked.browser):
            self.refused["browsers_outdated_total"] += 1
            return OUTDATED
        secret = self._entropy(SECRET_BYTES)
        tablet = Tablet(
            id="tablet-" + self._entropy(_ID_BYTES).hex(),
            secret_hash=_hash(secret),
            label=synthetic.LABEL if probes else asked.label if asked.label != synthetic.LABEL else "",
            browser=asked.browser,
            paired_ms=self._keeper.trusted_ms(now_mono_s) or 0,
        )
        try:
            for old in self._keeper.tablets() if probes else ():
                if is_probe(old):
                    self._keeper.unpair(old.id, now_mono_s)
            self._keeper.add_tablet(tablet)
        except CacheError:
            return DARK
        return query.Paired(secret, tablet.id, self._store, label_of(self._keeper.policy(), self._store))

    def unpair(self, tablet_id: str, now_mono_s: float) -> bool:
        """Ends a tablet's pairing, recorded, and whoever is signed in on it; whether there was such a tablet.

        Raises: CacheError; then it is paired as before.
        """
        if all(one.id != tablet_id or is_probe(one) for one in self._keeper.tablets()):
            return False
        self._keeper.unpair(tablet_id, now_mono_s)
        self.forget(frozenset({tablet_id}))
        self._gone(frozenset({tablet_id}))
        return True

    def forget(self, tablets: frozenset[str]) -> None:
        """What these tablets said is forgotten: they are not paired any more."""
        for tablet in tablets:
            self._asked.pop(tablet, None)
            self._browsers.pop(tablet, None)

    def paired(self, secret: bytes) -> Tablet | None:
        """The tablet of this secret; None: it is not paired."""
        return self._keeper.tablet(_hash(secret))

    def _may_browse(self, browser: str) -> bool:
        policy = self._keeper.policy()
        if policy is None:
            return True
        return browsers.allowed(browser, policy.main.browsers, unknown=policy.main.unknown_browsers is not False)

    def outdated(self, tablet: Tablet, browser: str | None, now_mono_s: float) -> Refused | None:
        """Notes what the tablet says of itself; one that policy does not let in any more is unpaired, and told why."""
        if browser is None or is_probe(tablet):
            return None
        self._asked[tablet.id], self._browsers[tablet.id] = now_mono_s, browser
        if self._may_browse(browser):
            return None
        self.refused["browsers_outdated_total"] += 1
        try:
            self.unpair(tablet.id, now_mono_s)
        except CacheError:
            return DARK
        return OUTDATED

    # --- what is known of tablets -----------------------------------------------------------------------------------

    def asked(self, tablet_id: str, now_mono_s: float) -> None:
        """A tablet asked something."""
        self._asked[tablet_id] = now_mono_s

    def asked_mono_s(self, tablet_id: str) -> float | None:
        """When it did so last; None: not since the start."""
        return self._asked.get(tablet_id)

    def browser(self, tablet: Tablet) -> str:
        """Its browser by name and version, as it said last."""
        return browsers.browser(self._browsers.get(tablet.id, tablet.browser)).name

    @property
    def tablets(self) -> int:
        """How many tablets are paired, but for the probe's."""
        return sum(not is_probe(one) for one in self._keeper.tablets())

    def tick(self, now_mono_s: float) -> None:
        """Forgets the codes that are over."""
        for code in [code for code, ends_mono_s in self._codes.items() if ends_mono_s <= now_mono_s]:
            del self._codes[code]


def label_of(policy: Policy | None, store: str) -> str:
    """What people call the store."""
    return policy.store.label if policy is not None and policy.store.label else store


def is_probe(tablet: Tablet) -> bool:
    """Whether it is the tablet of the store's probe."""
    return tablet.label == synthetic.LABEL


def _hash(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()
