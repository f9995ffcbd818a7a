"""What other systems are told, in order and without a gap, by right and brand; and hooks that are called."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import cast

import pytest
from sqlalchemy import Connection, select, update

from hq import alarms, changes, erasure, ledger, systems, systems_consent, systems_merge, webhooks
from hq.changes import Change
from hq.changes_tables import hooks as hooks_table
from hq.custody import Custody, Purpose, Seal
from hq.custody_tables import member_keys
from hq.database import reading, writing
from hq.systems import EVERY_BRAND, Right, System
from hq.systems_line import Line
from hq.tables import members
from hq.webhooks import Hooks
from hq.webhooks_post import HttpPost
from tests.hq.headquarters import DAY_S, STORE, Headquarters
from tests.hq.receiver import Receiver, listening
from wire.events import MuteKind
from wire.member import Muted

CRM = System("crm", frozenset({Right.CHANGES, Right.CONSENT}), frozenset({EVERY_BRAND}), frozenset())


@pytest.fixture(autouse=True)
def crm(hq: Headquarters) -> None:
    """The system that is told."""
    with writing(hq.engine) as connection:
        systems.add(connection, "crm", "", tuple(CRM.rights), [EVERY_BRAND], (), hq.now_ms)


def told(hq: Headquarters, cursor: int = 0, system: System = CRM) -> list[Change]:
    """All changes after the cursor."""
    with reading(hq.engine) as connection:
        return list(changes.after(connection, hq.keys.custody, system, cursor).changes)


def test_choices_mutes_and_erasures_are_told_after_a_cursor(hq: Headquarters) -> None:
    """Each once, with who and what; pages go on where the one before ended."""
    hq.join("m-1", "size.shoe")
    hq.office.withdraw("m-1", hq.now_ms, scopes=("size.shoe",))
    hq.office.mute("m-1", Muted(MuteKind.THEME, "baby"), hq.now_ms)
    erased = [one.kind for one in told(hq)]
    assert erased == ["given", "given", "withdrawn", "mute"]
    (_, _, withdrawn, muted) = told(hq)
    assert (withdrawn.member, withdrawn.scopes, withdrawn.stores) == ("m-1", ("size.shoe",), None)
    assert muted.muted == ("theme", "baby")
    with reading(hq.engine) as connection:
        page = changes.after(connection, hq.keys.custody, CRM, 1, most=2)
        assert ([one.number for one in page.changes], page.next, page.more) == ([2, 3], 3, True)
        page = changes.after(connection, hq.keys.custody, CRM, page.next, most=2)
        assert (page.next, page.more) == (4, False)
    erasure.erase(hq.engine, hq.keys, "m-1", hq.now_ms)
    assert [(one.kind, one.member) for one in told(hq)] == [("erased", "m-1")]
    webhooks.sweep(hq.engine, hq.now_ms + changes.KEPT_MS)
    assert told(hq) == []


def test_a_system_hears_of_its_own_brand_alone(hq: Headquarters) -> None:
    """Neither of another brand's choices nor of members who never chose anything of its own."""
    (store,) = hq.draft.stores
    hq.office.add_store("paris-1", "Paris", hq.identity.public_key().public_bytes_raw(), "other", hq.now_ms)
    hq.office.publish_policy(replace(hq.draft, name="other", stores=(replace(store, store="paris-1"),)), hq.now_ms)
    for member, at in (("m-1", (STORE,)), ("m-2", ("paris-1",)), ("m-3", (STORE, "paris-1"))):
        hq.office.add_member(member, 18, "DE", hq.now_ms)
        hq.grant(member, "presence", stores=at)
    for member in ("m-1", "m-2"):
        hq.office.mute(member, Muted(MuteKind.THEME, "baby"), hq.now_ms)
        hq.office.withdraw(member, hq.now_ms)
    erasure.erase(hq.engine, hq.keys, "m-1", hq.now_ms)
    erasure.erase(hq.engine, hq.keys, "m-2", hq.now_ms)
    other = System("crm", CRM.rights, frozenset({"other"}), frozenset())
    assert {(one.member, one.stores) for one in told(hq, system=other)} == {("m-3", ("paris-1",)), ("m-2", None)}
    own = System("crm", CRM.rights, frozenset(), frozenset({STORE}))
    assert {one.member for one in told(hq, system=own)} == {"m-1", "m-3"}


