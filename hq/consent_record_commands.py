"""`consentry-hq consent record`: what a member, a parent or a delegate said by letter or at a desk, with its proof.

I/O: the terminal, sqlalchemy.
"""

import argparse
from datetime import datetime
from typing import TYPE_CHECKING

from hq import door
from hq.command_line import command
from hq.door import Grant
from hq.errors import Reason, Refused
from hq.ledger_proof import Evidence, Party, Proof
from hq.office import Office

if TYPE_CHECKING:
    from hq.command_line import Commands

_STATES = ("given", "refused", "withdrawn")
_EXAMPLE = (
    "example:\n  consentry-hq consent record m-1 given --purpose contact.email --brand main --until 365 "
    "--by parent --reference form-4711 --evidence document --text 'form 4711, folder 12'"
)


def options(kinds: "Commands") -> None:
    """Adds the action."""
    added = command(kinds, "record", "record what somebody said by letter or at a desk, with its proof", _EXAMPLE)
    added.add_argument("member", metavar="MEMBER")
    added.add_argument("state", choices=_STATES)
    added.add_argument("--purpose", help="of a withdrawal: none means all")
    added.add_argument("--scope", nargs="+", action="extend", default=[], metavar="SCOPE")
    added.add_argument("--store", nargs="+", action="extend", default=[], metavar="ID")
    added.add_argument("--brand", metavar="POLICY", help="of contacts and media in place of stores")
    added.add_argument("--role", nargs="+", action="extend", default=[], metavar="ROLE", help="who may see it")
    added.add_argument("--until", type=int, metavar="DAYS", help="of what is given: days from the choice")
    added.add_argument("--chosen", metavar="TIME", help="when it was said, ISO 8601 with a zone; else now")
    added.add_argument("--by", choices=[one.name.lower() for one in Party], default="member")
    added.add_argument("--reference", metavar="TEXT", help="what parent or delegate are known by; no name")
    added.add_argument("--language", metavar="TAG", help="in which the notice was read")
    added.add_argument("--surface", metavar="TEXT", help="where it was said, such as desk or letter")
    added.add_argument("--evidence", choices=[one.name.lower() for one in Evidence])
    added.add_argument("--digest", metavar="HEX", help="the SHA-256 of what is kept elsewhere")
    added.add_argument("--text", metavar="TEXT", help="a few words instead of it")


def record(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    """Records it. A grant that the law does not let count is recorded as invalid (docs/consent.md)."""
    proof = Proof(
        by=Party[chosen.by.upper()],
        by_reference=chosen.reference,
        notice_language=chosen.language,
        surface=chosen.surface,
        evidence=None if chosen.evidence is None else Evidence[chosen.evidence.upper()],
        digest=_digest(chosen.digest),
        text=chosen.text,
    )
    chosen_s = _time(chosen.chosen, now_ms // 1000)
    scopes, stores = tuple(chosen.scope), tuple(chosen.store)
    if chosen.state == "given":
        grant = Grant(
            _purpose(chosen), stores, tuple(chosen.role), scopes, until_days=chosen.until, chosen_s=chosen_s,
            brand=chosen.brand,
        )  # fmt: skip
        events = office.grant(chosen.member, grant, now_ms, proof=proof)
    elif chosen.state == "refused":
        refusal = door.check_refusal(_purpose(chosen), scopes or None, stores or None, chosen.brand)
        events = (office.refuse(chosen.member, refusal, now_ms, proof=proof),)
    else:
        event = office.withdraw(
            chosen.member, now_ms, purpose=chosen.purpose, scopes=scopes, stores=stores, brand=chosen.brand,
            chosen_s=chosen_s, proof=proof,
        )  # fmt: skip
        events = (event,)
    for one in events:
        print(f"{chosen.state}, by the {chosen.by}; consent event {one.hex()}")


def _purpose(chosen: argparse.Namespace) -> str:
    if chosen.purpose is None:
        raise Refused(Reason.MALFORMED, "--purpose", "the purpose that was given or refused")
    return str(chosen.purpose)


def _digest(text: str | None) -> bytes | None:
    try:
        found = None if text is None else bytes.fromhex(text)
    except ValueError:
        found = b""
    if found is not None and len(found) != 32:
        raise Refused(Reason.MALFORMED, "--digest", "a SHA-256, 64 hex digits")
    return found


def _time(text: str | None, now_s: int) -> int:
    if text is None:
        return now_s
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = datetime.min
    if at.tzinfo is None or at.timestamp() < 0:
        raise Refused(Reason.MALFORMED, "--chosen", "ISO 8601 with a zone, such as 2026-11-22T10:00:00Z")
    return int(at.timestamp())
