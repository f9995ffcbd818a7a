"""Notices that are in force, to whom each was served, and that nothing is granted before."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select

from hq import erasure, importer, notice, notices, policy_versions, rights
from hq.asking import Why
from hq.database import reading, writing
from hq.door import Grant, check_refusal
from hq.errors import Reason, Refused
from hq.notices_tables import notice_servings
from hq.policy_papers import Paper
from hq.policy_rules import Draft
from tests.hq.headquarters import DAY_S, NOON_MS, PUBLISHED_DAYS, ROLES, STORE, Headquarters, example_policy
from tests.hq.test_brands import events_of
from wire.policy import Role

NOON_DAY = NOON_MS // 1000 // DAY_S


def refused(act: Callable[..., object], *arguments: object, **named: object) -> Refused:
    """What the act was refused with."""
    with pytest.raises(Refused) as found:
        act(*arguments, **named)
    return found.value


def grant(hq: Headquarters, hashed: bytes | None = None) -> Grant:
    """Presence, chosen now."""
    return Grant("presence", (STORE,), ROLES, until_days=365, chosen_s=hq.now_s, notice=hashed)


def serving(hq: Headquarters) -> list[tuple[str, str, str, str]]:
    """(purpose, language, surface, store) of every serving."""
    with reading(hq.engine) as connection:
        rows = connection.execute(select(notice_servings).order_by(notice_servings.c.id)).all()
    return [(row.purpose, row.language, row.surface, row.store) for row in rows]


def test_a_members_grant_needs_the_notice_served_before(hq: Headquarters) -> None:
    """By the app: refused; served, it is taken; and what was served to somebody else counts for nobody."""
    hq.office.add_member("m-1", 18, "DE", hq.now_ms)
    hq.office.add_member("m-2", 18, "DE", hq.now_ms)
    hq.serve("m-2")
    assert refused(hq.office.grant, "m-1", grant(hq), hq.now_ms, "app").reason is Reason.NOTICE_NOT_SERVED
    assert refused(hq.office.add_phone, "m-1", hq.now_ms, method="app").reason is Reason.NOTICE_NOT_SERVED
    hq.serve("m-1")
    hq.office.add_phone("m-1", hq.now_ms, method="app")
    hq.office.grant("m-1", grant(hq), hq.now_ms, "app")
    assert hq.record("m-1") is not None
    hq.check()


def test_a_choice_from_before_the_serving_is_refused(hq: Headquarters) -> None:
    """Who chose before the text was shown did not choose by it; a clock a little behind is forgiven."""
    hq.office.add_member("m-1", 18, "DE", hq.now_ms)
    chosen_s = hq.now_s
    hq.later(600)
    hq.serve("m-1")
    early = replace(grant(hq), chosen_s=chosen_s)
    assert refused(hq.office.grant, "m-1", early, hq.now_ms, "app").reason is Reason.NOTICE_NOT_SERVED
    hq.office.grant("m-1", replace(early, chosen_s=hq.now_s - 200), hq.now_ms, "app")


def test_an_outdated_notice_is_refused(hq: Headquarters) -> None:
    """The policy changed in between: the member is shown the new one first. What did not change needs nothing."""
    hq.office.add_member("m-1", 18, "DE", hq.now_ms)
    hq.serve("m-1")
    old = {one.id: one.notice for one in hq.draft.main.purposes}
    longer = tuple(
        replace(one, retention_days=3) if one.id == "presence" else one for one in hq.draft.main.purposes
    )  # fmt: skip
    hq.publish(purposes=longer)
    assert refused(hq.office.grant, "m-1", grant(hq), hq.now_ms, "app").reason is Reason.NOTICE_NOT_SERVED
    named = grant(hq, old["presence"])
    assert refused(hq.office.grant, "m-1", named, hq.now_ms, "app").reason is Reason.NOTICE_NOT_SERVED
    insight = replace(grant(hq), purpose="insight", roles=())
    hq.office.grant("m-1", insight, hq.now_ms, "app")
    hq.serve("m-1")
    hq.office.grant("m-1", grant(hq), hq.now_ms, "app")


def test_a_command_and_an_import_vouch_and_are_recorded(hq: Headquarters) -> None:
    """What was shown elsewhere is a serving by that source, at the time of choice, once however often it comes."""
    hq.join("m-1")
    assert serving(hq) == [("presence", "", "command", "")]
    line = {
        "member": "m-2", "age_at_least": 18, "jurisdiction": "DE", "chosen": hq.now_s - 3 * DAY_S,
        "phones": ["ab" * 32], "grants": [{"purpose": "presence", "stores": [STORE], "roles": ["associate"],
        "until_days": 365}],
    }  # fmt: skip
    for _ in range(2):
        assert importer.run(hq.engine, hq.keys, [json.dumps(line).encode()], hq.now_ms).taken == 1
    assert serving(hq)[1:] == [("presence", "", "import", "")]
    with reading(hq.engine) as connection:
        assert connection.scalars(select(notice_servings.c.day).order_by(notice_servings.c.id)).all()[1] == NOON_DAY - 3
    phone_only = {"member": "m-3", "phones": ["cd" * 32]}
    assert importer.run(hq.engine, hq.keys, [json.dumps(phone_only).encode()], hq.now_ms).taken == 1
    assert serving(hq)[2:] == [("presence", "", "import", "")]


def test_what_was_shown_is_what_was_in_force_at_the_time_of_choice(hq: Headquarters) -> None:
    """Where an import names no notice: not the present one, and none at all from before the first."""
    before = {one.id: one.notice for one in hq.draft.main.purposes}["presence"]
    chosen_s = hq.now_s - 3 * DAY_S
    hq.publish(purposes=tuple(replace(one, retention_days=3) for one in hq.draft.main.purposes))
    line = {
        "member": "m-1", "age_at_least": 18, "jurisdiction": "DE", "chosen": chosen_s,
        "grants": [{"purpose": "presence", "stores": [STORE], "roles": ["associate"], "until_days": 365}],
    }  # fmt: skip
    early = line | {"member": "m-2", "chosen": hq.now_s - (PUBLISHED_DAYS + 1) * DAY_S}
    report = importer.run(hq.engine, hq.keys, [json.dumps(one).encode() for one in (line, early)], hq.now_ms)
    assert [(one.line, one.reason) for one in report.refused] == [(2, Reason.NOTICE_NOT_SERVED)]
    hq.office.add_member("m-3", 18, "DE", hq.now_ms)
    late = replace(grant(hq), chosen_s=early["chosen"])
    assert refused(hq.office.grant, "m-3", late, hq.now_ms).reason is Reason.NOTICE_NOT_SERVED
    with reading(hq.engine) as connection:
        rows = connection.execute(select(notice_servings)).all()
    assert [(row.notice, row.at_ms) for row in rows] == [(before, chosen_s * 1000)]


def test_a_grants_proof_says_what_its_member_was_shown(hq: Headquarters) -> None:
    """Version of the text and of the purpose, the language and the surface as they were served."""
    hq.office.publish_policy(with_roles(hq.draft, material=True), hq.now_ms)
    hq.office.publish_policy(reworded(with_roles(hq.draft, material=True), material=False), hq.now_ms)
    hq.office.add_member("m-1", 18, "DE", hq.now_ms)
    hq.serve("m-1", "de-AT", "preference-centre")
    hq.office.grant("m-1", grant(hq), hq.now_ms, "preference-centre")
    (event,) = events_of(hq, "m-1")
    proof = event.proof
    assert (proof.notice_version, proof.purpose_version) == (3, 2)
    assert (proof.notice_language, proof.surface) == ("de", "preference-centre")


def test_another_platforms_notice_must_be_known(hq: Headquarters) -> None:
    """Its exact text is kept first, so that years later it is found by its hash."""
    text = b"Was wir damals gezeigt haben."
    named = notice.hash_of(text)
    line = {
        "member": "m-1", "age_at_least": 18, "jurisdiction": "DE", "chosen": hq.now_s - DAY_S,
        "grants": [{"purpose": "presence", "stores": [STORE], "roles": ["associate"], "until_days": 365,
                    "notice": named.hex()}],
    }  # fmt: skip
    (problem,) = importer.run(hq.engine, hq.keys, [json.dumps(line).encode()], hq.now_ms).refused
    assert problem.reason is Reason.UNKNOWN_NOTICE
    with writing(hq.engine) as connection:
        assert notices.keep(connection, text, hq.now_ms) == named
        assert notices.keep(connection, text, hq.now_ms) == named
    assert importer.run(hq.engine, hq.keys, [json.dumps(line).encode()], hq.now_ms).taken == 1
    with reading(hq.engine) as connection:
        assert notices.text_of(connection, named) == text
        assert notices.of_hash(connection, named) is None
        assert notices.text_of(connection, bytes(32)) is None
    with writing(hq.engine) as connection, pytest.raises(Refused):
        notices.keep(connection, b"", hq.now_ms)


def test_what_was_served_is_recorded_once_a_day_and_counted(hq: Headquarters) -> None:
    """By purpose, language, surface, store and version; the same again on one day is the same serving."""
    for name in ("m-1", "m-2"):
        hq.office.add_member(name, 18, "DE", hq.now_ms)
    hq.serve("m-1", "de-AT")
    hq.serve("m-1", "de-DE")
    hq.serve("m-2", "fr")
    hq.serve("m-2", "en", "preference-centre", STORE)
    hq.later(DAY_S)
    hq.serve("m-1", "de")
    purposes = len(hq.draft.main.purposes)
    assert len(serving(hq)) == 4 * purposes
    with reading(hq.engine) as connection:
        both = notices.counts(connection, NOON_MS, NOON_MS + 2 * DAY_S * 1000)
        first = notices.counts(connection, NOON_MS, NOON_MS + DAY_S * 1000)
        hashed = hq.draft.main.purposes[0].notice
        assert notices.was_served(connection, hq.keys, "m-1", hashed, NOON_MS)
        assert not notices.was_served(connection, hq.keys, "m-1", hashed, NOON_MS - 1)
        assert not notices.was_served(connection, hq.keys, "m-1", bytes(32), NOON_MS)
    german = [(one.members, one.servings) for one in both if one.purpose == "presence" and one.language == "de"]
    assert german == [(1, 2)]
    assert [one.store for one in both if one.surface == "preference-centre" and one.purpose == "assist"] == [STORE]
    assert sum(one.servings for one in first) == 3 * purposes
    assert {one.notice for one in both} == {one.notice for one in hq.draft.main.purposes}


def test_a_copy_of_all_that_is_held_has_what_was_shown(hq: Headquarters) -> None:
    """Which notice, in which language, where and when: whoever asks for their own gets it."""
    hq.office.add_member("m-1", 18, "DE", hq.now_ms)
    hq.serve("m-1", "de", "preference-centre", STORE)
    with writing(hq.engine) as connection:
        told = rights.export(connection, hq.keys, "m-1", hq.now_ms)["notices"]
    presence = next(one for one in told if one["purpose"] == "presence")
    assert presence["notice"] == hq.draft.main.purposes[0].notice.hex()
    assert (presence["language"], presence["surface"], presence["store"]) == ("de", "preference-centre", STORE)
    assert len(told) == len(hq.draft.main.purposes)


def test_an_erasure_leaves_the_count_and_nobody_in_it(hq: Headquarters) -> None:
    """The row stays without member and without the hour."""
    hq.join("m-1")
    hq.serve("m-1")
    before = len(serving(hq))
    erasure.erase(hq.engine, hq.keys, "m-1", hq.now_ms)
    with reading(hq.engine) as connection:
        rows = connection.execute(select(notice_servings)).all()
    assert len(rows) == before
    assert {row.member for row in rows} == {None}
    assert {row.at_ms % (DAY_S * 1000) for row in rows} == {0}


def test_what_is_in_force_is_what_stores_were_sent(hq: Headquarters) -> None:
    """Every notice has the hash that the policy's record names, and says what the newest version says."""
    hq.publish(lease_s=60)
    with reading(hq.engine) as connection:
        found = notices.in_force(connection)
        assert notices.in_force(connection, store=STORE) == found
        assert notices.in_force(connection, store="nowhere") == ()
        listed = notices.versions(connection)
    assert [one.purpose for one in found][:3] == ["presence", "assist", "suggest"]
    assert {one.purpose: one.hash for one in found} == {one.id: one.notice for one in hq.draft.main.purposes}
    assert [(one.version, one.material) for one in listed if one.purpose == "assist"] == [(1, True), (2, False)]