def test_whom_a_brands_system_may_have_added_it_hears_the_end_of(hq: Headquarters) -> None:
    """Also of who never chose anything; a system that adds nobody does not."""
    hq.office.add_member("m-1", 18, "DE", hq.now_ms)
    erasure.erase(hq.engine, hq.keys, "m-1", hq.now_ms)
    brands = frozenset({hq.draft.name})
    adds = System("app", frozenset({Right.CHANGES, Right.MEMBERS}), brands, frozenset())
    assert [(one.kind, one.member) for one in told(hq, system=adds)] == [("erased", "m-1")]
    assert told(hq, system=System("crm", CRM.rights, brands, frozenset())) == []


def test_a_system_of_one_store_hears_what_ends_for_the_whole_brand(hq: Headquarters) -> None:
    """Else it would go on by a grant at its store that a withdrawal or a refusal for the brand has ended."""
    hq.join("m-1", "size.shoe")
    hq.office.withdraw("m-1", hq.now_ms, brand=hq.draft.name)
    hq.join("m-2")
    hq.office.publish_policy(replace(hq.draft, name="other", stores=()), hq.now_ms)
    hq.office.withdraw("m-2", hq.now_ms, brand="other")
    own = System("crm", CRM.rights, frozenset(), frozenset({STORE}))
    ended = [one for one in told(hq, system=own) if one.kind == "withdrawn"]
    assert [(one.member, one.brand) for one in ended] == [("m-1", hq.draft.name)]


def test_a_system_that_knows_a_merged_id_alone_is_told_where_it_leads(hq: Headquarters) -> None:
    """And from then on of the member who stays; an id that led on to it leads on again."""
    (store,) = hq.draft.stores
    hq.office.add_store("paris-1", "Paris", hq.identity.public_key().public_bytes_raw(), "other", hq.now_ms)
    hq.office.publish_policy(replace(hq.draft, name="other", stores=(replace(store, store="paris-1"),)), hq.now_ms)
    for member, at in (("m-1", STORE), ("m-2", STORE), ("m-3", "paris-1")):
        hq.office.add_member(member, 18, "DE", hq.now_ms)
        hq.grant(member, "presence", stores=(at,))
    other = System("crm", CRM.rights, frozenset({"other"}), frozenset())
    own = System("crm", CRM.rights, frozenset({hq.draft.name}), frozenset())
    adds = System("app", CRM.rights | {Right.MEMBERS}, frozenset({"other"}), frozenset())
    cursor = told(hq)[-1].number
    systems_merge.merge(hq.engine, hq.keys, "m-3", "m-2", hq.now_ms)
    assert [(one.kind, one.member, one.into) for one in told(hq, cursor, other)][:1] == [("merged", "m-3", "m-2")]
    assert "m-3" not in {one.member for one in told(hq, cursor, own)}
    hq.later(1)
    cursor = told(hq)[-1].number
    systems_merge.merge(hq.engine, hq.keys, "m-2", "m-1", hq.now_ms)
    hq.office.withdraw("m-1", hq.now_ms)
    for system in (CRM, other, own, adds):
        found = [(one.kind, one.member, one.into) for one in told(hq, cursor, system)]
        assert found[0] == ("merged", "m-2", "m-1"), "before what holds for the one who stays"
        assert found[-1] == ("withdrawn", "m-1", None) or system is adds
    again = [(one.member, one.into) for one in told(hq, system=other) if one.kind == "merged"]
    assert again == [("m-3", "m-1"), ("m-2", "m-1")], "whoever reads late is told where it leads now"
    told_plainly = changes.plain(told(hq, cursor))
    assert (told_plainly[0]["kind"], told_plainly[0]["into"]) == ("merged", "m-1")


def test_times_are_told_as_all_times_of_the_api(hq: Headquarters) -> None:
    """RFC 3339 in UTC: when it was recorded, when it was chosen, and when a grant ends, however far away that is."""
    hq.join("m-1")
    (given, *_) = told(hq)
    (said, *_) = changes.plain([replace(given, recorded_s=1_772_359_200, chosen_s=0, until_s=2**40)])
    assert (said["recorded"], said["chosen"]) == ("2026-03-01T10:00:00.000Z", "1970-01-01T00:00:00.000Z")
    assert said["until"] == "9999-12-31T23:59:59.000Z"
    assert {"chosen", "until"}.isdisjoint(changes.plain([replace(given, chosen_s=None, until_s=None)])[0])


