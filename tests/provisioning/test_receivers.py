"""What a store with satellites and cheap receivers gets, and what one without gets not."""

import json
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

import edge.config
import store_gateway.settings
from provisioning import apply, doctor
from provisioning.__main__ import run
from provisioning.errors import RefusedError
from provisioning.files import Files
from provisioning.install import SEALED_FOLDER
from provisioning.passwords import Filled, Password, PasswordFile
from provisioning.settings import Estate, HqSettings, ReceiverSettings, StoreSettings
from runtime.config import credential, load
from tests.provisioning.conftest import NOW
from wire.receivers import Receiver, ReceiverKind

THERE = (
    ReceiverSettings(ReceiverKind.SATELLITE, "back", ("shoes-2=00:1A:7D:DA:71:13", "shoes-3=00:1A:7D:DA:71:14")),
    ReceiverSettings(ReceiverKind.OPENMQTTGATEWAY, "OMG_door", ("door-1",)),
    ReceiverSettings(ReceiverKind.THEENGS, "till", ("till-1",)),
)


@pytest.fixture(scope="module")
def receiving() -> Estate:
    """One store with three receivers and one without, for boxes elsewhere."""
    store = StoreSettings(("shoes-1",), 0x1234, tablet_names=("berlin-1.example",), receivers=THERE)
    return Estate(HqSettings("mqtt.example"), {"berlin-1": store, "paris-2": StoreSettings()})


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory, receiving: Estate) -> Path:
    """Its folder, made once."""
    at = tmp_path_factory.mktemp("pattern") / "f"
    apply.provision(at, receiving, NOW)
    return at


@pytest.fixture
def made(tmp_path: Path, pattern: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(pattern, tmp_path / "f"))


def test_gateway_and_satellite_read_what_is_written_for_them(made: Path) -> None:
    """Hosts, ports, names, nodes and company id agree between the two, and with the settings."""
    gateway = load(made / "stores/berlin-1/etc/consentry/gateway.toml", store_gateway.settings.Settings)
    assert gateway.receivers is not None
    assert gateway.receivers.sources == (
        Receiver(ReceiverKind.SATELLITE, "back", ("shoes-2", "shoes-3")),
        Receiver(ReceiverKind.OPENMQTTGATEWAY, "OMG_door", ("door-1",)),
        Receiver(ReceiverKind.THEENGS, "till", ("till-1",)),
    )
    satellite = load(made / "satellites/berlin-1/back/etc/consentry/satellite.toml", edge.config.EdgeConfig)
    assert [(one.node, one.adapter) for one in satellite.radios] == [
        ("shoes-2", "00:1A:7D:DA:71:13"),
        ("shoes-3", "00:1A:7D:DA:71:14"),
    ]
    assert satellite.company_id == gateway.receivers.company_id == 0x1234
    told = satellite.satellite
    assert told is not None
    assert (told.host, told.store, told.name) == ("berlin-1.example", "berlin-1", "back")
    assert told.port == gateway.receivers.port
    assert told.ca == gateway.receivers.ca == Path("/etc/consentry/certs/receivers-ca.pem")


def test_a_store_without_receivers_has_no_broker_and_no_such_key(made: Path) -> None:
    """Nothing more is there than before."""
    assert not list((made / "stores/paris-2").rglob("*mosquitto*"))
    gateway = load(made / "stores/paris-2/etc/consentry/gateway.toml", store_gateway.settings.Settings)
    assert gateway.receivers is None
    for place in ("authority/stores/paris-2/receivers-ca.pem", "satellites/paris-2", "receivers/paris-2"):
        assert not (made / place).exists()


@pytest.mark.needs("openssl")
def test_openssl_accepts_the_chains_and_no_other_stores(made: Path) -> None:
    """Strictly, each for its purpose; the tablets' authority is another one."""
    stores, ca = made / "stores/berlin-1", made / "authority/stores/berlin-1/receivers-ca.pem"

    def good(purpose: str, authority: Path, certificate: Path) -> bool:
        words: list[str | Path] = ["-x509_strict", "-purpose", purpose, "-CAfile", authority, certificate]
        return subprocess.run(["openssl", "verify", *words], capture_output=True, check=False).returncode == 0

    satellite = made / "satellites/berlin-1/back/etc/consentry/certs/satellite.pem"
    assert good("sslclient", ca, satellite)
    assert good("sslclient", ca, stores / "etc/consentry/certs/receivers.pem")
    assert good("sslserver", ca, stores / "etc/mosquitto/consentry-store/server.pem")
    assert not good("sslserver", ca, satellite)
    assert not good("sslclient", made / "authority/stores/berlin-1/ca.pem", satellite)