# --- versions and what they mean ---------------------------------------------------------------------------------


def with_roles(draft: Draft, *, material: bool) -> Draft:
    """The next version, in which tailors see members too."""
    words = tuple(replace(one, roles={**one.roles, "tailor": "Tailors"}) for one in draft.papers.words)
    return marked(
        replace(
            draft,
            main=replace(
                draft.main, version=draft.main.version + 1, roles=(*draft.main.roles, Role("tailor", "T", True))
            ),
            papers=replace(draft.papers, words=words),
        ),
        material=material,
    )


def marked(draft: Draft, *, material: bool) -> Draft:
    """The draft with every change marked so."""
    papers: dict[str, Paper] = {
        one: replace(paper, material=material) for one, paper in draft.papers.purposes.items()
    }  # fmt: skip
    return replace(draft, papers=replace(draft.papers, purposes=papers))


def reworded(draft: Draft, *, material: bool) -> Draft:
    """The next version, which says something in another way."""
    english, german = draft.papers.words
    own = replace(english.purposes["presence"], benefit="Help comes at one tap.")
    words = (replace(english, purposes={**english.purposes, "presence": own}), german)
    draft = replace(draft, main=replace(draft.main, version=draft.main.version + 1))
    return marked(replace(draft, papers=replace(draft.papers, words=words)), material=material)


