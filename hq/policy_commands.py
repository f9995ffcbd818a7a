"""`consentry-hq policy` and `notice`: what stores may do and what members are told of it, judged, compared, published.

I/O: the terminal, files that a command names.
"""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hq import (
    clock_job,
    notice,
    notices,
    policy_affected,
    policy_diff,
    policy_file,
    policy_publishing,
    policy_schema,
    policy_versions,
)
from hq.command_line import Part, actions, command
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.office import Office
from hq.policy_rules import Draft, bind, check
from hq.policy_written import table_of
from runtime.errors import EXIT_OK

if TYPE_CHECKING:
    from hq.command_line import Commands

OFFLINE = frozenset({"check", "schema"})  # actions of `policy` that need neither configuration nor database
_EXIT_REFUSED = 65
_SHOWN_HEX = 12
_FILE = "TOML, or JSON where the name ends in .json"


def offline(chosen: argparse.Namespace) -> int:
    """`policy check` and `policy schema`."""
    if chosen.action == "schema":
        sys.stdout.write(policy_schema.written(policy_schema.notice() if chosen.notice else policy_schema.policy()))
        return EXIT_OK
    from hq import policy_check  # here alone: what it loads no other command needs

    found = list(policy_check.faults(chosen.file))
    print("\n".join([*found, "may not be published" if found else "may be published"]))
    return _EXIT_REFUSED if found else EXIT_OK


def _options(commands: "Commands") -> None:
    added = actions(command(commands, "policy", "what stores may do, and what members are told of it"))
    for name, about in (
        ("check", "say whether a policy may be published"),
        ("diff", "say what a policy would change, and how many members it concerns"),
        ("publish", "publish a policy, after saying what it changes"),
    ):
        one = command(added, name, about)
        one.add_argument("file", type=Path, metavar="FILE", help=_FILE)
        if name == "publish":
            _sure(one)
    schema = command(added, "schema", "print the JSON Schema of a policy's file")
    schema.add_argument("--notice", action="store_true", help="that of a notices' file")
    back = command(added, "rollback", "publish an earlier version's content as a new version")
    back.add_argument("name", metavar="NAME")
    back.add_argument("--to", type=int, required=True, metavar="VERSION", help="a version that was published")
    _sure(back)
    listed = command(added, "versions", "list every version that was published")
    listed.add_argument("name", nargs="?", metavar="NAME")
    show = command(added, "show", "print a version as JSON, which is a policy's file again")
    show.add_argument("name", metavar="NAME")
    show.add_argument("--version", type=int, metavar="VERSION", help="default: the one in force")
    told = actions(command(commands, "notice", "what members are told"))
    listed = command(told, "list", "list the notices of every version")
    listed.add_argument("name", nargs="?", metavar="POLICY")
    show = command(told, "show", "print a notice by its hash, or its beginning")
    show.add_argument("hash", metavar="HASH", help="hex digits, at least 8")
    show.add_argument("--language", default="en", metavar="TAG")
    keep = command(told, "keep", "keep a text that another platform showed, so that an import may name it")
    keep.add_argument("file", type=Path, metavar="FILE")


def _sure(of: argparse.ArgumentParser) -> None:
    of.add_argument("--yes", action="store_true", help="do not ask at the terminal")


