"""The command line, as an operator types it."""

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select, text

from hq import help_state, keys, membership, options, records
from hq.__main__ import PARTS
from hq.database import REVISION, open_database, reading, writing
from hq.office import Office
from hq.tables import audience
from tests.hq.headquarters import NOON_MS, POLICY, STORE, WRAPPING, example_policy
from tests.programs import program
from wire import schema
from wire.keys import (
    KeySet,
    SealingKey,
    SigningKey,
    make_sealing_private,
    sealing_public_bytes,
    sign_key_set,
)
from wire.member import Staff
from wire.sync import Attendance, Event, EventKind, HelpStep

TOP = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Desk:
    """Where an operator sits: a folder with `hq.toml` and the credentials."""

    folder: Path

    @property
    def config(self) -> Path:
        """The configuration."""
        return self.folder / "hq.toml"

    def run(self, *arguments: object, stdin: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
        """One command."""
        found = program("hq").run(*arguments, "--config", self.config, stdin=stdin)
        assert found.returncode == code, found.stderr + found.stdout
        assert "Traceback" not in found.stderr
        return found

    def office(self) -> Office:
        """The same HQ from inside."""
        return Office(open_database(f"sqlite:///{self.folder}/hq.db"), keys.load(self.folder / "keys", self.folder))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A provisioned HQ with the example's store and policy."""
    seed, sealing, root = b"\x01" * 32, make_sealing_private(), Ed25519PrivateKey.generate()
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    key_set = KeySet(1, 2**39, (SigningKey(1, public),), (SealingKey(1, sealing_public_bytes(sealing)),))
    for name, content in {
        "signing-key": seed, "sealing-key": sealing, "pairwise-key": b"\x02" * 32, "challenge-key": b"\x03" * 32,
        "wrapping-key": WRAPPING, "keys": sign_key_set(root, key_set),
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(content)
    (tmp_path / "store.json").write_text(json.dumps({"store": STORE, "identity": "ab" * 32}))
    (tmp_path / "hq.toml").write_text(
        f'database = "sqlite:///{tmp_path}/hq.db"\nkeys = "{tmp_path}/keys"\ncredentials_dir = "{tmp_path}"\n'
        '[broker]\nhost = "127.0.0.1"\nport = 1\ntls = false\n'
    )
    made = Desk(tmp_path)
    office = made.office()
    office.add_store(STORE, "Berlin", b"\xab" * 32, "main", NOON_MS)
    office.publish_policy(example_policy(), NOON_MS)
    office.engine.dispose()
    return made


def test_a_members_life_by_commands(desk: Desk) -> None:
    """Add, phone, grant, profile, mode, name, withdraw: each does what it says."""
    desk.run("member", "add", "m-1", "--age-at-least", 18, "--jurisdiction", "DE")
    added = desk.run("phone", "add", "m-1")
    assert re.fullmatch(r"[0-9a-f]{64}\n", added.stdout), "the secret alone, so that it can be piped"
    for purpose, *scopes in (("presence",), ("assist", "--scope", "size.shoe", "brand.liked", "wishlist")):
        desk.run("grant", "m-1", "--purpose", purpose, *scopes, "--store", STORE, "--role", "associate", "--until", 30)
    desk.run("profile", "set", "m-1", "size.shoe", "42")
    desk.run("profile", "set", "m-1", "brand.liked", "Alpen")
    desk.run("profile", "set", "m-1", "wishlist", '[{"item": "i-1", "label": "Scarf"}]', "--json")
    office = desk.office()
    with reading(office.engine) as connection:
        assert connection.scalar(select(audience.c.present)) is True
        locked = membership.lock_by_id(connection, office.keys.custody, ["m-1"])
        (secrets,) = membership.secrets(connection, locked).values()
        assert secrets == [bytes.fromhex(added.stdout)]
        (fields,) = membership.fields(connection, locked).values()
    assert {one.scope for one in fields} == {"size.shoe", "brand.liked", "wishlist"}
    desk.run("mode", "m-1", "open")
    desk.run("name", "m-1", "always")
    desk.run("profile", "delete", "m-1", "size.shoe")
    phone = re.search(r"phone ([0-9a-f]{16}) added", added.stderr)
    assert phone is not None
    desk.run("phone", "remove", "m-1", phone.group(1))
    desk.run("withdraw", "m-1")
    with reading(office.engine) as connection:
        assert connection.scalar(select(audience.c.present)) is False
    assert "whole" in desk.run("ledger", "verify").stdout
    office.engine.dispose()


def test_a_refusal_is_one_line_with_the_reason(desk: Desk) -> None:
    """Exit 65; what was refused is not repeated."""
    desk.run("member", "add", "m-1")
    found = desk.run(
        "grant", "m-1", "--purpose", "assist", "--scope", "birth.date", "--store", STORE, "--role", "associate",
        "--until", "30", code=65,
    )  # fmt: skip
    assert len(found.stderr.splitlines()) == 1
    assert "undeclared_scope" in found.stderr
    assert "birth" not in found.stderr
    assert "unknown_member" in desk.run("mode", "canary", "open", code=65).stderr


def test_help_is_told_in_one_line(desk: Desk) -> None:
    """State, store and instants; none, where the member did not call; an unknown member is refused."""
    office = desk.office()
    now_ms = time.time_ns() // 1_000_000
    office.add_member("m-1", 18, "DE", now_ms)
    assert desk.run("help", "m-1").stdout == "no call for help in the last hour\n"
    with writing(office.engine) as connection:
        steps = (HelpStep.WAITING, HelpStep.ATTENDING)
        events = [
            Event(number, EventKind.ATTENDANCE, now_ms, bytes(16), schema.encode(Attendance("", step)))
            for number, step in enumerate(steps, 1)
        ]
        member = office.keys.custody.reference(connection, "m-1")
        assert member is not None
        help_state.take(connection, STORE, {bytes(16): member}, events, now_ms)
    office.engine.dispose()
    assert re.fullmatch(rf"on the way in {STORE} since [0-9: -]+Z; called [0-9: -]+Z\n", desk.run("help", "m-1").stdout)
    assert "unknown_member" in desk.run("help", "canary", code=65).stderr


def test_a_pin_is_read_from_standard_input_only(desk: Desk) -> None:
    """It is no option, and what is kept is a verifier."""
    desk.run("staff", "add", "nina", "--store", STORE, "--name", "Nina", "--role", "associate", stdin="258013\n")
    office = desk.office()
    with reading(office.engine) as connection:
        body = records.body(connection, f"staff/{STORE}", b"nina")
    office.engine.dispose()
    assert schema.decode(Staff, body or b"").pin_verifier.startswith("$argon2id$")
    desk.run("staff", "add", "bo", "--store", STORE, "--name", "Bo", "--role", "associate", stdin="\n", code=65)
    desk.run("staff", "deactivate", "nina", "--store", STORE)


def test_an_import_reports_what_it_refused(desk: Desk) -> None:
    """To the terminal or a file, with line, field and reason; the exit code tells."""
    file = desk.folder / "members.jsonl"
    file.write_text('{"member": "m-1"}\n{"member": "m-2", "mode": "loud"}\n')
    found = desk.run("import", file, code=65)
    assert "line 2: mode: malformed" in found.stdout
    assert "1 lines taken, 1 refused" in found.stdout
    report = desk.folder / "refused.jsonl"
    desk.run("import", file, "--report", report, code=65)
    assert [json.loads(line)["field"] for line in report.read_text().splitlines()] == ["mode"]
    file.write_text('{"member": "m-3"}\n')
    desk.run("import", file)
    desk.run("import", desk.folder / "nowhere", code=65)


def test_the_list_of_stores_tells_who_is_new(desk: Desk) -> None:
    """A store that has never said hello is new and has no lease."""
    other = {"store": "berlin-2", "identity": "cd" * 32}
    (desk.folder / "other.json").write_text(json.dumps(other))
    desk.run("store", "add", "--from", desk.folder / "other.json", "--label", "Other")
    desk.run("policy", "publish", POLICY)
    lines = desk.run("store", "list").stdout.splitlines()
    assert len(lines) == 3
    assert lines[1].split()[:3] == [STORE, "main", "new"]
    assert "exists" in desk.run("store", "add", "--from", desk.folder / "store.json", code=65).stderr


def test_a_policy_is_checked_without_a_database(desk: Desk, tmp_path: Path) -> None:
    """Everything that is wrong is listed."""
    assert desk.run("policy", "check", POLICY).stdout == "may be published\n"
    bad = tmp_path / "bad.toml"
    bad.write_text('version = 1\n[[purposes]]\nid = "presence"\nlabel = "P"\n')
    found = desk.run("policy", "check", bad, code=65).stdout
    assert "purposes.presence: policy_incomplete" in found
    assert "ages: policy_incomplete" in found


def test_the_tables_are_checked_listed_and_brought_further(desk: Desk) -> None:
    """And a database of another version is refused by every command but these, with the remedy."""
    checked = desk.run("database", "check").stdout
    assert checked == f"the database is at {REVISION}, and all is as this version expects\n"
    assert f"* {REVISION} " in desk.run("database", "history").stdout
    assert desk.run("database", "upgrade").stdout.startswith("0 revisions applied")
    office = desk.office()
    with writing(office.engine) as connection:
        connection.execute(text("DROP TRIGGER consent_events_DELETE"))
    assert "missing consent_events_delete" in desk.run("database", "check", code=65).stdout
    with writing(office.engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    office.engine.dispose()
    for command in (("store", "list"), ("serve",)):
        assert "consentry-hq database upgrade" in desk.run(*command, code=69).stderr
    assert f"this version expects {REVISION}" in desk.run("database", "check", code=65).stdout


def test_a_broken_configuration_names_the_key(desk: Desk) -> None:
    """Exit 78, one line; so do credentials that do not belong together."""
    good = desk.config.read_text()
    desk.config.write_text(good.replace("port = 1", "port = 100000"))
    assert "broker.port" in desk.run("store", "list", code=78).stderr
    desk.config.write_text(good.replace("127.0.0.1", "broker.example"))
    assert "loopback" in desk.run("serve", code=78).stderr
    desk.config.write_text(good)
    (desk.folder / "signing-key").write_bytes(b"\x09" * 32)
    assert "key set" in desk.run("store", "list", code=78).stderr


def test_the_configuration_may_stand_before_the_command_too(desk: Desk) -> None:
    """Both places are understood."""
    command = [sys.executable, "-m", "hq", "--config", str(desk.config), "store", "list"]
    assert subprocess.run(command, cwd=TOP, capture_output=True, timeout=60).returncode == 0


@pytest.mark.parametrize(
    "command", ["serve", "store add", "member add", "phone add", "grant", "withdraw", "profile set", "import"]
)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With what it does and how it is configured."""
    with pytest.raises(SystemExit) as found:
        options.parser(PARTS).parse_args([*command.split(), "--help"])
    assert found.value.code == 0
    assert "--config" in capsys.readouterr().out