def test_what_widens_may_not_be_marked_as_immaterial(hq: Headquarters) -> None:
    """A further role, scope, store or recipient and a longer retention matter, whatever the author says."""
    draft = example_policy()
    (store,) = draft.stores
    papers = {**draft.papers.purposes, "media": replace(draft.papers.purposes["media"], recipients=("mail-service",))}
    longer = tuple(replace(one, retention_days=one.retention_days + 1) for one in draft.main.purposes)
    scopes = tuple(replace(one, purposes=("assist", "insight")) for one in draft.main.scopes)
    open_zones = tuple(replace(one, blind=False) if one.id == "cafe" else one for one in store.zones)
    following = replace(draft.main, version=2)
    wider = [
        with_roles(draft, material=False),
        replace(draft, main=following, stores=(store, replace(store, store="ulm", label="Ulm"))),
        replace(draft, main=following, papers=replace(draft.papers, purposes=papers)),
        replace(draft, main=replace(following, purposes=longer)),
        replace(draft, main=replace(following, scopes=scopes)),
    ]
    assert open_zones == store.zones
    for one in wider:
        found = refused(hq.office.publish_policy, marked(one, material=False), hq.now_ms)
        assert (found.reason, found.field.endswith(".material")) == (Reason.POLICY_INCONSISTENT, True)
    hq.office.publish_policy(with_roles(draft, material=True), hq.now_ms)
    hq.office.publish_policy(reworded(with_roles(draft, material=True), material=False), hq.now_ms)


