"""Strategies that several tests share: any message of a schema, and members, policies and visits that nearly fit."""

import dataclasses
import types
import typing
from enum import Enum
from typing import Any

from hypothesis import strategies as st

from consent.visit import Denied, Visit
from wire import query, sync
from wire.member import (
    Field,
    Item,
    Member,
    Mode,
    NameChoice,
    SourceClass,
    State,
    Statement,
    Value,
    ValueClass,
)
from wire.policy import (
    AgeRule,
    Hours,
    MainPolicy,
    Policy,
    Purpose,
    Role,
    ScopeRule,
    Section,
    StorePolicy,
    ValueType,
    Zone,
)
from wire.schema import Count, Range, Size

# --- any instance of a schema dataclass, from its annotations -----------------------------------------------------

_MOST_ELEMENTS = 4  # of an array, unless its bound is lower: whole messages stay small


def instances(schema: type, most: int = _MOST_ELEMENTS) -> st.SearchStrategy[Any]:
    """Any instance of a schema dataclass that its annotations allow; arrays of at most `most` elements."""
    hints = typing.get_type_hints(schema, include_extras=True)
    parts = {field.name: _of(hints[field.name], most) for field in dataclasses.fields(schema)}
    return st.builds(schema, **parts)


def _of(hint: Any, most: int) -> st.SearchStrategy[Any]:
    bound = None
    if typing.get_origin(hint) is typing.Annotated:
        hint, bound = typing.get_args(hint)[:2]
    origin = typing.get_origin(hint)
    if origin is tuple:
        high = min(most, bound.high if isinstance(bound, Count) else most)
        return st.lists(_of(typing.get_args(hint)[0], most), max_size=high).map(tuple)
    if origin in (typing.Union, types.UnionType):
        (inner,) = (part for part in typing.get_args(hint) if part is not type(None))
        return st.none() | _of(typing.Annotated[inner, bound] if bound else inner, most)
    if dataclasses.is_dataclass(hint):
        return instances(typing.cast(type, hint), most)
    if issubclass(hint, Enum):
        return st.sampled_from(hint)
    if hint is bool:
        return st.booleans()
    if hint is int:
        low, high = (bound.low, bound.high) if isinstance(bound, Range) else (0, 2**64 - 1)
        return st.sampled_from((low, high)) | st.integers(low, high)
    size = bound if isinstance(bound, Size) else Size(0, 256)
    if hint is bytes:
        most_bytes = size.high if size.high <= 2048 else size.low + 64
        return st.binary(min_size=size.low, max_size=most_bytes)
    return texts(size)


def texts(size: Size) -> st.SearchStrategy[str]:
    """Text of `size` bytes in UTF-8, its bounds included."""
    fits = st.text(st.characters(exclude_categories=["Cs"]), min_size=size.low, max_size=size.high)
    edges = st.sampled_from(sorted({"x" * size.low, "x" * size.high}))
    return edges | fits.filter(lambda text: len(text.encode()) <= size.high)


messages = st.sampled_from(list(sync.Kind)).flatmap(lambda kind: instances(sync.SCHEMAS[kind]))
event_bodies = st.sampled_from(list(sync.EVENT_BODIES)).flatmap(lambda kind: instances(sync.EVENT_BODIES[kind]))
requests = st.sampled_from(typing.get_args(query.Request)).flatmap(instances)
replies = st.sampled_from(typing.get_args(query.Reply)).flatmap(instances)

# --- a small world, so that choices, policies and visits meet -----------------------------------------------------

STORE = "berlin-1"
NOW_S = 1_795_000_000
DAY_S = 86_400

SCOPES = ("name.first", "size.shoe", "fit.jacket", "colour.liked", "diet", "wishlist", "history.store")
UNHEARD_OF = "unheard.of"
PURPOSES = ("presence", "assist", "suggest")
ROLES = ("associate", "manager", "till")
ZONES = ("shoes", "entrance", "pharmacy")


def scope_rule(scope: str, **other: Any) -> ScopeRule:
    """A declaration of a text that the member's own word or ours may fill."""
    usual: dict[str, Any] = {
        "id": scope,
        "label": scope.title(),
        "value_type": ValueType.TEXT,
        "least_source": SourceClass.SECOND,
        "special": "",
        "retention_days": 365,
        "most_items": 3,
        "section": Section.PREFERENCES,
        "purposes": ("assist",),
    }
    return ScopeRule(**(usual | other))


def zone(name: str, **other: Any) -> Zone:
    """A zone of one node, not blind."""
    usual: dict[str, Any] = {
        "id": name,
        "label": name.title(),
        "kind": "",
        "nodes": (f"node-{name}",),
        "blind": False,
        "scopes_first": (),
        "hours": None,
    }
    return Zone(**(usual | other))


