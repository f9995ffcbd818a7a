"""The program as an operator runs it: what it prints, what it refuses, what it never shows."""

from pathlib import Path

import pytest

from edge.config import EdgeConfig
from hq.settings import Settings as HqConfig
from provisioning.__main__ import run
from provisioning.errors import RefusedError
from runtime.config import load
from runtime.errors import ConfigError
from tests.programs import program


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A folder with HQ and a store, made by the program."""
    at = tmp_path / "folder"
    run(["hq", "--folder", str(at), "--broker-host", "mqtt.example", "--broker-port", "18883"])
    run(["store", "berlin-1", "--folder", str(at), "--tablet-name", "shop.example", "--company-id", "0xABCD"])
    capsys.readouterr()
    return at


def secrets_of(folder: Path) -> list[bytes]:
    """Every secret in the folder, raw, in hex, and as the lines of its PEM."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and ("credentials" in path.parts or path.suffix == ".key"):
            content = path.read_bytes()
            found += content.splitlines()[1:-1] if content.startswith(b"-----") else [content, content.hex().encode()]
    return found


def test_no_key_is_ever_printed(tmp_path: Path) -> None:
    """Over every command, dry runs and refusals too, nothing of any key is on stdout or stderr."""
    at, shown = str(tmp_path / "f"), b""
    for line in (
        "hq --dry-run --broker-host localhost",
        "hq --broker-host localhost",
        "store berlin-1",
        "store berlin-2",
        "tablet berlin-1",
        "rotate store berlin-1",
        "rotate tablets berlin-1",
        "rotate broker",
        "rotate hq",
        "doctor",
        "store berlin-2 --dry-run --remove",
        "store berlin-9 --remove",
    ):
        command, *rest = line.split()
        done = program("provisioning").run(command, "--folder", at, *rest)
        shown += (done.stdout + done.stderr).encode(errors="surrogateescape")
    secrets = secrets_of(tmp_path / "f")
    assert len(secrets) > 30
    assert not [secret for secret in secrets if secret in shown]