def asks(hq: Headquarters, member: str = "m-1") -> dict[str, Why]:
    """What may be asked."""
    with reading(hq.engine) as connection:
        return notices.why_ask(connection, hq.keys, member, hq.now_ms)


def test_only_a_material_change_and_the_end_ask_again(hq: Headquarters) -> None:
    """Never asked: yes. Granted: no, until it runs out or what was told changed materially; another wording is none."""
    hq.office.add_member("m-1", 18, "DE", hq.now_ms)
    assert asks(hq) == dict.fromkeys(("presence", "assist", "suggest", "insight", "contact.email", "contact.push",
                                      "media"), Why.NEVER)  # fmt: skip
    hq.grant("m-1", "presence", days=400)
    assert "presence" not in asks(hq)
    draft = reworded(hq.draft, material=False)
    hq.office.publish_policy(draft, hq.now_ms)
    assert "presence" not in asks(hq)
    hq.office.publish_policy(with_roles(draft, material=True), hq.now_ms)
    assert asks(hq)["presence"] is Why.CHANGED
    assert asks(hq)["insight"] is Why.NEVER
    hq.later(1)
    hq.serve("m-1")
    hq.grant("m-1", "presence", days=30)
    assert "presence" not in asks(hq)
    hq.now_ms += 31 * DAY_S * 1000
    assert asks(hq)["presence"] is Why.EXPIRED


