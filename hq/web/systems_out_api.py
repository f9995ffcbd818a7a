"""What other systems are told: changes after a cursor.

I/O: answers HTTP requests (flask) from HQ's database.
"""

from typing import Any

from flask.views import MethodView
from marshmallow import fields, validate

from hq import changes
from hq.systems import Right
from hq.web import asking, systems_guard
from hq.web.api import SYSTEM, Calls
from hq.web.errors import Problem, ProblemKind
from hq.web.schemas import Instant, Query, Shown, printable

calls = Calls("changes", "", "What other systems are told.")


def _time(about: str) -> fields.String:
    return fields.String(metadata={"format": "date-time", "description": about})


class ChangesAsked(Query):
    """After which change, and how many."""

    after = fields.String(load_default="0", validate=[validate.Regexp(changes.CURSOR), printable],
                          metadata={"description": "`next` of the page before; 0: from the beginning"})  # fmt: skip
    most = fields.Integer(load_default=changes.MOST_AT_ONCE, validate=validate.Range(1, changes.MOST_AT_ONCE))


class MutedShown(Shown):
    """What a member wants no suggestion of."""

    what = fields.String(metadata={"description": "item, category or theme"})
    id = fields.String()


class ChangeShown(Shown):
    """One change. What is not said is left out; a withdrawal without scopes, stores or purpose is of all."""

    number = fields.Integer()
    kind = fields.String(metadata={"description": "given, renewed, refused, withdrawn, invalidated, mode, name, mute, "
                                                  "unmute, merged or erased"})  # fmt: skip
    member = fields.String()
    recorded = _time("when HQ recorded it")
    chosen = _time("the time of choice")
    method = fields.String(metadata={"description": "by which way it came, such as app, preference-centre, import"})
    purpose = fields.String()
    scopes = fields.List(fields.String())
    stores = fields.List(fields.String())
    brand = fields.String()
    until = _time("when a grant ends")
    notice = fields.String(metadata={"description": "SHA-256 of the notice, 64 hex digits"})
    mode = fields.String()
    name = fields.String()
    muted = fields.Nested(MutedShown)
    into = fields.String(metadata={"description": "of `merged`: the id that `member` leads to from now on"})


class ChangesShown(Shown):
    """A page of changes."""

    changes = fields.List(fields.Nested(ChangeShown))
    next = fields.String(metadata={"description": "the cursor to go on with: the number and 8 hex digits"})
    more = fields.Boolean(metadata={"description": "whether there are further ones now"})
    unreadable = fields.Integer(
        metadata={"description": "how many changes of this page were left out because HQ cannot open them; its "
                                 "operators are told, and mend them or not: nothing waits for it"}
    )  # fmt: skip
    at = Instant(metadata={"description": "as of when"})


@calls.route("/changes")
class Changes(MethodView):
    """Choices, withdrawals, erasures and mutes."""

    @calls.secured_by(*SYSTEM)
    @calls.takes(ChangesAsked, location="query")
    @calls.gives(200, ChangesShown)
    @calls.problems(401, 403, 410, 429)
    def get(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What changed after the cursor; none is ever passed over, however many write meanwhile.

        What HQ cannot open, because a row was changed behind its back, is left out and counted. 410 `cursor-unknown`:
        HQ was restored from a backup that is older than the cursor; begin again from 0.
        """
        who = systems_guard.system(Right.CHANGES)
        with asking.reading() as connection:
            number = changes.number_of(connection, asked["after"])
            if number is None:
                raise Problem(ProblemKind.CURSOR_UNKNOWN, fields=("after",))
            page = changes.after(connection, asking.parts().keys.custody, who, number, asked["most"])
            following = changes.cursor(connection, page.next)
        if page.unreadable:
            with asking.writing() as connection:
                changes.note_unreadable(connection, who.id, page, asking.now_ms())
        return {
            "changes": changes.plain(page.changes), "next": following, "more": page.more,
            "unreadable": len(page.unreadable), "at": asking.now_ms(),
        }  # fmt: skip
