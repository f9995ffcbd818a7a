"""The app's calls about choices and phones: what stands, changing it, and what a phone needs to be recognised.

What takes away is done before what gives, each on its own: nothing that is refused keeps a withdrawal from working.

I/O: answers HTTP requests (flask) from HQ's database.
"""

from collections.abc import Callable
from typing import Any, Final

from flask import request
from flask.views import MethodView
from sqlalchemy import select

from hq import choices, choosing
from hq.choosing import Wish
from hq.errors import Reason, Refused
from hq.office import Office
from hq.tables import phones
from hq.web import asking, errors
from hq.web import me_schemas as schemas
from hq.web.api import MEMBER, Calls
from hq.web.errors import Problem, ProblemKind
from hq.web.me_once import once
from wire.member import Mode, NameChoice
from wire.token import SLOT_S

_GIVES: Final = frozenset({"give", "add-store", "resume"})

calls = Calls("me-choices", "/me", "What the member chose, and the phones by which stores recognise them.")


def office() -> Office:
    """HQ's counter for this request."""
    return Office(asking.parts().engine, asking.parts().keys)


@calls.route("/choices")
class Choices(MethodView):
    """All choices."""

    @calls.secured_by(*MEMBER)
    @calls.gives(200, schemas.ChoicesShown)
    @calls.problems(401)
    def get(self) -> Any:
        """What stands, with an `ETag` that changes with it."""
        return _shown(asking.member())

    @once
    @calls.secured_by(*MEMBER)
    @calls.takes(schemas.ChangesAsked)
    @calls.gives(200, schemas.ChoicesShown)
    @calls.problems(401, 403, 404, 412)
    def patch(self, asked: dict[str, Any]) -> Any:
        """Changes some; `If-Match` guards what gives against an app that shows an older state, never a withdrawal."""
        member = asking.member()
        listed = sorted(enumerate(asked["changes"]), key=lambda one: _opens(one[1]))
        is_stale = _is_stale(member)
        refusals: list[tuple[int, Refused]] = []
        for line, change in listed:
            if is_stale and _opens(change):
                raise Problem(ProblemKind.STALE)
            try:
                _change(member, change)
            except Refused as error:
                refusals.append((line, error))
        if refusals:
            raise _problem(sorted(refusals, key=lambda one: one[0]))
        return _shown(member)


def _shown(member: asking.Member) -> Any:
    with asking.reading() as connection:
        found = choices.of_member(connection, asking.parts().keys, member.id, asking.now_ms())
    return found, 200, {"ETag": f'"{found.version}"'}


def _is_stale(member: asking.Member) -> bool:
    stated = [one.strip().removeprefix("W/").strip('"') for one in request.headers.get("If-Match", "*").split(",")]
    if "*" in stated:
        return False
    with asking.reading() as connection:
        one = choices.opened(connection, asking.parts().keys, member.id)
        return choices.version(connection, one) not in stated


def _opens(change: dict[str, Any]) -> bool:
    """Whether a change may let anybody see more than before."""
    return (
        change["act"] in _GIVES
        or (change["act"] == "mode" and change.get("mode") != "quiet")
        or (change["act"] == "name" and change.get("name") != "never")
    )


def _change(member: asking.Member, change: dict[str, Any]) -> None:
    counter, now_ms = office(), asking.now_ms()
    who = (counter, member.id)
    scopes, stores = (tuple(change[name]) if name in change else None for name in ("scopes", "stores"))
    match change["act"]:
        case "leave":
            choosing.leave(*who, now_ms, member.method)
        case "pause":
            choosing.pause(*who, now_ms, member.method)
        case "resume":
            choosing.resume(*who, now_ms, member.method)
        case "mode":
            choosing.set_mode(*who, Mode[_needed(change, "mode").upper()], now_ms, member.method)
        case "name":
            choosing.set_name(*who, NameChoice[_needed(change, "name").upper()], now_ms, member.method)
        case "add-store":
            choosing.add_store(*who, choosing.store_of(_needed(change, "store")), now_ms)
        case "remove-store":
            choosing.remove_store(*who, choosing.store_of(_needed(change, "store")), now_ms, member.method)
        case "withdraw":
            choosing.withdraw(
                *who, now_ms, member.method, purpose=change.get("purpose"), scopes=scopes, stores=stores,
                brand=change.get("brand"),
            )  # fmt: skip
        case _:
            wish = Wish(
                purpose=_needed(change, "purpose"),
                stores=stores,
                scopes=scopes,
                until_days=change["until_days"],
                notice=change.get("notice"),
                brand=change.get("brand"),
                language=change.get("language"),
            )
            does: Callable[..., object] = choosing.give if change["act"] == "give" else choosing.refuse
            does(*who, wish, now_ms, member.method)


def _needed(change: dict[str, Any], name: str) -> str:
    """Raises: Refused, like whatever else is wrong with this one change: the others are made all the same."""
    if name not in change:
        raise Refused(Reason.MALFORMED, name, f'a change with "act": "{change["act"]}" names it')
    return str(change[name])


def _problem(refusals: list[tuple[int, Refused]]) -> Problem:
    """The first of them, with the list of all."""
    first = errors.of_refusal(refusals[0][1])
    listed = [
        {"line": line, "field": one.field, "reason": one.reason.value, "hint": one.hint} for line, one in refusals
    ]
    return Problem(first.kind, reason=refusals[0][1].reason, fields=first.fields, refused=listed)


@calls.route("/phones")
class Phones(MethodView):
    """The phones by which stores recognise the member."""

    @calls.secured_by(*MEMBER)
    @calls.gives(200, schemas.PhonesShown)
    @calls.problems(401)
    def get(self) -> dict[str, Any]:
        """The list; no secret is told again."""
        member = asking.member()
        wanted = select(phones.c.id, phones.c.added_ms).where(phones.c.member == member.reference)
        with asking.reading() as connection:
            return {"phones": connection.execute(wanted.order_by(phones.c.added_ms, phones.c.id)).all()}

    @once
    @calls.secured_by(*MEMBER)
    @calls.takes(schemas.PhoneAsked)
    @calls.gives(201, schemas.PhoneMade)
    @calls.problems(401, 403)
    def post(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Turns presence on for a phone: its presence secret, told once."""
        member = asking.member()
        now_ms = asking.now_ms()
        phone, secret = office().add_phone(member.id, now_ms, method=member.method, notice=asked.get("notice"))
        return {"id": phone, "presence_secret": secret, "slot_s": SLOT_S, "now": now_ms}


@calls.route("/phones/<phone>")
class OnePhone(MethodView):
    """One of them."""

    @calls.secured_by(*MEMBER)
    @calls.gives(204)
    @calls.problems(401, 404)
    def delete(self, phone: str) -> None:
        """Turns presence off for a phone: no store recognises it any more."""
        member = asking.member()
        try:
            wanted = bytes.fromhex(phone)
        except ValueError:
            raise Problem(ProblemKind.NOT_FOUND) from None
        office().remove_phone(member.id, wanted, asking.now_ms())
