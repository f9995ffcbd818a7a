"""The app's calls about choices and phones: what stands, changing it, and what a phone needs to be recognised.

What takes away is done before what gives, and nothing that is refused keeps a withdrawal from working. Withdrawals are
recorded as one change of the member, so that many cost no more than their number.

I/O: answers HTTP requests (flask) from HQ's database.
"""

from typing import Any, Final

from flask import request
from flask.views import MethodView
from sqlalchemy import select

from hq import choices, choosing, closings
from hq.choosing import LASTS_DAYS, Wish
from hq.closings import Closing
from hq.errors import Reason, Refused
from hq.matching import Match
from hq.office import Office
from hq.tables import phones
from hq.web import asking, me_lines
from hq.web import me_schemas as schemas
from hq.web.api import MEMBER, Calls
from hq.web.errors import Problem, ProblemKind
from hq.web.me_lines import Malformed
from hq.web.me_once import once
from wire.member import Mode, NameChoice
from wire.token import SLOT_S

_GIVES: Final = frozenset({"give", "add-store", "resume"})
_WHOLE: Final = frozenset({"leave", "pause"})  # whatever else such a change names says nothing
_TAKES: Final = frozenset({"withdraw", "remove-store", "refuse", "mode", "name"})
_AT_ONCE: Final = frozenset({"withdraw", "refuse", "remove-store"})
_BESIDE: Final = frozenset({"until_days", "notice", "language"})  # what does not say what is taken away

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
        match = _match()
        counter = Office(asking.parts().engine, asking.parts().keys, match)
        listed = sorted(enumerate(asked["changes"]), key=lambda one: _opens(one[1]))

        def make(change: Any) -> None:
            if match is not None:
                match.opens = _opens(change)
            _change(counter, member, _readable(change))

        if match is not None:
            match.opens = False
        refusals = _take_back(counter, member, [one for one in listed if _act(one[1]) in _AT_ONCE])
        rest = [(line, _plain(one)) for line, one in listed if _act(one) not in _AT_ONCE]
        refusals = sorted(refusals + me_lines.each(rest, make, _opens), key=lambda one: one[0])
        if any(error.reason is Reason.STALE for _, error in refusals):
            raise Problem(ProblemKind.STALE, refused=me_lines.problem(refusals).refused)
        if refusals:
            raise me_lines.problem(refusals)
        return _shown(member)


def _shown(member: asking.Member) -> Any:
    with asking.reading() as connection:
        found = choices.of_member(connection, asking.parts().keys, member.id, asking.now_ms())
    return found, 200, {"ETag": f'"{found.version}"'}


def _match() -> Match | None:
    """The state that the app shows; None: it does not say."""
    stated = [one.strip().removeprefix("W/").strip('"') for one in request.headers.get("If-Match", "*").split(",")]
    return None if "*" in stated else Match(frozenset(stated))


def _readable(change: Any) -> dict[str, Any]:
    """The change; of one of another form what takes away all the same, whatever is wrong beside it. Raises: Refused."""
    if not isinstance(change, Malformed):
        return dict(change)
    act = change.said.get("act")
    takes = act in _TAKES and not _opens(change)
    if act in _WHOLE or (takes and not change.is_unknown and change.fields <= _BESIDE):
        return dict(change.said)
    raise change.problem


def _take_back(counter: Office, member: asking.Member, listed: list[tuple[int, Any]]) -> list[tuple[int, Refused]]:
    """What withdraws, refuses or removes a store, as one change; of equal ones one. Why others were not made."""
    refusals: list[tuple[int, Refused]] = []
    asked: dict[Closing, list[int]] = {}
    for line, change in listed:
        try:
            asked.setdefault(_closing(_readable(change), member.method), []).append(line)
        except Refused as error:
            refusals.append((line, error))
    if asked:
        found = closings.take_back(counter, member.id, list(asked), asking.now_ms(), member.method)
        for lines, refused in zip(asked.values(), found, strict=True):
            refusals += [(line, refused) for line in lines if refused is not None]
    return refusals


def _closing(change: dict[str, Any], method: str) -> Closing:
    """Raises: Refused."""
    match change["act"]:
        case "withdraw":
            named = (_several(change, "scopes"), _several(change, "stores"), change.get("brand"))
            return closings.withdrawal(method, change.get("purpose"), *named)
        case "refuse":
            return closings.refusal(method, _wish(change))
        case _:
            return closings.removal(method, choosing.store_of(_needed(change, "store")))


def _plain(change: Any) -> Any:
    """What takes away, by its meaning alone: equal ones are one, whatever is said beside it."""
    if _opens(change):
        return change
    try:
        said = _readable(change)
    except Refused:
        return change
    return {name: said[name] for name in ("act", "mode", "name") if name in said}


def _act(change: Any) -> str:
    return str((change.said if isinstance(change, Malformed) else change).get("act", ""))


def _opens(change: Any) -> bool:
    """Whether a change may let anybody see more than before."""
    if isinstance(change, Malformed):
        change = change.said
    return (
        change.get("act") in _GIVES
        or (change.get("act") == "mode" and change.get("mode") != "quiet")
        or (change.get("act") == "name" and change.get("name") != "never")
    )


def _change(counter: Office, member: asking.Member, change: dict[str, Any]) -> None:
    """Makes one of the other changes."""
    now_ms = asking.now_ms()
    who = (counter, member.id)
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
        case _:
            choosing.give(*who, _wish(change), now_ms, member.method)


def _wish(change: dict[str, Any]) -> Wish:
    return Wish(
        purpose=_needed(change, "purpose"),
        stores=_several(change, "stores"),
        scopes=_several(change, "scopes"),
        until_days=change.get("until_days", LASTS_DAYS),
        notice=change.get("notice"),
        brand=change.get("brand"),
        language=change.get("language"),
    )


def _several(change: dict[str, Any], name: str) -> tuple[str, ...] | None:
    return tuple(change[name]) if name in change else None


def _needed(change: dict[str, Any], name: str) -> str:
    """Raises: Refused, like whatever else is wrong with this one change: the others are made all the same."""
    if name not in change:
        raise Refused(Reason.MALFORMED, name, f'a change with "act": "{change["act"]}" names it')
    return str(change[name])


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
