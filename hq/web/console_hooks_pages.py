"""The console's page of hooks: what each was told last, what failed, what was given up, and telling it again.

I/O: answers HTTP requests (flask) from HQ's database.
"""

from typing import Final

from flask import Response
from marshmallow import fields

from hq import console_hooks, webhooks
from hq.console_roles import View
from hq.errors import Refused
from hq.web import asking, console_door, pages
from hq.web.errors import Problem, ProblemKind
from hq.web.schemas import Instant, Query, Shown, text
from runtime.web_languages import gettext

_PATH: Final = "/console/hooks"


class HooksAsked(Query):
    """Which page of the dead letters."""

    after = text(18, 0, required=False, load_default="")


class HookShown(Shown):
    """A hook; of its address nothing that might be a secret."""

    id = fields.Function(lambda one: one.id.hex())
    system = fields.String()
    address = fields.Function(lambda one: one.url.partition("?")[0])
    behind = fields.Integer()
    tries = fields.Integer()
    told_at = Instant(attribute="told_ms")
    due_at = Instant(attribute="due_ms")
    failed_at = Instant(attribute="failed_ms")
    failure = fields.String()
    dead = fields.Integer()


class LetterShown(Shown):
    """A message that was given up."""

    hook = fields.Function(lambda one: one.hook.hex())
    system = fields.String()
    first = fields.Integer()
    changes = fields.Integer()
    made_at = Instant(attribute="made_ms")
    reason = fields.String()


def make() -> pages.Part:
    """The page."""
    part = pages.Part("console-hooks")

    @part.get(_PATH)
    def hooks() -> Response:
        """All hooks, and their dead letters."""
        who, asked = console_door.enter(View.HOOKS), pages.asked(HooksAsked)
        with asking.reading() as connection:
            found = webhooks.listed(connection)
            page = console_hooks.letters_page(connection, after=asked["after"])
        return console_door.show(
            "hooks.html", who, hooks=console_door.shown(HookShown, found),
            letters=console_door.shown(LetterShown, page.rows), may_resend=who.colleague.may(View.RESEND),
            onward=page.after and console_door.address(_PATH, after=page.after), first=asked["after"] and _PATH,
        )  # fmt: skip

    @part.post(f"{_PATH}/<hook>/retry")
    def retry(hook: str) -> Response:
        """Tells again what was given up, and all since."""
        console_door.enter(View.RESEND)
        try:
            with asking.writing() as connection:
                count = webhooks.retry(connection, bytes.fromhex(hook), asking.now_ms())
        except (Refused, ValueError) as error:
            raise Problem(ProblemKind.NOT_FOUND) from error
        if count == 1:
            return pages.done(_PATH, gettext("One dead letter is sent again."))
        return pages.done(_PATH, gettext("%(count)s dead letters are sent again.", count=count))

    return part