def test_a_change_that_does_not_open_stops_nobody(hq: Headquarters) -> None:
    """An event, a member's row and a key that were changed are counted, and all others are told."""
    for member in ("m-1", "m-2", "m-3", "m-4"):
        hq.join(member)
    hq.office.withdraw("m-1", hq.now_ms)
    with writing(hq.engine) as connection:
        first, second = (hq.keys.custody.reference(connection, one) for one in ("m-2", "m-3"))
        connection.execute(update(members).where(members.c.id == first).values(content=bytes(60)))
        wrapped = connection.scalar(select(member_keys.c.wrapped).where(member_keys.c.member == second)) or b""
        broken = wrapped[:-1] + bytes([wrapped[-1] ^ 1])
        connection.execute(update(member_keys).where(member_keys.c.member == second).values(wrapped=broken))
    with writing(hq.engine) as connection:
        page = changes.after(connection, hq.keys.custody, CRM, 0)
        changes.note_unreadable(connection, "crm", page, hq.now_ms)
        (alarm,) = alarms.open_alarms(connection)
    assert [one.member for one in page.changes] == ["m-1", "m-4", "m-1"]
    assert (page.unreadable, page.next) == ((2, 3), 5)
    assert (alarm.alarm, alarm.detail) == ("change_unreadable", "system=crm changes=2 first=2")
    nobodys = System("crm", CRM.rights, frozenset({"other"}), frozenset())
    with reading(hq.engine) as connection:
        assert changes.after(connection, hq.keys.custody, nobodys, 0).unreadable == ()


class _Late:
    """The keys as they were read just before an erasure was committed."""

    def __init__(self, hq: Headquarters) -> None:
        self._custody = hq.keys.custody
        with reading(hq.engine) as connection:
            whose = {row.member for row in ledger.since(connection, 0, 10)}
            self._seals = self._custody.of_members(connection, whose)

    def of_members(self, *_: object) -> object:
        """Those of then."""
        return self._seals

    def to_open(self, connection: Connection, purpose: Purpose) -> Seal:
        """As ever."""
        return self._custody.to_open(connection, purpose)


def test_who_is_erased_while_changes_are_read_is_told_as_erased(hq: Headquarters) -> None:
    """Nothing stops; what was chosen before is passed over."""
    hq.join("m-1")
    late = _Late(hq)
    erasure.erase(hq.engine, hq.keys, "m-1", hq.now_ms)
    with reading(hq.engine) as connection:
        page = changes.after(connection, cast(Custody, late), CRM, 0)
    assert [one.kind for one in page.changes] == ["erased"]


def test_no_writer_slips_in_behind_a_cursor(hq: Headquarters) -> None:
    """While several write at once, a reader that goes on from its cursor misses none."""
    names = [f"m-{number}" for number in range(4)]
    for name in names:
        hq.office.add_member(name, 18, "DE", hq.now_ms)

    def write(name: str) -> None:
        for _ in range(6):
            hq.office.withdraw(name, hq.now_ms)

    seen: list[int] = []
    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, name) for name in names]
        while not all(one.done() for one in writers) or told(hq, seen[-1] if seen else 0):
            seen += [one.number for one in told(hq, seen[-1] if seen else 0)]
    assert [one.exception() for one in writers] == [None] * 4
    assert seen == list(range(1, 25))


def test_a_withdrawal_here_reaches_the_other_system_and_its_import_does_not_grant_again(hq: Headquarters) -> None:
    """What the other system still holds was chosen before; also where it sends it without knowing better."""
    hq.join("m-1")
    granted = {"member": "m-1", "purpose": "assist", "state": "given", "scopes": ["size.shoe"], "stores": [STORE],
               "chosen": hq.now_s - 900}  # fmt: skip
    systems_consent.take(hq.engine, hq.keys, CRM, [Line(1, granted)], hq.now_ms)
    cursor = told(hq)[-1].number
    hq.office.withdraw("m-1", hq.now_ms, purpose="assist", method="preference-centre")
    (change,) = told(hq, cursor)
    assert (change.kind, change.purpose, change.method) == ("withdrawn", "assist", "preference-centre")
    hq.later(60)
    for chosen_s in (granted["chosen"], change.chosen_s):
        batch = [Line(1, granted | {"chosen": chosen_s})]
        assert systems_consent.take(hq.engine, hq.keys, CRM, batch, hq.now_ms).refused == []
    found = hq.record("m-1")
    assert found is not None
    assert {one.purpose for one in found.statements} == {"presence"}


