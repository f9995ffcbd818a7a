"""What the frame of the pages says: problems in words, and the few words of the page's own script.

I/O: reads the present language of flask.
"""

from typing import Final
from urllib.parse import urlencode

from hq.errors import Reason
from hq.web.errors import Problem, ProblemKind
from runtime.web_languages import gettext, mark

_ELSE: Final = mark("That did not work. Please try again.")
_PROBLEMS: Final[dict[ProblemKind, str]] = {
    ProblemKind.SIGNED_OUT: mark("Please sign in."),
    ProblemKind.FORBIDDEN: mark("Your role does not include this."),
    ProblemKind.CROSS_SITE: mark("This came from another website, so nothing was done."),
    ProblemKind.OTHER_NAME: mark("This came from another website, so nothing was done."),
    ProblemKind.NO_CONSENT: mark("You have not agreed to this."),
    ProblemKind.BELOW_AGE: mark("Of people of your age, or whose age we do not know, we keep nothing like this."),
    ProblemKind.NOT_SERVED: mark("Please read the notice first."),
    ProblemKind.NOT_FOUND: mark("There is nothing here."),
    ProblemKind.METHOD: mark("There is nothing here."),
    ProblemKind.CONFLICT: mark("Something has changed meanwhile. Please look again."),
    ProblemKind.LINK_OVER: mark("This link is no longer valid."),
    ProblemKind.TOO_LARGE: mark("That is more than can be taken at once."),
    ProblemKind.MALFORMED: mark("Please check what you entered."),
    ProblemKind.REFUSED: mark("Please check what you entered."),
    ProblemKind.THROTTLED: mark("That was tried often. Please wait %(seconds)s seconds, then try again."),
    ProblemKind.INTERNAL: mark("Something is wrong on our side. We have been told."),
    ProblemKind.PROVIDER_AWAY: mark("The sign-in service does not answer. Please try again in a moment."),
    ProblemKind.BUSY: mark("This takes longer than it should. Please try again in a moment."),
}
# A part adds sentences here for reasons of its own; `gettext` says them.
REFUSALS: Final[dict[Reason, str]] = {}

_WORDS: Final[dict[str, str]] = {
    "now": mark("just now"),
    "minute": mark("a minute ago"),
    "minutes": mark("{count} minutes ago"),
    "hours": mark("{count} hours ago"),
    "hour": mark("an hour ago"),
    "lost": mark("There is no connection. Nothing was changed."),
}


def of_problem(problem: Problem) -> str:
    """The English sentence for a problem, to be translated."""
    if problem.reason in REFUSALS:
        return REFUSALS[problem.reason]
    return _PROBLEMS.get(problem.kind, _ELSE)


def words() -> dict[str, str]:
    """What the page's script says."""
    return {key: gettext(sentence) for key, sentence in _WORDS.items()}


def sign_in_address(realm: str, onward: str) -> str:
    """Where somebody signs in, to go on to `onward` afterwards."""
    page = "/console/sign-in" if realm == "staff" else "/sign-in"
    onward = onward.rstrip("?")
    return page if onward in ("", "/") else f"{page}?{urlencode({'next': onward})}"