def purpose(name: str, **other: Any) -> Purpose:
    """A purpose with all that a purpose needs."""
    usual: dict[str, Any] = {
        "id": name,
        "label": f"To {name}",
        "legal_basis": "consent",
        "retention_days": 365,
        "notice": b"n" * 32,
        "record_of_processing": "ropa-1",
    }
    return Purpose(**(usual | other))


MAIN = MainPolicy(
    version=3,
    lease_s=120,
    heartbeat_s=15,
    purposes=tuple(purpose(name) for name in PURPOSES),
    scopes=(
        scope_rule("name.first"),
        scope_rule("fit.jacket"),
        scope_rule("size.shoe"),
        scope_rule("colour.liked", value_type=ValueType.TEXTS, used_for=("suggest",)),
        scope_rule("diet", special="religion"),
        scope_rule("wishlist", value_type=ValueType.ITEMS, section=Section.WISHLIST),
        scope_rule("history.store", value_type=ValueType.ITEMS, section=Section.HISTORY, used_for=("suggest",)),
    ),
    roles=(Role("associate", "Associate", True), Role("manager", "Manager", True), Role("till", "Till", False)),
    ages=(AgeRule("DE", 16), AgeRule("ES", 14)),
    unknown_age_is_of_age=False,
    lead=("size.shoe", "diet", "wishlist", "colour.liked"),
    session_idle_s=300,
    session_s=43_200,
)
STORE_POLICY = StorePolicy(
    store=STORE,
    label="Berlin 1",
    time_zone="Europe/Berlin",
    jurisdiction="DE",
    zones=(zone("shoes", scopes_first=("wishlist",)), zone("entrance"), zone("pharmacy", blind=True)),
    hours=tuple(Hours(day, 0, 1_440) for day in range(1, 8)),
    enter_dbm=-80,
    exit_dbm=-88,
    dwell_s=5,
    help_s=900,
    help_escalate_s=120,
)
POLICY = Policy(MAIN, STORE_POLICY)


def statement(*scopes: str, **other: Any) -> Statement:
    """A grant to the roles of the floor that is in force at NOW_S; to assist unless told otherwise."""
    usual: dict[str, Any] = {
        "state": State.GIVEN,
        "purpose": "assist",
        "scopes": scopes,
        "store": STORE,
        "roles": ("associate", "manager"),
        "zones_excluded": (),
        "from_s": NOW_S - 10 * DAY_S,
        "until_s": NOW_S + 300 * DAY_S,
        "chosen_s": NOW_S - 10 * DAY_S,
        "notice": b"n" * 32,
        "event": b"e" * 16,
        "policy_version": 2,
    }
    return Statement(**(usual | other))


def text_field(scope: str, text: str, **other: Any) -> Field:
    """A text, confirmed yesterday by the member."""
    return any_field(scope, Value(text=text), **other)


def any_field(scope: str, value: Value, **other: Any) -> Field:
    """A value, confirmed yesterday by the member."""
    usual: dict[str, Any] = {
        "scope": scope,
        "value": value,
        "source": SourceClass.ZERO,
        "surface": "app",
        "value_class": ValueClass.PERSONAL,
        "collected_s": NOW_S - 20 * DAY_S,
        "confirmed_s": NOW_S - DAY_S,
    }
    return Field(**(usual | other))


def member(*statements: Statement, fields: tuple[Field, ...] = (), **other: Any) -> Member:
    """A member of age in mode open whose first name may always be shown."""
    usual: dict[str, Any] = {
        "mode": Mode.OPEN,
        "name_choice": NameChoice.ALWAYS,
        "statements": statements,
        "fields": fields,
        "jurisdiction": "DE",
        "age_at_least": 18,
    }
    return Member(**(usual | other))


PRESENT = statement(purpose="presence")
VISIT = Visit(handle=b"h" * 16, arrived_ms=NOW_S * 1000 - 60_000, zone="entrance", help=True, invited=True)

_TIMES = st.sampled_from((-400 * DAY_S, -DAY_S, -1, 0, 1, DAY_S)).map(lambda gap_s: NOW_S + gap_s)
_WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


_RARE = 7  # inside of the range: hypothesis draws its ends more often than the rest


def _mostly(usual: Any, rare: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 15).flatmap(lambda die: rare if die == _RARE else st.just(usual))


def _some(names: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(names), max_size=3, unique=True).map(tuple)