# --- hooks --------------------------------------------------------------------------------------------------------


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Another system's end on this machine."""
    with listening() as found:
        yield found


def hooked(hq: Headquarters, url: str) -> tuple[bytes, bytes]:
    """A hook's id and its secret."""
    with writing(hq.engine) as connection:
        hook, secret = webhooks.add(connection, hq.keys.custody, "crm", url, hq.now_ms)
    return hook, base64.b64decode(secret.removeprefix("whsec_"))


def hooks(hq: Headquarters) -> Hooks:
    """What sends, begun anew: nothing but the database knows what was sent."""
    return Hooks(hq.engine, hq.keys.custody, HttpPost(private=True, ca=None))


def verified(secret: bytes, headers: dict[str, str], body: bytes) -> bool:
    """As the other system checks it."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    made = "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    return made in headers["webhook-signature"].split(" ")


def test_a_hook_is_called_until_it_takes_it(hq: Headquarters, receiver: Receiver) -> None:
    """Signed, the same message each time with growing pauses, from whichever process, and then no more."""
    hook, secret = hooked(hq, receiver.url)
    hq.join("m-1")
    hq.office.withdraw("m-1", hq.now_ms)
    receiver.status = 503
    pauses = []
    for _ in range(4):
        assert (hooks(hq).tick(hq.now_ms), hooks(hq).tick(hq.now_ms)) == (0, 0)
        with reading(hq.engine) as connection:
            (found,) = webhooks.listed(connection)
        pauses.append(found.due_ms - hq.now_ms)
        hq.now_ms = found.due_ms
    assert len(receiver.heard) == 4
    assert pauses == [5_000, 15_000, 45_000, 135_000]
    receiver.status = 204
    assert (hooks(hq).tick(hq.now_ms), hooks(hq).tick(hq.now_ms)) == (1, 0)
    assert len({(headers["webhook-id"], body) for _, headers, body in receiver.heard}) == 1
    _, headers, body = receiver.heard[-1]
    assert verified(secret, headers, body)
    assert not verified(secret, headers, body + b" ")
    said = json.loads(body)
    assert said["type"] == "consentry.changes"
    with reading(hq.engine) as connection:
        assert said["data"]["next"] == changes.cursor(connection, 2)
    assert headers["webhook-id"] == f"msg_{hook.hex()}_0_{said['data']['next']}", "of these very events"
    assert [(one["kind"], one["member"]) for one in said["data"]["changes"]] == [("given", "m-1"), ("withdrawn", "m-1")]
    with reading(hq.engine) as connection:
        assert [(one.id, one.behind, one.dead) for one in webhooks.listed(connection)] == [(hook, 0, 0)]


def test_what_is_not_taken_for_three_days_is_kept_and_told_again_on_demand(
    hq: Headquarters, receiver: Receiver
) -> None:
    """The next message goes on meanwhile; a new secret signs beside the old one for a day."""
    hook, secret = hooked(hq, receiver.url)
    hq.join("m-1")
    receiver.status = 302
    hooks(hq).tick(hq.now_ms)
    hq.now_ms += webhooks.GIVE_UP_MS
    hooks(hq).tick(hq.now_ms)
    assert {path for path, _, _ in receiver.heard} == {"/hook"}, "no redirection is followed"
    with writing(hq.engine) as connection:
        assert [one.dead for one in webhooks.listed(connection)] == [1]
        new = webhooks.rotate(connection, hq.keys.custody, hook, hq.now_ms)
        assert webhooks.retry(connection, hook, hq.now_ms) == 1
    receiver.status = 200
    assert hooks(hq).tick(hq.now_ms) == 1
    _, headers, body = receiver.heard[-1]
    assert all(
        verified(one, headers, body) for one in (secret, base64.b64decode(new.removeprefix("whsec_")))
    )  # fmt: skip
    hq.now_ms += DAY_S * 1000
    hq.office.withdraw("m-1", hq.now_ms)
    hooks(hq).tick(hq.now_ms)
    assert not verified(secret, *receiver.heard[-1][1:])


def test_no_receiver_and_no_broken_secret_holds_up_the_other_hooks(
    hq: Headquarters, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """One answers byte by byte, one's secret does not open: both are put off, the third is told."""
    broken, _ = hooked(hq, "http://127.0.0.1:9/hook")
    hq.join("m-1")
    with writing(hq.engine) as connection:
        connection.execute(update(hooks_table).values(secret=bytes(60)))
    dripping, _ = hooked(hq, receiver.url)
    receiver.drips.set()
    with listening() as other:
        well, _ = hooked(hq, other.url)
        hq.office.withdraw("m-1", hq.now_ms)
        post = HttpPost(private=True, ca=None, deadline_s=0.3)
        assert Hooks(hq.engine, hq.keys.custody, post).tick(hq.now_ms) == 1
        assert len(other.heard) == 1
    with reading(hq.engine) as connection:
        found = {one.id: one for one in webhooks.listed(connection)}
    assert found[well].behind == 0
    assert {one for one in found if found[one].due_ms > hq.now_ms} == {broken, dripping}
    said = [one.getMessage() for one in caplog.records]
    assert any("hook_failed" in one and broken.hex() in one for one in said)
    assert any("hook_not_taken" in one and dripping.hex() in one for one in said)


