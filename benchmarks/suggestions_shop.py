"""Fills the sealed cache of a store with made members, their purchases, a catalog and learned tables, by its own code.

I/O: the cache file, files beside it; the system's random generator.
"""

import hashlib
import secrets
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks import suggestions_made
from benchmarks.suggestions_baskets import Baskets
from benchmarks.suggestions_box import BOX_SECRET, NOW_DAY, STORE_AT, pseudonym, share
from benchmarks.suggestions_ours import histories
from hq import policy_file
from hq.learning.learn import History, Settings, learn
from store_gateway.cache import Cache
from store_gateway.epochs import Epochs
from store_gateway.vault import Vault
from wire import affinity, schema, sync
from wire.catalog import CatalogItem
from wire.member import Field, Item, Member, Mode, NameChoice, SourceClass, State, Statement, Value, ValueClass
from wire.policy import MAIN_KEY, Policy, store_key
from wire.sync import Collection, Record

POLICY: Final = Path(__file__).parents[1] / "examples" / "policy" / "policy.toml"
CATEGORIES: Final = 400
THEMES: Final = 60
WEIGHED: Final = 1_000  # whose last baskets teach the weights: how good they are does not matter here
MOST_LINES: Final = 128  # of one field, as a record may hold
_DAY_S: Final = 86_400
_AT_ONCE: Final = 2_000
_KIND: Final = suggestions_made.Kind(100_000, 20_000, 250, 14, 9.0, 7.0, 0.55, 0.03, 14.0)


def fill(folder: Path, members: int, items: int) -> None:
    """Makes `cache.sqlite3` in the folder, closed when it is done."""
    kind = replace(_KIND, shoppers=members, items=items, habits=max(4, members // 400))
    baskets = suggestions_made.baskets(kind)
    _say(f"{members:,} members bought {baskets.items():,} of {items:,} items; learning")
    tables = learn(
        [_harmless(one) for one in histories(baskets, strict=True)],
        Settings(most_people=WEIGHED),
        lambda stage, done, of: _say(f"{stage} {done}/{of}"),
    )
    parts = affinity.encode(tables)
    _say(f"{sum(map(len, parts.values())):,} bytes of tables; filling the cache")
    draft = policy_file.read(POLICY)
    policy = Policy(draft.main, draft.stores[0])
    cache = Cache(folder / "cache.sqlite3", secrets.token_bytes)
    vault = Vault(cache, Epochs(cache, BOX_SECRET, (share(),), secrets.token_bytes), secrets.token_bytes, STORE_AT)
    bodies = {
        (Collection.POLICY, "main"): [
            Record(MAIN_KEY, 1, schema.encode(policy.main)),
            Record(store_key(STORE_AT), 2, schema.encode(replace(policy.store, store=STORE_AT))),
        ],
        (Collection.CATALOG, "main"): _catalog(items),
        (Collection.AFFINITY, "main"): [
            Record(name.encode(), at, body) for at, (name, body) in enumerate(parts.items(), 1)
        ],
        (Collection.MEMBERS, STORE_AT): _members(baskets, policy),
    }
    vault.holdings.learn(
        sync.DigestKey(sync.instance(what, name), hashlib.sha256(name.encode()).digest()) for what, name in bodies
    )
    for (what, name), records in bodies.items():
        _apply(vault, sync.instance(what, name), records)
    cache.close()


def _is_flagged(number: int) -> bool:
    return number % 20 == 0


def _harmless(history: History) -> History:
    """Without the items that the catalog flags, as HQ learns."""
    kept = [tuple(item for item in basket if not _is_flagged(int(item[1:]))) for basket in history.baskets]
    days = history.days or range(len(kept))
    left = [(basket, day) for basket, day in zip(kept, days, strict=True) if basket]
    return History(tuple(basket for basket, _ in left), tuple(day for _, day in left) if history.days else None)


def _catalog(items: int) -> list[Record]:
    return [
        Record(
            f"i{at}".encode(),
            at + 1,
            schema.encode(
                CatalogItem(
                    f"Item number {at}", (f"Department {at % 20}", f"Category {at % CATEGORIES}"),
                    (f"Theme {at % THEMES}",), ("adult",) if _is_flagged(at) else (), "", "",
                )
            ),
        )
        for at in range(items)
    ]  # fmt: skip


def _members(baskets: Baskets, policy: Policy) -> Iterable[Record]:
    roles = tuple(role.id for role in policy.main.roles)
    for at, (shopper, past) in enumerate(baskets.history.items()):
        assert baskets.days is not None
        *on, last_day = baskets.days[shopper]
        lines = [
            Item(item, f"Item number {item[1:]}", (NOW_DAY - (last_day - day)) * _DAY_S, 1, False)
            for basket, day in zip(past, on, strict=True)
            for item in basket
        ]
        yield Record(pseudonym(at), at + 1, schema.encode(_member(tuple(lines[-MOST_LINES:]), past[0], roles)))


def _member(lines: tuple[Item, ...], wished: Iterable[str], roles: tuple[str, ...]) -> Member:
    now_s = NOW_DAY * _DAY_S
    grant = Statement(
        State.GIVEN, "suggest", ("history.store", "wishlist", "suggestions"), STORE_AT, roles, (), now_s - _DAY_S,
        now_s + 300 * _DAY_S, now_s - _DAY_S, bytes(32), bytes(16), 1,
    )  # fmt: skip

    def field(scope: str, items: tuple[Item, ...]) -> Field:
        return Field(
            scope, Value(items=items), SourceClass.FIRST, "till", ValueClass.TRANSACTIONAL, now_s - _DAY_S, now_s
        )

    wishes = tuple(Item(item, "", None, None, False) for item in list(wished)[:3])
    return Member(
        Mode.OPEN,
        NameChoice.INVITED,
        (replace(grant, purpose="presence", scopes=()), grant),
        (field("history.store", lines), field("wishlist", wishes)),
        "DE",
        21,
    )


def _apply(vault: Vault, name: str, records: Iterable[Record]) -> None:
    held = vault.holdings.instances[name]
    # By their paths, as a fill brings them: else each transaction would touch a page for each row.
    ordered = sorted(records, key=lambda one: hashlib.blake2b(one.key, key=held.digest_key, digest_size=8).digest())
    for start in range(0, len(ordered), _AT_ONCE):
        with vault.writing(1000.0 * start):  # so that what was applied before is no delta any more
            vault.holdings.apply(held, ordered[start : start + _AT_ONCE], lambda held, key, body: None)
        vault.holdings.cache.tidy()


def _say(text: str) -> None:
    sys.stderr.write(f"suggestions-box: {text}\n")
    sys.stderr.flush()