def test_a_cheap_receiver_is_told_its_account_and_all_that_it_has_to_publish(made: Path) -> None:
    """Theengs Gateway as its configuration file, OpenMQTTGateway as what to type."""
    theengs, openmqtt = made / "receivers/berlin-1/till", made / "receivers/berlin-1/OMG_door"
    chosen = json.loads((theengs / "theengsgw.conf").read_text())
    assert chosen["pass"] == (theengs / "password").read_text().strip()
    assert (chosen["user"], chosen["host"], chosen["port"]) == ("till", "berlin-1.example", 8885)
    assert (chosen["enable_tls"], chosen["publish_all"], chosen["publish_advdata"]) == (1, 1, 1)
    assert (chosen["publish_topic"], chosen["lwt_topic"]) == ("home/till/BTtoMQTT", "home/till/LWT")
    text = (openmqtt / "SETUP.txt").read_text()
    assert (openmqtt / "password").read_text().strip() in text
    for words in ('"pubadvdata":true', '"onlysensors":false', '"adaptivescan":false', "OMG_door", "8885"):
        assert words in text
    assert chosen["pass"] not in text
    for path in (theengs / "theengsgw.conf", theengs / "password", openmqtt / "SETUP.txt"):
        assert path.stat().st_mode & 0o777 == 0o600


def test_another_run_has_nothing_to_do_and_damage_is_mended(made: Path, receiving: Estate) -> None:
    """Salts are random and are kept; a password that was changed is followed by all that holds it."""
    later = NOW + timedelta(days=1)
    assert not [step for step in apply.provision(made, receiving, later) if step.action != "keep"]
    (made / "receivers/berlin-1/till/password").write_text("0" * 32 + "\n")
    changed = {step.path: step.action for step in apply.provision(made, receiving, later) if step.action != "keep"}
    assert changed == {
        "receivers/berlin-1/till/theengsgw.conf": "replace",
        "stores/berlin-1/etc/mosquitto/consentry-store/passwords": "replace",
    }
    (made / "receivers/berlin-1/till/password").write_text("short")
    (made / "stores/berlin-1/etc/mosquitto/consentry-store/passwords").write_text("till:$7$101$!$x\nx")
    apply.provision(made, receiving, later)
    assert not [step for step in apply.provision(made, receiving, later) if step.action != "keep"]
    assert all(one.good for one in doctor.examine(made, receiving, NOW, broker=False))


def test_what_is_removed_leaves_nothing_behind(made: Path, receiving: Estate) -> None:
    """A receiver's folder, its topics, its account; with the last one the broker's files too."""
    store = receiving.stores["berlin-1"]
    fewer = replace(receiving, stores={**receiving.stores, "berlin-1": replace(store, receivers=THERE[:1])})
    apply.provision(made, fewer, NOW)
    place = made / "stores/berlin-1/etc/mosquitto/consentry-store"
    assert not (made / "receivers").exists()
    assert not (place / "passwords").exists()
    assert "till" not in (place / "topics.acl").read_text()
    assert "8885" not in (place.parent / "conf.d/consentry-store.conf").read_text()
    none = replace(receiving, stores={**receiving.stores, "berlin-1": replace(store, receivers=())})
    apply.provision(made, none, NOW)
    assert not (made / "stores/berlin-1/etc/mosquitto").exists()
    assert not (made / "satellites").exists()
    assert not list((made / "stores/berlin-1/etc/consentry/certs").glob("receivers*"))
    apply.provision(made, Estate(receiving.hq), NOW)
    assert not list(made.glob("authority/stores/*"))


def test_secrets_come_as_credentials_and_open_nowhere_else(made: Path) -> None:
    """A satellite's bundle holds one, under the name that its unit loads."""
    bundle = made / "satellites/berlin-1/back"
    assert len(credential("satellite-key", bundle / "credentials/satellite")) > 100
    assert [path.relative_to(bundle).as_posix() for path in bundle.rglob("credentials/*/*")] == [
        "credentials/satellite/satellite-key"
    ]
    unit = (bundle / "etc/systemd/system/consentry-satellite.service").read_text()
    assert f"LoadCredentialEncrypted=satellite-key:/{SEALED_FOLDER}/consentry-satellite.satellite-key\n" in unit