def test_a_change_that_does_not_open_is_given_up_alone_and_told(
    hq: Headquarters, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """All others are said at once; the one letter raises an alarm that ends when it is sent again."""
    hook, _ = hooked(hq, receiver.url)
    hq.join("m-1")
    hq.office.withdraw("m-1", hq.now_ms)
    hq.join("m-2")
    with writing(hq.engine) as connection:
        whose = hq.keys.custody.reference(connection, "m-2")
        kept = connection.scalar(select(members.c.content).where(members.c.id == whose))
        connection.execute(update(members).where(members.c.id == whose).values(content=bytes(60)))
    hq.join("m-3")
    assert hooks(hq).tick(hq.now_ms) == 1
    with reading(hq.engine) as connection:
        (found,) = webhooks.listed(connection)
    (message,) = [json.loads(body)["data"] for _, _, body in receiver.heard]
    assert [one["member"] for one in message["changes"]] == ["m-1", "m-1", "m-3"]
    assert (found.behind, found.dead, message["unreadable"]) == (0, 1, 1)
    assert any("change_unreadable" in one.getMessage() for one in caplog.records)
    with writing(hq.engine) as connection:
        assert {row.alarm for row in alarms.open_alarms(connection)} == {"hook_given_up", "change_unreadable"}
        connection.execute(update(members).where(members.c.id == whose).values(content=kept))
        assert webhooks.retry(connection, hook, hq.now_ms) == 1
        assert [row.alarm for row in alarms.open_alarms(connection)] == ["change_unreadable"]
    assert hooks(hq).tick(hq.now_ms) == 1
    assert [one["member"] for one in json.loads(receiver.heard[-1][2])["data"]["changes"]] == ["m-2", "m-3"]


def test_a_hook_whose_secret_does_not_open_gives_up_and_signs_again_with_a_new_one(
    hq: Headquarters, receiver: Receiver
) -> None:
    """Nothing can be said without it: all there is becomes a letter after an hour; the broken one is not kept."""
    hook, _ = hooked(hq, receiver.url)
    hq.join("m-1")
    with writing(hq.engine) as connection:
        connection.execute(update(hooks_table).values(secret=bytes(60)))
    for _ in range(14):
        hooks(hq).tick(hq.now_ms)
        hq.now_ms += 300_000
    with writing(hq.engine) as connection:
        (found,) = webhooks.listed(connection)
        assert (found.behind, found.dead, receiver.heard) == (0, 1, [])
        secret = webhooks.rotate(connection, hq.keys.custody, hook, hq.now_ms)
        webhooks.retry(connection, hook, hq.now_ms)
    assert hooks(hq).tick(hq.now_ms) == 1
    assert verified(base64.b64decode(secret.removeprefix("whsec_")), *receiver.heard[-1][1:])
