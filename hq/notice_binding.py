"""Binds each purpose of a policy to the notice that its own content makes.

Pure: no I/O, no clock.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from hq import notice, notice_rules
from hq.errors import Refused
from hq.notice import Facts
from hq.notice_facts import facts_of
from hq.notice_text import bytes_of
from hq.policy_papers import Papers
from wire.policy import MainPolicy, Purpose, StorePolicy


def facts(purpose: Purpose, main: MainPolicy, stores: Sequence[StorePolicy], papers: Papers) -> Facts:
    """What the policy lets stores do for one of its purposes."""
    return facts_of(purpose, main, stores, papers.purposes, papers.recipients)


def problems(purpose: Purpose, main: MainPolicy, stores: Sequence[StorePolicy], papers: Papers) -> Iterator[Refused]:
    """Why one purpose's notice cannot be made."""
    known = facts(purpose, main, stores, papers)
    for words in papers.words:
        yield from notice_rules.of_purpose(purpose.id, known, words, stores)


def bound(
    name: str, main: MainPolicy, stores: Sequence[StorePolicy], papers: Papers
) -> tuple[MainPolicy, dict[bytes, bytes]]:
    """The shared part with the hash of each purpose's notice, and the notices by hash.

    A purpose whose notice cannot be made keeps an empty hash: `policy_rules.problems` says why.
    """
    made: dict[bytes, bytes] = {}
    purposes = []
    ready = bool(papers.words) and not any(True for words in papers.words for _ in notice_rules.of_language(words))
    for purpose in main.purposes:
        hashed = b""
        if ready and not any(True for _ in problems(purpose, main, stores, papers)):
            content = bytes_of(name, purpose.id, facts(purpose, main, stores, papers), papers.words, stores)
            hashed = notice.hash_of(content)
            made[hashed] = content
        purposes.append(replace(purpose, notice=hashed))
    return replace(main, purposes=tuple(purposes)), made
