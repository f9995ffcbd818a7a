"""`consentry-hq policy` and `notice`: what is wrong, what changes, whom it concerns, and the way back."""

import argparse
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hq import __main__ as main
from hq import notices, options, policy_check, policy_commands, policy_diff, policy_file, policy_schema, policy_written
from hq.__main__ import PARTS
from hq.database import reading
from hq.errors import Reason, Refused
from hq.policy_rules import Draft, bind, problems
from tests.hq.conftest import on
from tests.hq.headquarters import DAY_S, POLICY, STORE, Headquarters, example_policy

FOLDER = POLICY.parent
OTHERS = [Path(__file__).parents[2] / one for one in ("demo/shop/policy.toml", "tests/system/policy.toml")]


def parsed(*arguments: str) -> argparse.Namespace:
    """The command line."""
    return options.parser(PARTS).parse_args([*arguments])


@pytest.fixture
def run(hq: Headquarters, capsys: pytest.CaptureFixture[str]) -> Iterator[object]:
    """Runs a command at this HQ and gives what it printed."""

    def runs(*arguments: str) -> str:
        chosen = parsed(*arguments)
        policy_commands.PART.runs[chosen.command, chosen.action](hq.office, chosen, hq.now_ms)
        return capsys.readouterr().out

    yield runs


def file_of(folder: Path, draft: Draft) -> str:
    """A policy's file of a draft."""
    path = folder / f"v{draft.main.version}.json"
    path.write_text(json.dumps(policy_written.table_of(draft), ensure_ascii=False), encoding="utf-8")
    return str(path)


def next_version() -> Draft:
    """The second version: longer retention for suggestions, a shorter lease, one scope less, another sentence."""
    draft = example_policy()
    english, german = draft.papers.words
    own = replace(english.purposes["media"], benefit="Fewer adverts that miss you.")
    words = (replace(english, purposes={**english.purposes, "media": own}), german)
    purposes = tuple(
        replace(one, retention_days=1000) if one.id == "suggest" else one for one in draft.main.purposes
    )  # fmt: skip
    papers = {**draft.papers.purposes, "media": replace(draft.papers.purposes["media"], material=False)}
    main = replace(draft.main, version=2, lease_s=60, purposes=purposes)
    return bind(replace(draft, main=main, papers=replace(draft.papers, words=words, purposes=papers)))


# --- the schema --------------------------------------------------------------------------------------------------


def test_the_schemas_beside_the_example_are_those_of_the_program() -> None:
    """Made of the dataclasses, so that editors never know other keys than the reader."""
    for name, schema in (("policy", policy_schema.policy()), ("notice", policy_schema.notice())):
        assert (FOLDER / f"{name}.schema.json").read_text(encoding="utf-8") == policy_schema.written(schema)


@pytest.mark.parametrize("file", [POLICY, *OTHERS], ids=["example", "demo", "system"])
def test_what_is_published_fits_the_schema(file: Path) -> None:
    """As it is written, and as it is kept."""
    assert list(policy_check.of_form(policy_file.whole(file))) == []
    draft = policy_file.read(file)
    assert list(policy_check.of_form(policy_written.table_of(draft))) == []
    assert policy_file.build(json.loads(policy_written.bytes_of(draft))) == draft
    assert list(problems(draft)) == []


