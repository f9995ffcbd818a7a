"""Guards what opens something against an app that shows an older state: compared and written in one transaction.

I/O: sqlalchemy, by `hq.choices`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from hq import choices
from hq.errors import Reason, Refused
from hq.membership import Locked


class Match:
    """The states that an app shows, as versions of a member's choices, and what became of them by its own writing.

    What it writes carries the match on; whatever anybody else writes in between ends it, and nothing more is opened.
    """

    def __init__(self, versions: frozenset[str]) -> None:
        self._versions = versions
        self.opens = True  # whether what is written next may let anybody see more

    @contextmanager
    def writing(self, connection: Connection, one: Locked) -> Iterator[None]:
        """Around what is written of the member, who is locked in this transaction.

        Raises:
            Refused: it opens something, and the state is another.
        """
        is_matched = choices.version(connection, one) in self._versions
        if self.opens and not is_matched:
            raise Refused(Reason.STALE, "", "the state that HQ has now: read it again")
        yield
        self._versions = frozenset({choices.version(connection, one)} if is_matched else ())