def test_a_refusal_rests_ninety_days_and_a_withdrawal_is_asked_by_a_change_alone(hq: Headquarters) -> None:
    """Not even a material change asks within; then the refusal has run out, and the withdrawal has not."""
    hq.office.add_member("m-1", 18, "DE", hq.now_ms)
    hq.office.refuse("m-1", check_refusal("insight", None, None, None, None), hq.now_ms, "app")
    hq.grant("m-1", "presence")
    hq.office.withdraw("m-1", hq.now_ms + 1000, purpose="presence")
    hq.office.withdraw("m-1", hq.now_ms + 1000, purpose="media")
    hq.now_ms += 60_000
    hq.office.publish_policy(with_roles(hq.draft, material=True), hq.now_ms)
    assert {"insight", "presence", "media"}.isdisjoint(asks(hq))
    hq.now_ms = NOON_MS + 89 * DAY_S * 1000
    assert {"insight", "presence", "media"}.isdisjoint(asks(hq))
    hq.now_ms = NOON_MS + 91 * DAY_S * 1000
    found = asks(hq)
    assert (found["insight"], found["presence"]) == (Why.EXPIRED, Why.CHANGED)
    assert "media" not in found


def test_who_left_everything_is_left_alone(hq: Headquarters) -> None:
    """Nothing is asked, also of what they never said anything of, until something changes materially."""
    hq.join("m-1")
    hq.office.withdraw("m-1", hq.now_ms + 1000)
    hq.now_ms += 200 * DAY_S * 1000
    assert asks(hq) == {}


def test_every_version_is_kept_and_comes_back_as_it_was(hq: Headquarters) -> None:
    """An earlier one, published again, is a new version with the same content; the ones between stay."""
    first = example_policy()
    second = with_roles(first, material=True)
    hq.office.publish_policy(second, hq.now_ms)
    with reading(hq.engine) as connection:
        held = [policy_versions.of(connection, "main", version) for version in (1, 2, None, 3)]
        draft = policy_versions.again(connection, "main", 1)
        assert refused(policy_versions.again, connection, "main", 2).reason is Reason.POLICY_OLD
        assert refused(policy_versions.again, connection, "main", 9).reason is Reason.UNKNOWN_VERSION
    assert held[0] == first
    assert held[1] is not None
    assert held[2] == held[1]
    assert held[3] is None
    assert draft.main == replace(first.main, version=3)
    hq.office.publish_policy(draft, hq.now_ms)
    with reading(hq.engine) as connection:
        assert [one.version for one in policy_versions.listed(connection, "main")] == [1, 2, 3]
        hashes = {one.version: one.notice for one in notices.versions(connection) if one.purpose == "assist"}
    assert hashes[3] == hashes[1] != hashes[2]
