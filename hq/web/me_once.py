"""Does a member's call once, however often it is made under one `Idempotency-Key`.

Only what was done is remembered: a call that was refused may be made again as it is.

I/O: reads flask's current request; sqlalchemy.
"""

import functools
from collections.abc import Callable
from typing import Any, Final, TypeVar

from flask import Response, make_response, request

from hq import choices, repeats
from hq.errors import Refused
from hq.repeats import Answer
from hq.web import asking
from hq.web.errors import Problem, ProblemKind

_MOST_KEY: Final = 128

F = TypeVar("F", bound=Callable[..., Any])


def once(view: F) -> F:
    """Wraps a view that writes; stands above all other decorators of the view."""

    @functools.wraps(view)
    def called(*values: Any, **named: Any) -> Any:
        key = request.headers.get(repeats.FIELD)
        if key is None:
            return view(*values, **named)
        if not 1 <= len(key) <= _MOST_KEY or not (key.isascii() and key.isprintable()):
            raise Problem(ProblemKind.MALFORMED, fields=(repeats.FIELD,))
        member = asking.member()
        stated = f"{request.method} {request.full_path}\0".encode() + request.get_data()
        with asking.writing() as connection:
            one = choices.opened(connection, asking.parts().keys, member.id)
            answered = repeats.begin(connection, one, key, stated, asking.now_ms())
        if answered is not None:
            again = Response(answered.body, answered.status, content_type="application/json")
            again.headers["Idempotency-Replayed"] = "true"
            return again
        done = False
        try:
            response = make_response(view(*values, **named))
            done = response.status_code < 400
        finally:
            if not done:
                with asking.writing() as connection:
                    repeats.drop(connection, member.reference, key)
        _keep(member.id, key, Answer(response.status_code, response.get_data()))
        return response

    return called  # type: ignore[return-value]


def _keep(member: str, key: str, answer: Answer) -> None:
    try:
        with asking.writing() as connection:
            one = choices.opened(connection, asking.parts().keys, member)
            repeats.finish(connection, one, key, answer)
    except Refused:
        return  # the member was erased by this very call
