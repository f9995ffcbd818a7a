"""What a purchase, a return and a service case say, and which values of the profile follow from all of a member.

What is marked as a gift or as not mine follows into no value, and so into no store.

Pure: no I/O, no clock.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Annotated

from consent.listed import is_too_old
from hq.custody import Place, Seal, bound
from wire import schema
from wire.member import Field, Item, Seconds, SourceClass, Text, Value, ValueClass
from wire.policy import MainPolicy, ValueType
from wire.schema import Count, Range, Size

HISTORY_STORE, HISTORY_ONLINE, RETURNS, SERVICE = "history.store", "history.online", "returns", "service.open"
SCOPES = frozenset({HISTORY_STORE, HISTORY_ONLINE, RETURNS, SERVICE})
SURFACE = "purchases"  # of a value that was made here, and may be made anew
MOST_LINES = 64
ONLINE = ""  # the place of what was not bought in a store
WHOLE = ""  # of a mark: all of a purchase
_MOST_ITEMS = 128  # of a value
_MOST_TEXTS = 64
# Of each value: together they leave room for what the member says. A line of a history takes some 50 bytes, so that all
# 128 fit; each has its own, so that how much is told of one does not follow from another.
_MOST_BYTES = {HISTORY_STORE: 7_680, HISTORY_ONLINE: 7_680, RETURNS: 3_072, SERVICE: 2_048}


class Kind(IntEnum):
    """What a system told."""

    PURCHASE = 1
    RETURN = 2
    SERVICE = 3


class Mark(IntEnum):
    """What the member said of something bought. None of it is shown to anybody, nor counted for suggestions."""

    GIFT = 1
    NOT_MINE = 2
    DELETED = 3  # of a whole: nothing is left of it but what a system would know it by, so that it does not come back


@dataclass(frozen=True, slots=True, repr=False)
class Bought:
    """One line of a purchase or a return."""

    item: Annotated[str, Size(1, 64)]
    label: Text
    quantity: Annotated[int, Range(1, 100_000)]


@dataclass(frozen=True, slots=True, repr=False)
class Purchase:
    """What one system told of one purchase, return or service case. `store` empty: online.

    `of_reference`, `of_store`: the purchase that a return points at. `subject`, `is_open`: of a service case.
    """

    reference: Annotated[str, Size(1, 64)]
    kind: Kind
    store: Annotated[str, Size(0, 40)]
    system: Annotated[str, Size(1, 40)]
    at_s: Seconds
    lines: Annotated[tuple[Bought, ...], Count(MOST_LINES)] = ()
    of_reference: Annotated[str, Size(0, 64)] = ""
    of_store: Annotated[str, Size(0, 40)] = ""
    subject: Text = ""
    is_open: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Marked:
    """One mark; `item` `WHOLE`: all of the purchase."""

    item: Annotated[str, Size(0, 64)]
    mark: Mark


@dataclass(frozen=True, slots=True, repr=False)
class Marks:
    """What stands sealed beside a purchase."""

    listed: Annotated[tuple[Marked, ...], Count(MOST_LINES + 1)]


@dataclass(frozen=True, slots=True, repr=False)
class Held:
    """One purchase as HQ holds it. `id`, 16 bytes, names it to its member and to nobody else."""

    id: bytes
    said: Purchase
    marks: Mapping[str, Mark]

    @property
    def is_deleted(self) -> bool:
        """Whether the member deleted it."""
        return self.marks.get(WHOLE) is Mark.DELETED

    def mark_of(self, item: str) -> Mark | None:
        """What the member said of this line, or of all of it."""
        return self.marks.get(item, self.marks.get(WHOLE))


def marks_of(seal: Seal, sealed: bytes | None, member: bytes, purchase: bytes) -> dict[str, Mark]:
    """What the member said of a purchase, of its row. Raises: SealBroken."""
    if sealed is None:
        return {}
    opened = seal.open(sealed, bound(Place.PURCHASE_MARKS, member, purchase))
    return {one.item: one.mark for one in schema.decode(Marks, opened).listed}


def emptied(said: Purchase) -> Purchase:
    """What is kept of one that the member deleted: by what a system knows it, for as long as it could be told again."""
    return replace(said, lines=(), of_reference="", of_store="", subject="", is_open=False)


def name(seal: Seal, store: str, reference: str) -> bytes:
    """The id of a purchase: of one place and reference there is one, whichever system tells of it."""
    return seal.name(b"purchase\x00" + store.encode() + b"\x00" + reference.encode())


def bought(said: Purchase, seal: Seal) -> bytes | None:
    """The id of the purchase that a return points at; None: it points at none, or is no return."""
    return name(seal, said.of_store, said.of_reference) if said.of_reference else None


def scope_of(said: Purchase) -> str:
    """The scope under which this may be kept."""
    match said.kind:
        case Kind.PURCHASE:
            return HISTORY_ONLINE if said.store == ONLINE else HISTORY_STORE
        case Kind.RETURN:
            return RETURNS
        case Kind.SERVICE:
            return SERVICE


def lines(held: Sequence[Held], seal: Seal) -> Iterator[tuple[Purchase, Bought, bool]]:
    """Each line of what one member bought and gave back, with what it stands in and whether it came back, in the order
    of `held`. What is marked, and what came back of it, is left out, and so is what came back of a purchase that the
    member deleted, where that is in `held` too.
    """
    gone = {one.id for one in held if one.is_deleted}
    back: Counter[tuple[bytes, str]] = Counter()
    marked: set[tuple[bytes, str]] = set()
    for one in held:
        marked.update((one.id, line.item) for line in one.said.lines if one.mark_of(line.item) is not None)
        of = bought(one.said, seal)
        if of is not None:
            for line in one.said.lines:
                back[of, line.item] += line.quantity
    for one in held:
        said = one.said
        of = one.id if said.kind is Kind.PURCHASE else bought(said, seal) or b""
        if said.kind is Kind.SERVICE or of in gone:
            continue
        for line in said.lines:
            if (one.id, line.item) not in marked and (of, line.item) not in marked:
                yield said, line, said.kind is Kind.RETURN or back[of, line.item] >= line.quantity


def longest_days(mains: Iterable[MainPolicy]) -> dict[str, int]:
    """For how many days a store may show a value, by scope: the longest that a policy allows."""
    found: dict[str, int] = {}
    for rule in (one for main in mains for one in main.scopes):
        found[rule.id] = max(found.get(rule.id, 0), rule.retention_days)
    return found


def fields(held: Sequence[Held], seal: Seal, mains: Sequence[MainPolicy], now_s: int) -> dict[str, Field]:
    """The values that follow, by scope, of all of one member, the newest first and the deleted among them; of scopes
    that a policy declares, and of nothing that is older than every policy lets a store show.
    """
    kept_days = longest_days(mains)

    def is_over(said: Purchase) -> bool:
        return is_too_old(said.at_s, kept_days.get(scope_of(said), 0), now_s)

    found: dict[str, list[Item]] = {HISTORY_STORE: [], HISTORY_ONLINE: [], RETURNS: []}
    for said, line, is_back in lines(held, seal):
        if not is_over(said):
            found[scope_of(said)].append(Item(line.item, line.label, said.at_s, line.quantity, is_back))
    cases = [
        (said.at_s, said.subject)
        for said in (one.said for one in held if one.mark_of(WHOLE) is None)
        if said.kind is Kind.SERVICE and said.is_open and not is_over(said)
    ]
    types = {rule.id: rule.value_type for main in mains for rule in main.scopes}
    made = [
        _field(scope, Value(items=tuple(items[:_MOST_ITEMS])), max(one.at_s or 0 for one in items))
        for scope, items in found.items()
        if items and types.get(scope) is ValueType.ITEMS
    ]
    if cases and types.get(SERVICE) is ValueType.TEXTS:
        texts = tuple(dict.fromkeys(subject for _, subject in cases))[:_MOST_TEXTS]
        made.append(_field(SERVICE, Value(texts=texts), max(at_s for at_s, _ in cases)))
    return {one.scope: one for one in made}


def _field(scope: str, value: Value, at_s: int) -> Field:
    """A value of ours: the newest that fit, and not one fewer."""

    def first(number: int) -> Field:
        cut = Value(texts=value.texts and value.texts[:number], items=value.items and value.items[:number])
        return Field(scope, cut, SourceClass.FIRST, SURFACE, ValueClass.TRANSACTIONAL, at_s, at_s)

    def is_too_long(number: int) -> bool:
        return len(schema.encode(first(number))) > _MOST_BYTES[scope]

    whole = len(value.items or value.texts or ())
    if not is_too_long(whole):
        return first(whole)
    return first(bisect_left(range(1, whole), True, key=is_too_long))  # the longest number before the first too long


def renewed(before: Iterable[Field], made: Mapping[str, Field]) -> list[Field] | None:
    """A profile with these values of ours; None: it has them already."""
    kept = {one.scope: one for one in before}
    wanted = {scope: one for scope, one in kept.items() if one.surface != SURFACE} | dict(made)
    return None if wanted == kept else list(wanted.values())