@pytest.mark.parametrize(
    "wrong",
    [
        (ReceiverSettings(ReceiverKind.SATELLITE, "back", ("shoes-1",)),),  # the box's own
        (THERE[0], replace(THERE[2], radios=("shoes-2",))),
        (THERE[1], replace(THERE[2], name="OMG_door")),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: tuple[ReceiverSettings, ...]) -> None:
    """A node of two, a name of two."""
    with pytest.raises(ValueError, match=r"belongs|of its own"):
        StoreSettings(("shoes-1",), receivers=wrong)


@pytest.mark.parametrize(
    ("kind", "name", "radios"),
    [
        (ReceiverKind.THEENGS, "till", ("till-1=00:1A:7D:DA:71:13",)),
        (ReceiverKind.THEENGS, "till", ("a", "b")),
        (ReceiverKind.SATELLITE, "back", ("a", "b")),
        (ReceiverKind.SATELLITE, "back", ()),
        (ReceiverKind.SATELLITE, "Back", ("a",)),
    ],
)
def test_a_receiver_that_cannot_be_is_refused(kind: ReceiverKind, name: str, radios: tuple[str, ...]) -> None:
    """Radios without names, several without addresses, a cheap receiver with several."""
    with pytest.raises(ValueError, match=r"a |with |at "):
        ReceiverSettings(kind, name, radios)


def test_the_commands_add_change_rotate_and_remove(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As an operator runs them; what was chosen is remembered, no key is printed, wrong use is one line."""
    at = ["--folder", str(tmp_path / "f")]
    run(["hq", *at, "--broker-host", "mqtt.example"])
    run(["store", "berlin-1", *at])
    with pytest.raises(RefusedError, match="radios are needed"):
        run(["satellite", "berlin-1", "back", *at])
    with pytest.raises(RefusedError, match="kind and its node"):
        run(["receiver", "berlin-1", "till", *at])
    with pytest.raises(RefusedError, match="no such store"):
        run(["satellite", "paris-2", "back", "--radio", "x", *at])
    with pytest.raises(RefusedError, match="no such receiver"):
        run(["satellite", "berlin-1", "back", "--remove", *at])
    run(["satellite", "berlin-1", "back", "--radio", "shoes-2", *at])
    run(["receiver", "berlin-1", "till", "--kind", "theengs", "--node", "till-1", *at])
    with pytest.raises(RefusedError, match="is a theengs"):
        run(["satellite", "berlin-1", "till", "--radio", "x", *at])
    files = Files(tmp_path / "f")
    capsys.readouterr()
    for command in (["satellite", "berlin-1", "back"], ["receiver", "berlin-1", "till"], ["store", "berlin-1"]):
        run([*command, *at])
        assert "Nothing to do." in capsys.readouterr().out
    certificate, password = (
        "satellites/berlin-1/back/etc/consentry/certs/satellite.pem",
        "receivers/berlin-1/till/password",
    )
    before = (files.read(certificate), files.read(password), files.read("authority/revoked.toml"))
    run(["satellite", "berlin-1", "back", "--rotate", "--dry-run", *at])
    run(["receiver", "berlin-1", "till", "--rotate", "--dry-run", *at])
    assert before == (files.read(certificate), files.read(password), files.read("authority/revoked.toml"))
    run(["satellite", "berlin-1", "back", "--rotate", *at])
    run(["receiver", "berlin-1", "till", "--rotate", *at])
    after = (files.read(certificate), files.read(password), files.read("authority/revoked.toml"))
    assert all(old != new for old, new in zip(before, after, strict=True))
    shown = capsys.readouterr().out
    assert after[1].decode().strip() not in shown
    run(["receiver", "berlin-1", "till", "--node", "till-9", *at])
    assert 'radios = ["till-9"]' in (tmp_path / "f/stores/berlin-1/settings.toml").read_text()
    run(["satellite", "berlin-1", "back", "--remove", *at])
    run(["receiver", "berlin-1", "till", "--remove", *at])
    assert not (tmp_path / "f/satellites").exists()
    assert not (tmp_path / "f/receivers").exists()


def test_passwords_are_random_and_recognised() -> None:
    """Two are never equal; a list is judged by its passwords, not by its salts; a text by its place."""
    one, other = Password().make({}, None, NOW), Password().make({}, None, NOW)
    assert one != other
    assert Password().fault(one, {}, NOW) is None
    assert Password().fault(one + b"x", {}, NOW) == "damaged"
    listed = PasswordFile((("till", "p"),))
    content = listed.make({"p": one}, None, NOW)
    assert content != listed.make({"p": one}, None, NOW)
    assert listed.fault(content, {"p": one}, NOW) is None
    assert listed.fault(content, {"p": other}, NOW) == "a password changed"
    assert listed.fault(b"x", {"p": one}, NOW) == "accounts changed"
    assert one.strip() not in content
    text = Filled("pass={password}", "p")
    assert text.make({"p": one}, None, NOW) == b"pass=" + one.strip()
    assert text.fault(b"pass=", {"p": one}, NOW) == "settings changed"
