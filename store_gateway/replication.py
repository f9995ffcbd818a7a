"""Makes the instances equal what HQ holds: compares roots, asks for what differs, applies what comes in slices.

Used by the state thread. Nothing here waits, and no slice is more than some hundred rows in one transaction.

I/O: the cache file, through `store_gateway.vault`.
"""

from collections import Counter, deque
from collections.abc import Iterator

from runtime.logs import Log
from store_gateway.cache import MAX_SEQ
from store_gateway.core.fill import Fill, Page, Start
from store_gateway.core.lease import Keeper, Offer
from store_gateway.holdings import Instance, Span
from store_gateway.proof import Proof
from store_gateway.seal import Entropy
from store_gateway.vault import Touched, Vault
from wire import sync
from wire.condition import Agreement
from wire.sync import GATING, Wanted
from wire.tree import Node

NONCE_BYTES = 16
PIECE_ROWS = 256  # of one piece of a range, which is applied whole

_log = Log("replication")
_GATING_WORDS = frozenset(collection.name.lower() for collection in GATING)


class Replication:
    """The filling and comparing of one boot."""

    __slots__ = ("_agreed", "_counts", "_entropy", "_fill", "_page", "_pieces", "proof")

    def __init__(self, entropy: Entropy, counts: Counter[str]) -> None:
        self._entropy = entropy
        self._counts = counts
        self._fill = Fill()
        self._agreed: set[str] = set()  # once, in this boot
        self._page: Page | None = None  # the one of which pieces are left
        self._pieces: deque[Span] = deque()
        self.proof = Proof()

    def quarantined(self) -> tuple[str, ...]:
        """The instances that did not agree after 3 rounds, and have not since."""
        return self._fill.quarantined()

    def agreement(self, name: str) -> Agreement:
        """Whether an instance held what HQ held when they were compared last."""
        if name in self._fill.quarantined():
            return Agreement.QUARANTINED
        if self._fill.differs(name):
            return Agreement.FILLING
        return Agreement.AGREES if name in self._agreed else Agreement.UNCOMPARED

    @property
    def gates(self) -> bool:
        """Whether one of them keeps the store dark."""
        return any(_gates(name) for name in self._fill.quarantined())

    def retry(self) -> int:
        """An operator's word: what is quarantined is tried at once; how many instances."""
        return self._fill.retry()

    def drop(self, name: str) -> None:
        """An instance is gone, or begins again."""
        self._fill.drop(name)
        self._agreed.discard(name)
        self._forget()

    def relink(self) -> None:
        """The connection came back."""
        self._fill.relink()

    # --- what goes up ------------------------------------------------------------------------------------------------

    def due(self, now_mono_s: float) -> bool:
        """Whether there is something to ask for."""
        return self._fill.due(now_mono_s)

    def want(self, now_mono_s: float) -> sync.Want:
        """What to ask for now."""
        nonce = self._entropy(NONCE_BYTES)
        return sync.Want(nonce, self._fill.next_wants(nonce, now_mono_s))

    # --- what comes down ---------------------------------------------------------------------------------------------

    def on_answer(
        self, vault: Vault, answer: sync.Children | sync.RecordRange, nonce: bytes, now_mono_s: float
    ) -> bool | None:
        """Takes what HQ says of nodes; None: nothing that we asked for, True: the round ended. Raises: CacheError."""
        first = answer.prefix if isinstance(answer, sync.Children) else answer.first
        wanted = self._fill.asked(answer.instance, first, nonce)
        held = vault.holdings.instances.get(answer.instance)
        if wanted is None or held is None:
            return None
        if isinstance(answer, sync.RecordRange):
            return False if self._fill.on_range(wanted, answer, now_mono_s) else None
        if len(wanted.first) == 2 or wanted.first != wanted.last:
            return None
        return self._on_children(vault, held, wanted, answer, now_mono_s)

    def _on_children(
        self, vault: Vault, held: Instance, wanted: Wanted, answer: sync.Children, now_mono_s: float
    ) -> bool:
        own = vault.holdings.nodes_below(held, wanted.first)
        named = {
            wanted.first + bytes([child.byte]): Node(int.from_bytes(child.digest, "little"), child.count)
            for child in answer.nodes
        }
        places = [wanted.first + bytes([byte]) for byte in range(256)]
        equal = [place for place in places if own.get(place, Node()) == named.get(place, Node())]
        differing = set(places) - set(equal)
        vault.raise_floors(held, answer.as_of, _runs(equal), now_mono_s)
        return self._fill.on_children(
            wanted, sorted(differing & own.keys()), sorted(differing - own.keys()), now_mono_s
        )

    # --- slices ------------------------------------------------------------------------------------------------------

    def work(self, vault: Vault, most_rows: int, now_mono_s: float) -> tuple[Touched, bool]:
        """Applies pieces of about so many rows in one transaction; what changed, and whether a round ended by it.

        Where there are none, a step of the proof that an operator waits for. Raises: CacheError; the range is then
        applied again.
        """
        if not self._fill.pages:
            self.proof.step(vault.holdings)
            return Touched(), False
        chosen: list[tuple[Instance, Span]] = []
        done: list[Page] = []
        rows = 0
        for page, held, span in self._next(vault):
            if chosen and rows + span.rows > most_rows:
                self._pieces.appendleft(span)
                break
            chosen.append((held, span))
            rows += span.rows
            if not self._pieces:
                done.append(page)
        if not chosen:
            return Touched(), False
        try:
            touched = vault.apply_spans(chosen, now_mono_s)
        except BaseException:
            self._forget()
            raise
        self._counts["fill_slices"] += 1
        ended = [self._fill.applied(page, now_mono_s) for page in done]
        return touched, any(ended)

    def busy(self) -> bool:
        """Whether `work` has something to apply."""
        return bool(self._fill.pages) or self.proof.hurried

    def _next(self, vault: Vault) -> Iterator[tuple[Page, Instance, Span]]:
        """Piece after piece of the ranges that arrived."""
        for page in self._fill.pages:
            held = vault.holdings.instances[page.wanted.instance]  # a dropped instance has no pages
            if page is not self._page:
                self._page, self._pieces = page, deque(vault.holdings.pieces(held, page.parts, PIECE_ROWS))
            while self._pieces:
                yield page, held, self._pieces.popleft()

    def _forget(self) -> None:
        self._page = None
        self._pieces.clear()

    # --- the roots ---------------------------------------------------------------------------------------------------

    def compare(self, vault: Vault, keeper: Keeper, offer: Offer, now_mono_s: float) -> tuple[Instance, ...]:
        """Begins the lease on offer where the gating instances agree; asks for what differs once it had its time.

        Returns the instances that agree. Raises: CacheError.
        """
        agreed: list[tuple[Instance, int]] = []
        differing: list[Instance] = []
        gates = False
        for root in offer.lease.roots:
            held = vault.holdings.instances.get(root.instance)
            if held is not None and _agrees(held, root):
                agreed.append((held, root.as_of))
                continue
            gates = gates or _gates(root.instance)
            if held is not None:
                differing.append(held)
        vault.holdings.settle(agreed)
        for held, _ in agreed:
            self._fill.agreed(held.name)
            self._agreed.add(held.name)
        waits = gates and not keeper.wait_over(now_mono_s)
        if not gates:
            keeper.begin()
        for held in differing:
            # Messages under way may make them equal; what was not equal in this boot needs more than these.
            if held.name not in self._agreed or not waits:
                self._begin(held, offer, now_mono_s)
        return tuple(held for held, _ in agreed)

    def _begin(self, held: Instance, offer: Offer, now_mono_s: float) -> None:
        match self._fill.start(held.name, held.floor, offer.sent_mono_s, now_mono_s):
            case Start.BEGUN:
                self._counts["rounds"] += 1
            case Start.QUARANTINED:
                self._counts["quarantined"] += 1
                remedy = "tried again by itself, or by `consentry-gateway retry`; report it if it goes on"
                _log.error("quarantined", instance=held.name, remedy=remedy)
            case Start.NOT_NOW:
                pass


def _gates(instance: str) -> bool:
    return instance.split("/")[0] in _GATING_WORDS


def _runs(places: list[bytes]) -> list[tuple[bytes, bytes]]:
    """Neighbouring nodes as spans, so that their floor is kept in few rows."""
    runs: list[tuple[bytes, bytes]] = []
    for place in places:
        if runs and int.from_bytes(place, "big") == int.from_bytes(runs[-1][1], "big") + 1:
            runs[-1] = runs[-1][0], place
        else:
            runs.append((place, place))
    return runs


def _agrees(held: Instance, root: sync.Root) -> bool:
    if root.as_of > MAX_SEQ:
        return False
    as_of = held.deltas.root_as_of(held.node, root.as_of)
    return as_of.root == root.root and as_of.count == root.count
