"""A bundle in its places, with real systemd-creds and a machine secret of the test's own."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from provisioning.errors import RefusedError
from provisioning.install import Sealer, install
from provisioning.plan import Action, changes

needs_systemd = pytest.mark.needs("systemd-creds", "systemd-sysusers")


@pytest.fixture
def machine_secret(pytestconfig: pytest.Config) -> Iterator[Path]:
    """Where a machine's secret may be: systemd-creds refuses to keep one in memory, as /tmp may be."""
    cache = pytestconfig.rootpath / ".pytest_cache"
    cache.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=cache) as folder:
        yield Path(folder) / "machine-secret"


@pytest.fixture
def root(tmp_path: Path, machine_secret: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty machine, with a secret that is not this machine's."""
    monkeypatch.setenv("SYSTEMD_CREDENTIAL_SECRET", str(machine_secret))
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nmosquitto:x:65533:65533::/:/bin/false\n")
    (tmp_path / "root/etc/group").write_text("root:x:0:\nmosquitto:x:65533:\n")
    return tmp_path / "root"


@needs_systemd
def test_a_stores_bundle_is_put_in_place_and_its_secrets_sealed(folder: Path, root: Path) -> None:
    """Configuration and units as they are, each secret sealed under the name that its unit asks for."""
    bundle = folder / "stores/berlin-1"
    install(bundle, root)
    for path in (bundle / "etc").rglob("*"):
        if path.is_file():
            assert (root / "etc" / path.relative_to(bundle / "etc")).read_bytes() == path.read_bytes()
    sealed = {path.name: path for path in (root / "etc/credstore.encrypted").iterdir()}
    units = "".join(path.read_text() for path in (root / "etc/systemd/system").glob("*.service"))
    assert set(sealed) == {
        "consentry-gateway.identity-key",
        "consentry-gateway.authority-key",
        "consentry-gateway.box-secret",
        "consentry-gateway.broker-key",
        "consentry-tablets.tls-key",
    }
    for name, path in sealed.items():
        process, key = name.removeprefix("consentry-").split(".")
        secret = (bundle / "credentials" / process / key).read_bytes()
        assert f"LoadCredentialEncrypted={key}:/etc/credstore.encrypted/{name}\n" in units
        assert secret not in path.read_bytes()
        assert Sealer().opens(key, path.read_bytes()) == secret
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@needs_systemd
def test_installed_again_changes_nothing_and_a_changed_bundle_only_that(folder: Path, root: Path) -> None:
    """A second run keeps all; another secret in the bundle is sealed anew, alone."""
    bundle = folder / "hq"
    if os.geteuid() != 0:
        (root / "etc/group").write_text("")
    install(bundle, root)
    assert changes(install(bundle, root)) == ()
    (bundle / "credentials/hq/broker-key").write_bytes(b"another")
    steps = changes(install(bundle, root))
    assert [(step.action, step.path) for step in steps] == [
        (Action.REPLACE, "etc/credstore.encrypted/consentry-hq.broker-key")
    ]


@needs_systemd
def test_a_dry_run_of_an_installation_writes_nothing(folder: Path, root: Path) -> None:
    """Every step is told; the machine stays as it was."""
    before = sorted(root.rglob("*"))
    steps = install(folder / "stores/berlin-1", root, dry_run=True)
    assert {step.action for step in steps} == {Action.CREATE}
    assert sorted(root.rglob("*")) == before


def test_the_brokers_files_are_given_to_mosquitto(folder: Path, root: Path) -> None:
    """As root the key is the broker's own; nobody else's."""
    install(folder / "broker", root)
    key = root / "etc/mosquitto/consentry/server.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert key.stat().st_uid == (65533 if os.geteuid() == 0 else os.geteuid())


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path, root: Path) -> None:
    """The operator reads what to name."""
    with pytest.raises(RefusedError, match="is not a bundle"):
        install(tmp_path / "nothing", root)


def test_without_systemd_creds_no_secret_is_left_lying_about(folder: Path, root: Path) -> None:
    """Where secrets cannot be sealed, nothing at all is installed."""
    before = sorted(root.rglob("*"))
    with pytest.raises(RefusedError, match="systemd-creds is missing"):
        install(folder / "stores/berlin-1", root, sealer=Sealer("no-such-program"))
    assert sorted(root.rglob("*")) == before