def test_what_was_chosen_is_remembered(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A later run needs no option again, and one option changes one setting."""
    assert run(["hq", "--folder", str(folder)]) == 0
    assert run(["store", "berlin-1", "--folder", str(folder)]) == 0
    assert capsys.readouterr().out == "Nothing to do.\nNothing to do.\n"
    run(["store", "berlin-1", "--folder", str(folder), "--radio", "door"])
    assert "stores/berlin-1/etc/consentry/edge.toml" in capsys.readouterr().out
    text = (folder / "stores/berlin-1/etc/consentry/edge.toml").read_text()
    assert 'node = "door"' in text
    assert "company_id = 43981" in text


def test_a_dry_run_of_a_rotation_revokes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It tells which files would change, and the next run has nothing to do."""
    run(["rotate", "store", "berlin-1", "--folder", str(folder), "--dry-run"])
    shown = capsys.readouterr().out
    assert "replace  0600 stores/berlin-1/credentials/gateway/broker-key  (revoked)" in shown
    assert "4 of 52 files would change." in shown
    run(["hq", "--folder", str(folder)])
    assert capsys.readouterr().out == "Nothing to do.\n"


def test_a_store_is_removed_and_may_come_back_with_new_keys(folder: Path) -> None:
    """Removed, its files are gone; added again, it is another box."""
    key = folder / "stores/berlin-1/credentials/gateway/identity-key"
    before = key.read_bytes()
    assert run(["store", "berlin-1", "--folder", str(folder), "--remove"]) == 0
    assert not (folder / "stores").exists()
    assert run(["store", "berlin-1", "--folder", str(folder)]) == 0
    assert key.read_bytes() != before


def test_how_a_tablet_is_paired_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The authority to trust, the address to open."""
    assert run(["tablet", "berlin-1", "--folder", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "tablets/berlin-1/store-authority.pem" in shown
    assert "https://shop.example:8443/" in shown
    assert (folder / "tablets/berlin-1/store-authority.pem").is_file()


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("store HQ", "a store's id is 1 to 40"),
        ("store ../up", "a store's id is 1 to 40"),
        ("store berlin-1 --tablet-port 0", "a port is a number"),
        ("store berlin-1 --company-id 0x10000", "a company id is a number"),
        ("store berlin-1 --tablet-name shop_1", "a tablet name is a DNS name"),
        ("store berlin-9 --remove", "no such store"),
        ("tablet berlin-9", "no such store"),
        ("rotate store berlin-9", "no such store"),
        ("rotate store", "no such store"),
        ("hq --broker-host a..b", "a broker name is a DNS name"),
        ("hq --broker-port 65536", "a port is a number"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(folder: Path, line: str, part: str) -> None:
    """One line says what is wrong; no setting is written."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    command, *rest = line.split()
    with pytest.raises(RefusedError, match=part):
        run([command, "--folder", str(folder), *rest])
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_the_first_command_is_hq(tmp_path: Path) -> None:
    """Without HQ there is no store, and HQ needs its broker's name."""
    with pytest.raises(RefusedError, match="holds no HQ yet"):
        run(["store", "berlin-1", "--folder", str(tmp_path / "f")])
    with pytest.raises(RefusedError, match="the broker's name is needed"):
        run(["hq", "--folder", str(tmp_path / "f")])
    assert not (tmp_path / "f").exists()


def test_a_broken_settings_file_is_named(folder: Path) -> None:
    """File, key and form, as for every configuration."""
    (folder / "settings.toml").write_text('broker_host = "x"\nbroker_port = "high"\n')
    with pytest.raises(ConfigError, match=r"settings\.toml: broker_port: a whole number"):
        run(["hq", "--folder", str(folder)])


def test_the_doctor_tells_what_is_missing_and_ends_with_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A complete folder is 0, a lost file 1, with the file's name; and the doctor mends nothing."""
    assert run(["doctor", "--offline", "--folder", str(folder)]) == 0
    lost = folder / "stores/berlin-1/etc/consentry/gateway.toml"
    lost.unlink()
    capsys.readouterr()
    assert run(["doctor", "--offline", "--folder", str(folder)]) == 1
    assert "LOOK stores/berlin-1/etc/consentry/gateway.toml: run again to create it" in capsys.readouterr().out
    assert not lost.exists()
    (folder / "authority/hq-root.key").unlink()
    assert run(["doctor", "--offline", "--folder", str(folder)]) == 1
    assert "hq-root.key is missing" in capsys.readouterr().out


def test_several_radios_are_each_named_by_their_address(folder: Path) -> None:
    """The edge reads what was chosen; radios that cannot be told apart are refused, and what was stays."""
    one, other = "00:1A:7D:DA:71:13", "00:1A:7D:DA:71:14"
    store = ["store", "berlin-1", "--folder", str(folder)]
    run([*store, "--radio", f"shoes-1={one}", "--radio", f"till-1={other}"])
    file = folder / "stores/berlin-1/etc/consentry/edge.toml"
    assert [(radio.node, radio.adapter) for radio in load(file, EdgeConfig).radios] == [
        ("shoes-1", one),
        ("till-1", other),
    ]
    before = file.read_bytes()
    twice_a, twice_one = [f"a={one}", f"a={other}"], [f"a={one}", f"b={one.lower()}"]
    for radios in (["a", "b"], [f"a={one}", "b"], twice_a, twice_one, ["a=hci0"], ["A"]):
        with pytest.raises(RefusedError):
            run([*store, *(part for radio in radios for part in ("--radio", radio))])
    assert file.read_bytes() == before


def test_hqs_web_is_set_up_by_its_address(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With an address HQ's configuration has the table, behind a proxy or with a certificate; no other file changes."""
    configuration = folder / "hq/etc/consentry/hq.toml"
    assert load(configuration, HqConfig).web is None
    run(["hq", "--folder", str(folder), "--web-url", "https://choices.example.com", "--web-name", "Shop"])
    web = load(configuration, HqConfig).web
    assert web is not None
    assert (web.public_url, web.name, web.listen, web.certificate) == (
        "https://choices.example.com", "Shop", "127.0.0.1", None,
    )  # fmt: skip
    run(["hq", "--folder", str(folder), "--web-certificate", "/etc/letsencrypt/live/x/fullchain.pem"])
    web = load(configuration, HqConfig).web
    assert web is not None
    assert (web.listen, str(web.certificate)) == ("0.0.0.0", "/etc/letsencrypt/live/x/fullchain.pem")
    assert (folder / "hq/etc/systemd/system/consentry-hq-web.service").is_file()
    with pytest.raises(RefusedError, match="web-url"):
        run(["hq", "--folder", str(folder), "--web-url", "http://choices.example.com"])