def keys_of(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to every key of a table."""
    listed = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in listed:
        yield (*path, key)
        yield from keys_of(inner, (*path, key))


_TABLE = policy_written.table_of(example_policy())
_KEYS = sorted(keys_of(_TABLE), key=str)


@given(st.sampled_from(_KEYS), st.sampled_from([None, [], {}, -1, 3.5, "surprise", True, "unknown key"]))
@settings(max_examples=60, deadline=None)
def test_what_the_reader_refuses_the_schema_refuses_too(path: tuple[str | int, ...], wrong: object) -> None:
    """Whatever key is spoilt, and however: never does the schema pass what cannot be read, with the way to the key."""
    table = json.loads(json.dumps(_TABLE))
    inner = table
    for key in path[:-1]:
        inner = inner[key]
    if wrong == "unknown key":
        if not isinstance(inner, dict):
            return
        inner["surprise"] = 1
    else:
        inner[path[-1]] = wrong
    try:
        policy_file.build(table)
    except Refused:
        found = list(policy_check.of_form(table))
        assert found, path
        assert all(": malformed: " in one for one in found)


def test_every_key_is_explained() -> None:
    """Whoever writes a policy or its words finds each key in the document."""
    text = (Path(__file__).parents[2] / "docs/policy.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+)`", text))

    def keys(schema: object) -> Iterator[str]:
        if isinstance(schema, dict) and schema:
            yield from schema.get("properties", {})
            for part in ("properties", "items", "additionalProperties"):
                inner = schema.get(part, {})
                for one in inner.values() if part == "properties" else [inner]:
                    yield from keys(one)

    wanted = set(keys(policy_schema.policy()))
    wanted -= set(policy_schema.notice()["properties"]["lines"]["properties"])  # the file explains them
    assert wanted - named == set()


def test_check_names_the_way_to_the_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything at once, form and sense, with an exit code that tells."""
    table = json.loads(json.dumps(_TABLE))
    table["stores"][0]["zones"][1]["blnd"] = True
    table["scopes"][3]["retention_days"] = "long"
    (tmp_path / "p.json").write_text(json.dumps(table))
    assert policy_commands.offline(parsed("policy", "check", str(tmp_path / "p.json"))) == 65
    told = capsys.readouterr().out
    assert "stores[0].zones[1]: malformed:" in told
    assert "'blnd'" in told
    assert "scopes[3].retention_days: malformed: 'long' is not of type 'integer'" in told
    table = json.loads(json.dumps(_TABLE))
    del table["purposes"][0]["dpia_ref"]
    del table["notices"][1]["scopes"]["diet"]
    (tmp_path / "p.json").write_text(json.dumps(table))
    assert policy_commands.offline(parsed("policy", "check", str(tmp_path / "p.json"))) == 65
    told = capsys.readouterr().out
    assert "purposes.presence: policy_incomplete: expected a purpose needs dpia_ref" in told
    assert "notices.de.scopes.diet: policy_incomplete" in told
    assert policy_commands.offline(parsed("policy", "check", str(POLICY))) == 0
    assert policy_commands.offline(parsed("policy", "schema")) == 0
    assert json.loads(capsys.readouterr().out.split("\n", 1)[1])["title"] == "A policy of Consentry"


# --- what changes, and whom it concerns -----------------------------------------------------------------------------


@on("sqlite")
def test_diff_says_what_changes_and_whom_it_concerns(hq: Headquarters, tmp_path: Path, run: object) -> None:
    """In plain words, with counts by purpose and store and nobody's name; nothing is published by it."""
    assert callable(run)
    for number in range(3):
        hq.join(f"m-{number}")
        hq.grant(f"m-{number}", "suggest", "size.shoe")
    hq.office.withdraw("m-0", hq.now_ms + 1000, purpose="suggest")
    hq.join("m-3")
    hq.grant("m-3", "suggest", "size.shoe", days=1)
    hq.later(2 * DAY_S)
    told = run("policy", "diff", file_of(tmp_path, next_version()))
    assert "policy main: version 1 → 2\n" in told
    assert "  lease_s: 120 → 60\n" in told
    assert "  purposes.suggest.retention_days: 730 → 1000\n" in told
    assert "what members are told of suggest changes materially: members may be asked again\n" in told
    assert "  it is kept for 1000 days instead of 730\n" in told
    assert "what members are told of media changes not materially: nobody is asked again\n" in told
    assert "what members are told of assist" not in told
    (row,) = (one for one in told.splitlines() if one.startswith("  suggest "))
    assert row.split() == ["suggest", "berlin-1", "2"]
    assert "m-1" not in told
    assert run("policy", "versions").split()[:2] == ["main", "1"]
    assert "nothing changes" in run("policy", "diff", str(POLICY))


@on("sqlite")
def test_diff_counts_whom_another_age_shuts_out_and_lets_in(hq: Headquarters, tmp_path: Path, run: object) -> None:
    """Of who has a grant in force, by each store's rule and the member's own; what ran out concerns nobody."""
    assert callable(run)
    for number, age in enumerate((13, 15, 16, 16, 18, 0)):
        hq.join(f"m-{number}", age=age)
    hq.office.add_member("m-at", 16, "AT", hq.now_ms)
    hq.grant("m-at", "presence")
    hq.office.add_member("m-over", 16, "DE", hq.now_ms)
    hq.grant("m-over", "presence", days=1)
    hq.later(2 * DAY_S)
    draft = example_policy()

    def asking(version: int, age: int) -> Draft:
        ages = tuple(replace(one, least_age=age) if one.jurisdiction == "DE" else one for one in draft.main.ages)
        return replace(draft, main=replace(draft.main, version=version, ages=ages))

    def told(version: int, age: int) -> str:
        return str(run("policy", "diff", file_of(tmp_path, asking(version, age))))

    assert "members whom a store sees no more, as too young: 3; whom one may see now: 0\n" in told(2, 18)
    hq.office.publish_policy(asking(2, 18), hq.now_ms)
    assert "members whom a store sees no more, as too young: 0; whom one may see now: 3\n" in told(3, 16)
    assert "too young" not in told(3, 18)


@on("sqlite")
def test_publish_and_rollback_and_what_stays(
    hq: Headquarters, tmp_path: Path, run: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every version stays; the earlier one comes back as a new one, and both are found again."""
    assert callable(run)
    assert "version 2: 1 records of policy" in run("policy", "publish", file_of(tmp_path, next_version()), "--yes")
    first = json.loads(run("policy", "show", "main", "--version", "1"))
    told = run("policy", "rollback", "main", "--to", "1", "--yes")
    assert "  lease_s: 60 → 120\n" in told
    assert [one.split()[1] for one in run("policy", "versions", "main").splitlines()] == ["1", "2", "3"]
    third = json.loads(run("policy", "show", "main"))
    assert {key for key in third if third[key] != first[key]} == {"version"}
    assert (first["version"], third["version"]) == (1, 3)
    with pytest.raises(Refused) as found:
        run("policy", "rollback", "main", "--to", "7")
    assert found.value.reason is Reason.UNKNOWN_VERSION
    with pytest.raises(Refused):
        run("policy", "show", "elsewhere")

    class Terminal(io.StringIO):
        """A terminal at which somebody says no."""

        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert "nothing was published" in run("policy", "rollback", "main", "--to", "2")
    assert len(run("policy", "versions", "main").splitlines()) == 3


@on("sqlite")
def test_notices_are_listed_shown_and_kept(hq: Headquarters, tmp_path: Path, run: object) -> None:
    """By the beginning of a hash, in either language; a text of elsewhere gets known by its own."""
    assert callable(run)
    listed = run("notice", "list", "main").splitlines()
    assert len(listed) == len(hq.draft.main.purposes)
    hashed = hq.draft.main.purposes[0].notice.hex()
    assert "Ihr Telefon sagt dem Laden" in run("notice", "show", hashed[:12], "--language", "de")
    assert "Your phone tells the store" in run("notice", "show", hashed)
    for wrong in (hashed[:7], "ff" * 32):
        with pytest.raises(Refused):
            run("notice", "show", wrong)
    (tmp_path / "old.txt").write_text("What we showed then.", encoding="utf-8")
    assert len(run("notice", "keep", str(tmp_path / "old.txt")).strip()) == 64
    with pytest.raises(Refused):
        run("notice", "keep", str(tmp_path / "nowhere.txt"))


def test_a_diff_names_what_is_new_and_what_is_gone() -> None:
    """Of lists by their ids, whatever their order."""
    draft = example_policy()
    (store,) = draft.stores
    fewer = replace(store, zones=tuple(reversed(store.zones[1:])))
    papers = {one: paper for one, paper in draft.papers.purposes.items() if one != "media"}
    main = replace(draft.main, purposes=draft.main.purposes[:-1], lead=())
    changed = bind(replace(draft, main=main, stores=(fewer,), papers=replace(draft.papers, purposes=papers)))
    lines = policy_diff.lines(draft, changed)
    assert "stores.berlin-1.zones.shoes: gone" in lines
    assert "purposes.media: gone" in lines
    assert any(one.startswith("lead: service.open, size.shoe") and one.endswith("→ none") for one in lines)
    assert not any("zones.pharmacy" in one for one in lines)
    assert "stores.berlin-1.zones.shoes: new (Shoes)" in policy_diff.lines(changed, draft)
    assert [one.says for one in policy_diff.told(draft, changed) if one.purpose == "media"] == [
        "is gone: what was granted for it ends in every store"
    ]
    assert {one.says for one in policy_diff.told(None, draft)} == {"is new: members may be asked about it"}


@on("sqlite")
def test_a_command_names_the_notice_that_was_shown(hq: Headquarters) -> None:
    """It is recorded as served by that command; a notice that HQ does not know is refused."""
    hq.office.add_member("m-1", 18, "DE", hq.now_ms)
    hashed = hq.draft.main.purposes[0].notice
    given = ("grant", "m-1", "--purpose", "presence", "--store", STORE, "--role", "associate", "--until", "30")
    for wrong, reason in (("ff" * 32, Reason.UNKNOWN_NOTICE), ("zz", Reason.MALFORMED)):
        with pytest.raises(Refused) as found:
            main._grant(hq.office, parsed(*given, "--notice", wrong))
        assert found.value.reason is reason
    main._grant(hq.office, parsed(*given, "--notice", hashed.hex()))
    with reading(hq.engine) as connection:
        reference = hq.keys.custody.reference(connection, "m-1")
        shown = notices.of_member(connection, reference or b"")
    assert [(one.notice, one.surface) for one in shown] == [(hashed, "command")]
