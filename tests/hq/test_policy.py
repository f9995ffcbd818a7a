"""Which policies may be published, and how their files are read."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hq import policy_file
from hq.errors import Reason, Refused
from hq.policy_rules import Draft, bind, check, problems
from tests.hq.headquarters import POLICY, Headquarters, example_policy
from wire.policy import Hours, Zone


def reasons(draft: Draft) -> list[Reason]:
    """What is wrong with it."""
    return [one.reason for one in problems(draft)]


def with_main(**changes: object) -> Draft:
    """The example with another shared part."""
    draft = example_policy()
    return bind(replace(draft, main=replace(draft.main, **changes)))  # type: ignore[arg-type]


def with_store(**changes: object) -> Draft:
    """The example with another store."""
    draft = example_policy()
    return bind(replace(draft, stores=(replace(draft.stores[0], **changes),)))  # type: ignore[arg-type]


def test_the_example_may_be_published_and_has_its_notices() -> None:
    """It is whole: every purpose has a notice whose text is there."""
    draft = example_policy()
    assert reasons(draft) == []
    assert {one.notice for one in draft.main.purposes} == set(draft.notices)
    assert draft.stores[0].hours[0] == Hours(1, 9 * 60 + 30, 20 * 60)
    assert len(draft.stores[0].hours) == 6


@pytest.mark.parametrize(
    "missing", [{"legal_basis": ""}, {"retention_days": 0}, {"notice": b""}, {"record_of_processing": ""}]
)
def test_a_purpose_without_its_papers_is_refused(missing: dict[str, object]) -> None:
    """Legal basis, retention, notice and record of processing: each of them is needed."""
    draft = example_policy()
    first, *others = draft.main.purposes
    draft = replace(draft, main=replace(draft.main, purposes=(replace(first, **missing), *others)))  # type: ignore[arg-type]
    with pytest.raises(Refused) as found:
        check(draft)
    assert found.value.reason is Reason.POLICY_INCOMPLETE
    assert "purposes.presence" in found.value.field
    assert next(iter(missing)) in str(found.value.hint)


def test_a_purpose_without_an_impact_assessment_is_refused() -> None:
    """Its reference stays at HQ, and is needed as the other papers are."""
    draft = example_policy()
    papers = {**draft.papers.purposes, "assist": replace(draft.papers.purposes["assist"], dpia_ref="")}
    with pytest.raises(Refused) as found:
        check(replace(draft, papers=replace(draft.papers, purposes=papers)))
    assert (found.value.reason, found.value.field) == (Reason.POLICY_INCOMPLETE, "purposes.assist")
    assert "dpia_ref" in found.value.hint


@pytest.mark.parametrize(
    "kind",
    ["pharmacy", "optician", "restroom", "fitting-room", "Fitting Rooms", "restrooms", "changing room", "WC", "w.c.",
     "toilet", "Apotheke", "Pharmacie", "men's fitting-room 2", "unisexToilet", "UMKLEIDE", "eye test"],
)  # fmt: skip
def test_a_zone_that_must_be_blind_is_refused_where_it_is_not(kind: str) -> None:
    """However it is spelt."""
    zone = Zone("z", "Z", kind, (), False, (), None)
    assert reasons(with_store(zones=(zone,))) == [Reason.POLICY_NOT_BLIND]
    assert reasons(with_store(zones=(replace(zone, blind=True),))) == []


@pytest.mark.parametrize("kind", ["", "sales", "fittings", "shoes", "checkout", "watches", "toys"])
def test_an_ordinary_zone_need_not_be_blind(kind: str) -> None:
    """Shelves of fittings are no fitting room."""
    assert reasons(with_store(zones=(Zone("z", "Z", kind, (), False, (), None),))) == []


@pytest.mark.parametrize(
    ("draft", "reason"),
    [
        (with_main(heartbeat_s=120), Reason.POLICY_INCONSISTENT),
        (with_main(ages=()), Reason.POLICY_INCOMPLETE),
        (with_store(jurisdiction="XX"), Reason.POLICY_INCOMPLETE),
        (with_main(lead=("birth.date",)), Reason.UNDECLARED_SCOPE),
        (with_main(purposes=example_policy().main.purposes * 2), Reason.POLICY_INCONSISTENT),
        (with_main(lease_s=100_000), Reason.MALFORMED),
        (with_store(exit_dbm=-70), Reason.POLICY_INCONSISTENT),
        (with_store(time_zone="Berlin"), Reason.MALFORMED),
        (with_store(time_zone="../../etc/passwd"), Reason.MALFORMED),
        (with_store(hours=(Hours(1, 600, 600),)), Reason.POLICY_INCONSISTENT),
        (replace(example_policy(), name="Main Policy"), Reason.MALFORMED),
        (replace(example_policy(), notices={}), Reason.POLICY_INCOMPLETE),
    ],
)
def test_an_inconsistent_policy_is_refused(draft: Draft, reason: Reason) -> None:
    """Each with where it is wrong."""
    assert reason in reasons(draft)


@pytest.mark.parametrize("scope", ["email", "mobile", "address.home", "birth.date", "member.number", "mac"])
def test_a_scope_that_is_shown_to_nobody_is_refused(scope: str) -> None:
    """The problem names it and the way out; the channel `contact.email` is a purpose, and stays."""
    draft = example_policy()
    assert "contact.email" in {one.id for one in draft.main.purposes}
    added = replace(draft.main.scopes[1], id=scope)
    found = [one for one in problems(with_main(scopes=(*draft.main.scopes, added))) if one.field == f"scopes.{scope}"]
    assert [one.reason for one in found] == [Reason.POLICY_INCONSISTENT]
    assert found[0].hint.startswith("no such scope, or another id")


def test_a_policys_version_only_rises(hq: Headquarters) -> None:
    """The same again changes nothing; something else under the same version, or an older one, is refused."""
    draft = example_policy()
    assert hq.office.publish_policy(draft, hq.now_ms) == 0
    with pytest.raises(Refused) as found:
        hq.office.publish_policy(with_main(lease_s=60), hq.now_ms)
    assert found.value.reason is Reason.POLICY_OLD
    hq.publish(lease_s=60)
    with pytest.raises(Refused):
        hq.office.publish_policy(draft, hq.now_ms)


def test_a_store_that_a_policy_no_longer_lists_loses_its_part(hq: Headquarters) -> None:
    """Without zones and hours it discloses nothing: its members are taken out."""
    hq.join("m-1")
    draft = with_main(version=2)
    hq.office.publish_policy(replace(draft, stores=()), hq.now_ms)
    hq.tick()
    assert hq.record("m-1") is None
    hq.check()


def test_json_says_the_same_as_toml(tmp_path: Path) -> None:
    """Both forms are read into the same policy."""
    import tomllib

    table = tomllib.loads(POLICY.read_text(encoding="utf-8"))
    (tmp_path / "notices").symlink_to(POLICY.parent / "notices")
    (tmp_path / "policy.json").write_text(json.dumps(table), encoding="utf-8")
    assert policy_file.read(tmp_path / "policy.json") == example_policy()


_STORE = 'store = "a"\nlabel = "A"\ntime_zone = "UTC"\njurisdiction = ""'


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("surprise = 1", "surprise"),
        ('lease_s = "long"', "lease_s"),
        ("lease_s = true", "lease_s"),
        ("purposes = 3", "purposes"),
        ('[[scopes]]\nid = "a"\nlabel = "A"\nvalue_type = "picture"', "scopes[0].value_type"),
        (f'[[stores]]\n{_STORE}\nhours = ["all day"]', "stores[0].hours"),
        ('notices = ["nowhere.toml"]', "notices[0]"),
        ('[[purposes]]\nid = "a"\nnotice = "a.txt"', "purposes[0].notice"),
        ('[[notices]]\nlanguage = "en"', "notices[0].lines"),
        ('[[recipients]]\nid = "a"\nname = "A"', "recipients[0].country"),
        ('browsers = [{family = "opera", least = 1}]', "browsers[0].family"),
        ("= 3", "policy.toml"),
    ],
)  # fmt: skip
def test_a_malformed_policy_file_names_the_key(tmp_path: Path, line: str, where: str) -> None:
    """One line, the key, and what is expected."""
    file = tmp_path / "policy.toml"
    file.write_text(f"version = 1\n{line}\n", encoding="utf-8")
    with pytest.raises(Refused) as found:
        policy_file.read(file)
    assert found.value.field == where
    assert found.value.hint


def test_a_policy_names_each_family_of_browsers_once() -> None:
    """As the example does; twice the same is refused."""
    chromium, *_ = browsers = example_policy().main.browsers or ()
    assert [one.least for one in browsers] == [120, 17, 121]
    with pytest.raises(Refused) as found:
        check(with_main(browsers=(chromium, chromium)))
    assert found.value.field == "browsers.chromium"