def _diff(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    _tell(office, _judged(policy_file.read(chosen.file)), now_ms)


def _publish(office: Office, chosen: argparse.Namespace, now_ms: int) -> int:
    return _bring(office, _judged(policy_file.read(chosen.file)), chosen.yes, now_ms)


def _rollback(office: Office, chosen: argparse.Namespace, now_ms: int) -> int:
    with reading(office.engine) as connection:
        draft = policy_versions.again(connection, chosen.name, chosen.to)
    return _bring(office, draft, chosen.yes, now_ms)


def _judged(draft: Draft) -> Draft:
    bound = bind(draft)
    check(bound)
    return bound


def _bring(office: Office, draft: Draft, sure: bool, now_ms: int) -> int:
    _tell(office, draft, now_ms)
    if not sure and sys.stdin.isatty() and input("publish? [y/N] ").strip().lower() not in ("y", "yes"):
        print("nothing was published")
        return _EXIT_REFUSED
    changed = office.publish_policy(draft, now_ms)
    members = clock_job.tick(office.engine, office.keys, now_ms)
    print(f"policy {draft.name} version {draft.main.version}: {changed} records of policy, {members} others changed")
    return EXIT_OK


def _tell(office: Office, draft: Draft, now_ms: int) -> None:
    """What it changes, and whom it concerns."""
    with reading(office.engine) as connection:
        before, draft = policy_versions.of(connection, draft.name), policy_publishing.carried(connection, draft)
        told = policy_diff.told(before, draft)
        named = {one.purpose for one in told}
        concerned, ages = policy_affected.count(connection, office.keys, before, draft, named, now_ms // 1000)
    if before is None:
        print(f"policy {draft.name} version {draft.main.version} is the first")
        return
    changes = [one for one in policy_diff.lines(before, draft) if not one.startswith("version: ")]
    print(f"policy {draft.name}: version {before.main.version} → {draft.main.version}")
    print("\n".join(f"  {one}" for one in changes) if changes else "  nothing changes")
    for one in told:
        print(f"what members are told of {one.purpose} {one.says}")
        for line in one.wider:
            print(f"  {line}")
    if told:
        print("members with a grant of it in force:" if concerned else "no member has a grant of it in force")
    for row in concerned:
        print(f"  {row.purpose:<24} {row.store or '(the whole brand)':<24} {row.members:>9}")
    if ages is not None:
        print(f"members whom a store sees no more, as too young: {ages.too_young}; ", end="")
        print(f"whom one may see now: {ages.old_enough}")


def _versions(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with reading(office.engine) as connection:
        listed = policy_versions.listed(connection, chosen.name)
    for one in listed:
        print(f"{one.policy:<24} {one.version:>6}  {_when(one.at_ms)}")


def _show(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with reading(office.engine) as connection:
        draft = policy_versions.of(connection, chosen.name, chosen.version)
    if draft is None:
        raise Refused(Reason.UNKNOWN_VERSION, "NAME", "a policy and a version that were published")
    print(json.dumps(table_of(draft), indent=2, ensure_ascii=False))


def _list_notices(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with reading(office.engine) as connection:
        listed = notices.versions(connection, chosen.name)
    for one in listed:
        changed = "material" if one.material else ""
        short = one.notice.hex()[:_SHOWN_HEX]
        print(f"{one.policy:<16} {one.version:>6}  {one.purpose:<24} {short}  {_when(one.at_ms)}  {changed}".rstrip())


def _show_notice(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with reading(office.engine) as connection:
        known = {one.notice for one in notices.versions(connection)}
        found = [one for one in known if len(chosen.hash) >= 8 and one.hex().startswith(chosen.hash.lower())]
        told = notices.of_hash(connection, found[0]) if len(found) == 1 else None
    if told is None:
        raise Refused(Reason.UNKNOWN_NOTICE, "HASH", "the hash of one notice, of which 8 digits are enough")
    print(f"{told.policy} {told.purpose} {told.hash.hex()}\n")
    print("\n".join(notice.plain(told, chosen.language)))


def _keep_notice(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    try:
        text = chosen.file.read_bytes()
    except OSError as error:
        raise Refused(Reason.MALFORMED, chosen.file.name, "a file that can be read") from error
    with writing(office.engine) as connection:
        print(notices.keep(connection, text, now_ms).hex())


def _when(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


PART = Part(
    _options,
    {
        ("policy", "diff"): _diff,
        ("policy", "publish"): _publish,
        ("policy", "rollback"): _rollback,
        ("policy", "versions"): _versions,
        ("policy", "show"): _show,
        ("notice", "list"): _list_notices,
        ("notice", "show"): _show_notice,
        ("notice", "keep"): _keep_notice,
    },
)