statements: st.SearchStrategy[Statement] = st.builds(
    Statement,
    state=_mostly(State.GIVEN, st.sampled_from(State)),
    purpose=st.sampled_from((*PURPOSES, "assist", "unknown")),
    scopes=_some((*SCOPES, UNHEARD_OF)),
    store=_mostly(STORE, st.just("paris-9")),
    roles=_mostly(("associate", "manager"), _some((*ROLES, "stranger"))),
    zones_excluded=_mostly((), _some((*ZONES, "unknown"))),
    from_s=_mostly(NOW_S - DAY_S, _TIMES),
    until_s=_mostly(NOW_S + DAY_S, _TIMES),
    chosen_s=st.none() | _TIMES | st.integers(NOW_S - 5, NOW_S + 1),
    notice=st.just(b"n" * 32),
    event=st.binary(min_size=16, max_size=16),
    policy_version=_mostly(2, st.integers(1, 5)),
)


def values(value_type: ValueType) -> st.SearchStrategy[Value]:
    """A value of that type, empty ones included."""
    item = st.builds(
        Item, item=st.just("sku"), label=_WORDS, at_s=st.none() | _TIMES, quantity=st.none(), returned=st.booleans()
    )
    return {
        ValueType.TEXT: st.builds(Value, text=_WORDS),
        ValueType.TEXTS: st.builds(Value, texts=st.lists(_WORDS, max_size=5).map(tuple)),
        ValueType.ITEMS: st.builds(Value, items=st.lists(item, max_size=5).map(tuple)),
    }[value_type]


def fields_of(scope: str) -> st.SearchStrategy[Field]:
    """A field of that scope: nearly always of the right type, seldom too old, foreign or from the future."""
    rules = {rule.id: rule for rule in MAIN.scopes}
    right = rules[scope].value_type if scope in rules else ValueType.TEXT
    return st.builds(
        Field,
        scope=st.just(scope),
        value=st.integers(0, 15).flatmap(lambda die: instances(Value) if die == _RARE else values(right)),
        source=_mostly(SourceClass.ZERO, st.sampled_from(SourceClass)),
        surface=st.just("app"),
        value_class=st.sampled_from(ValueClass),
        collected_s=_mostly(NOW_S - DAY_S, _TIMES),
        confirmed_s=_mostly(NOW_S - DAY_S, _TIMES),
    )


fields = st.lists(st.sampled_from(SCOPES), max_size=5, unique=True).flatmap(
    lambda scopes: st.tuples(*(fields_of(scope) for scope in scopes))
)
_USUAL = (
    PRESENT,
    statement("name.first", "size.shoe", "fit.jacket", "colour.liked"),
    statement("diet"),
    statement("wishlist", zones_excluded=("shoes",)),
    statement("history.store", "colour.liked", purpose="suggest"),
)
members: st.SearchStrategy[Member] = st.builds(
    Member,
    mode=_mostly(Mode.OPEN, st.sampled_from(Mode)),
    name_choice=st.sampled_from(NameChoice),
    statements=st.builds(
        lambda usual, drawn: (*usual, *drawn),
        st.just(_USUAL) | st.lists(st.sampled_from(_USUAL), max_size=4).map(tuple),
        st.lists(statements, max_size=4),
    ),
    fields=fields | st.builds(lambda some, more: some + more, fields, fields),
    jurisdiction=_mostly("DE", st.sampled_from(("", "ES", "XX"))),
    age_at_least=_mostly(18, st.sampled_from((0, 14, 16))),
)
visits: st.SearchStrategy[Visit] = st.builds(
    Visit,
    handle=st.binary(min_size=16, max_size=16),
    arrived_ms=st.just(NOW_S * 1000 - 60_000),
    zone=_mostly("entrance", st.none() | st.sampled_from((*ZONES, "unknown"))),
    help=_mostly(True, st.just(False)),
    invited=st.booleans(),
    waiting_since_ms=st.none() | st.just(NOW_S * 1000 - 30_000),
    escalated=st.booleans(),
    sign=st.none() | st.just(("red", "07")),
    attended_by=st.none() | st.just("anna"),
    attended_name=st.none() | st.just("Anna"),
)
denials: st.SearchStrategy[Denied] = st.builds(
    Denied, everything=_mostly(False, st.just(True)), scopes=_mostly((), _some(SCOPES)).map(frozenset)
)
roles = _mostly("associate", st.sampled_from((*ROLES, "stranger")))
policies: st.SearchStrategy[Policy] = st.builds(
    Policy,
    main=st.builds(
        dataclasses.replace,
        st.just(MAIN),
        purposes=_mostly(MAIN.purposes, st.lists(st.sampled_from(MAIN.purposes), max_size=3).map(tuple)),
        scopes=_mostly(MAIN.scopes, st.lists(st.sampled_from(MAIN.scopes), max_size=8).map(tuple)),
        lead=_mostly(MAIN.lead, st.lists(st.sampled_from((*SCOPES, UNHEARD_OF)), max_size=5).map(tuple)),
        unknown_age_is_of_age=st.booleans(),
    ),
    store=st.just(STORE_POLICY),
)
