"""Publishes a policy's next version in which other rules of suggestions are off, or rest: there is no other way to it.

I/O: sqlalchemy.
"""

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection

from hq import policy_publishing, policy_versions
from hq.policy_rules import Draft, bind
from hq.publication import Policies
from wire.suggestions import DEFAULT, SuggestionPolicy


def publish(connection: Connection, draft: Draft, said: SuggestionPolicy, now_ms: int) -> int:
    """The policy as it stands, saying this of suggestions, as its next version; how many records changed.

    Raises:
        Refused: somebody published meanwhile.
    """
    main = replace(draft.main, version=draft.main.version + 1, suggestions=said)
    return policy_publishing.publish(connection, bind(replace(draft, main=main)), now_ms, carry=False)


def by_itself(
    connection: Connection, policy: str, changed: Callable[[SuggestionPolicy], SuggestionPolicy], now_ms: int
) -> int | None:
    """The same without a person. changed: what is to be said, of what is said now; how many records changed.

    None: this release would word the policy's notices otherwise than when it was published, and members would be asked
    again by the way: a person publishes them.

    Raises:
        Refused: somebody published meanwhile.
    """
    draft = policy_versions.of(connection, policy)
    main = Policies(connection).main(policy)
    if draft is None or main is None:
        return 0
    before = draft.main.suggestions or DEFAULT
    said = changed(before)
    if said == before:
        return 0  # another process was quicker
    if {one.id: one.notice for one in draft.main.purposes} != {one.id: one.notice for one in main.purposes}:
        return None
    return publish(connection, draft, said, now_ms)
