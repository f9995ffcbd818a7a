"""A folder ends complete, whatever interrupts the runs that make it."""

import dataclasses
import signal
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from hq.settings import Settings as HqProgram
from provisioning import apply, identity, layout
from provisioning.errors import LostKeyError, ProvisioningError, RefusedError
from provisioning.files import Files
from provisioning.identity import LEAF_LIFE, RENEWED_BEFORE
from provisioning.plan import Action, changes
from provisioning.settings import Estate, HqSettings, StoreSettings
from runtime import config
from store_gateway.settings import Settings as GatewayProgram
from tests.provisioning.conftest import NOW

KEYS = ("identity-key", "box-secret", "broker-key", "tls-key", "signing-key", "sealing-key", "pairwise-key")


class Interrupted(Files):
    """Files on the disk, with the power cut at the n-th moment that matters (0 is the first)."""

    def __init__(self, folder: Path, left: int) -> None:
        super().__init__(folder)
        self.left = left

    def _moment(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt

    def _fill(self, number: int, content: bytes) -> None:
        self._moment()
        super()._fill(number, content[: len(content) // 2])
        self._moment()
        super()._fill(number, content[len(content) // 2 :])

    def _sync(self, number: int) -> None:
        self._moment()
        super()._sync(number)

    def _move(self, beside: Path, place: Path) -> None:
        self._moment()
        super()._move(beside, place)

    def _sync_folder(self, folder: Path) -> None:
        self._moment()
        super()._sync_folder(folder)

    def remove(self, path: str) -> None:
        self._moment()
        super().remove(path)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file by its path, but the lock."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def is_complete(folder: Path, estate: Estate) -> None:
    """Asserts that nothing is missing, nothing left over, and nothing left to do."""
    wanted = {one.path for one in layout.wanted(folder, estate, apply.read_units())}
    assert set(contents(folder)) == wanted
    assert changes(apply.provision(folder, estate, NOW)) == ()
    assert apply.read(folder) == estate


def test_again_changes_nothing(folder: Path, estate: Estate) -> None:
    """The second run writes no file."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert changes(apply.provision(folder, estate, NOW)) == ()
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == before
    is_complete(folder, estate)


def test_a_dry_run_tells_all_and_does_nothing(tmp_path: Path, estate: Estate) -> None:
    """The plan names what a run then does, and not even the folder is made."""
    planned = apply.provision(tmp_path / "folder", estate, NOW, dry_run=True)
    assert not (tmp_path / "folder").exists()
    assert apply.provision(tmp_path / "folder", estate, NOW) == planned
    assert {step.action for step in planned} == {Action.CREATE}


@pytest.mark.long
def test_cut_off_at_any_moment_the_next_run_completes_it(tmp_path: Path, estate: Estate) -> None:
    """At every write, sync and rename of a first run: the next run ends complete, and keys that were there stay."""
    left = 0
    while True:
        folder = tmp_path / str(left)
        try:
            apply.provision(folder, estate, NOW, files=Interrupted(folder, left))
        except KeyboardInterrupt:
            kept = {path: content for path, content in contents(folder).items() if not path.endswith(".new")}
            apply.provision(folder, estate, NOW)
            after = contents(folder)
            assert all(after[path] == content for path, content in kept.items())
            is_complete(folder, estate)
            left += 7 if left > 20 else 1  # every moment of the first files, then each kind at another file
        else:
            break
    assert left > 200


def test_cut_off_while_a_store_is_removed_the_next_run_completes_it(tmp_path: Path, estate: Estate) -> None:
    """Its certificate stays revoked and its files go, wherever the removal was cut off."""
    cut_off, left = True, 0
    while cut_off:
        folder = tmp_path / str(left)
        apply.provision(folder, estate, NOW)
        gone = "stores/berlin-1/etc/consentry/certs/store.pem"
        revoked = apply.revoked_with(Files(folder), estate, "berlin-1", [gone])
        rest = Estate(estate.hq, {"berlin-2": estate.stores["berlin-2"]}, revoked)
        try:
            apply.provision(folder, rest, NOW, files=Interrupted(folder, left))
            cut_off = False
        except KeyboardInterrupt:
            pass
        held = apply.read(folder)
        assert held is not None
        again = apply.revoked_with(Files(folder), held, "berlin-1", [gone])
        assert {one.serial for one in again} == {one.serial for one in revoked}
        apply.provision(folder, dataclasses.replace(rest, revoked=again), NOW)
        is_complete(folder, rest)
        assert not (folder / "stores/berlin-1").exists()
        assert not (folder / "authority/stores/berlin-1").exists()
        left += 2
    assert left > 30


def test_killed_at_once_the_next_run_completes_it(tmp_path: Path) -> None:
    """The real program, killed with SIGKILL while it writes."""
    command = [sys.executable, "-m", "provisioning", "hq", "--broker-host", "localhost", "--folder", f"{tmp_path}/f"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        for _ in range(5):
            program.stdout.readline()
        program.send_signal(signal.SIGKILL)
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "files changed" in finished.stdout or "Nothing to do" in finished.stdout
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "Nothing to do.\n"


def test_secrets_are_for_the_owner_alone(folder: Path) -> None:
    """Keys are 0600 in folders of 0700, whatever mask the operator has."""
    for path in folder.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir():
            assert mode == 0o700, path
        elif "credentials" in path.parts or path.suffix == ".key" or path.name == "settings.toml":
            assert mode == 0o600, path
    assert {path.name for path in folder.rglob("credentials/*/*")} >= set(KEYS)


def test_a_loose_key_is_protected_and_kept(folder: Path, estate: Estate) -> None:
    """Permissions that were opened are closed; the key itself stays."""
    key = folder / "stores/berlin-1/credentials/gateway/box-secret"
    before = key.read_bytes()
    key.chmod(0o644)
    steps = changes(apply.provision(folder, estate, NOW))
    assert [(step.action, step.reason) for step in steps] == [(Action.PROTECT, "was 0644")]
    assert key.read_bytes() == before
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_changed_setting_changes_what_follows_from_it_and_no_key(folder: Path, estate: Estate) -> None:
    """Another broker name: its certificate and the configurations that name it, nothing else."""
    before = contents(folder)
    changed = dataclasses.replace(estate, hq=dataclasses.replace(estate.hq, broker_host="mqtt.example"))
    apply.provision(folder, changed, NOW)
    after = contents(folder)
    assert {path for path in after if after[path] != before[path]} == {
        "settings.toml",
        "hq/etc/consentry/hq.toml",
        "broker/etc/mosquitto/consentry/server.pem",
        "stores/berlin-1/etc/consentry/gateway.toml",
        "stores/berlin-2/etc/consentry/gateway.toml",
    }


def test_a_certificate_is_renewed_in_time_and_its_key_stays(folder: Path, estate: Estate) -> None:
    """Inside the last days of its life a run makes it anew."""
    later = NOW + LEAF_LIFE - RENEWED_BEFORE + timedelta(hours=12)
    steps = changes(apply.provision(folder, estate, later))
    assert {Path(step.path).name for step in steps} == {"hq.pem", "server.pem", "store.pem", "tablets.pem"}
    assert {step.reason for step in steps if not step.path.endswith("tablets.pem")} == {"expires in 89 days"}
    assert changes(apply.provision(folder, estate, later)) == ()


def test_the_tablets_certificate_lives_a_year_at_most(folder: Path, estate: Estate) -> None:
    """As browsers ask; it is what the tablet API begins with, before the gateway has said its own."""
    later = NOW + timedelta(days=366) - RENEWED_BEFORE
    steps = changes(apply.provision(folder, estate, later))
    assert {Path(step.path).name for step in steps} == {"tablets.pem"}
    assert all(step.reason.startswith("expires in") for step in steps)


def test_a_rotated_certificate_has_a_new_key_and_nothing_else_changes(folder: Path, estate: Estate) -> None:
    """Revoked: key and certificate of that store alone, and the broker's list."""
    before = contents(folder)
    path = "stores/berlin-1/etc/consentry/certs/store.pem"
    revoked = apply.revoked_with(Files(folder), estate, "berlin-1", [path])
    apply.provision(folder, dataclasses.replace(estate, revoked=revoked), NOW)
    after = contents(folder)
    assert {name for name in after if after[name] != before[name]} == {
        "authority/revoked.toml",
        "broker/etc/mosquitto/consentry/revoked.pem",
        "stores/berlin-1/credentials/gateway/broker-key",
        path,
    }


@pytest.mark.parametrize(
    "lost",
    [
        "authority/hq-root.key",
        "authority/broker-ca.key",
        "authority/stores/berlin-1/ca.key",
        "hq/credentials/hq/signing-key",
        "hq/credentials/hq/pairwise-key",
        "stores/berlin-1/credentials/gateway/identity-key",
        "stores/berlin-1/credentials/gateway/box-secret",
    ],
)
def test_a_lost_or_damaged_key_is_not_made_anew_in_silence(folder: Path, estate: Estate, lost: str) -> None:
    """A new one would cut off who knows the old: the run refuses, says what to do, and changes nothing."""
    (folder / lost).write_bytes(b"damaged")
    before = contents(folder)
    with pytest.raises(LostKeyError, match=f"{lost} is damaged"):
        apply.provision(folder, estate, NOW)
    (folder / lost).unlink()
    with pytest.raises(LostKeyError, match=f"{lost} is missing"):
        apply.provision(folder, estate, NOW)
    assert contents(folder) == {path: content for path, content in before.items() if path != lost}


def test_whatever_else_is_damaged_or_missing_is_made_right(folder: Path, estate: Estate) -> None:
    """Certificates, configurations and what is derived come back from the keys that are there."""
    before = contents(folder)
    for number, path in enumerate(sorted(before)):
        if path.endswith((".key", "-key", "-secret", "settings.toml", "revoked.toml")):
            continue
        if number % 2:
            (folder / path).unlink()
        else:
            (folder / path).write_bytes(b"\xff" * 50)
    apply.provision(folder, estate, NOW)
    is_complete(folder, estate)
    after = contents(folder)
    assert all(after[path] == before[path] for path in before if path.endswith((".toml", ".json", "-key", ".key")))


def test_a_symbolic_link_in_the_place_of_a_key_is_not_followed(folder: Path, estate: Estate, tmp_path: Path) -> None:
    """The run refuses and writes nothing to where it points."""
    key = folder / "stores/berlin-1/credentials/gateway/broker-key"
    key.unlink()
    key.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RefusedError, match="not a regular file"):
        apply.provision(folder, estate, NOW)
    assert not (tmp_path / "elsewhere").exists()


def test_two_runs_at_once_do_not_mix(folder: Path, estate: Estate) -> None:
    """The second says that another is at work."""
    with Files(folder).locked(), pytest.raises(RefusedError, match="another run"):
        apply.provision(folder, estate, NOW)


def test_a_full_disk_is_one_clear_line(tmp_path: Path, estate: Estate) -> None:
    """ENOSPC, from the kernel itself: the path and the reason, and the next run completes it."""

    class Full(Files):
        def _fill(self, number: int, content: bytes) -> None:
            with open("/dev/full", "wb", buffering=0) as full:
                full.write(content)

    with pytest.raises(ProvisioningError, match=r"settings\.toml: No space left on device"):
        apply.provision(tmp_path / "f", estate, NOW, files=Full(tmp_path / "f"))
    apply.provision(tmp_path / "f", estate, NOW)
    is_complete(tmp_path / "f", estate)


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path, estate: Estate) -> None:
    """The operator reads which path, and why."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ProvisioningError, match=r"file/f: Not a directory"):
        apply.provision(tmp_path / "file" / "f", estate, NOW)


def test_the_nodes_of_a_cluster_are_told_to_hq_and_to_stores(tmp_path: Path) -> None:
    """Both try them in turn, and one certificate of the broker serves all."""
    hq = HqSettings("one.example", broker_more_hosts=("two.example", "three.example:8884"), in_place=True)
    apply.provision(tmp_path, Estate(hq, {"berlin-1": StoreSettings(tablet_names=("localhost",))}), NOW)
    for file, shape in (
        ("hq/etc/consentry/hq.toml", HqProgram), ("stores/berlin-1/etc/consentry/gateway.toml", GatewayProgram)
    ):  # fmt: skip
        found = config.load(tmp_path / file, shape).broker.addresses
        assert [(one.host, one.port) for one in found] == [
            ("one.example", 8883), ("two.example", 8883), ("three.example", 8884)
        ]  # fmt: skip
    pem = (tmp_path / "broker/etc/mosquitto/consentry/server.pem").read_bytes()
    names = identity.certificate_names(x509.load_pem_x509_certificate(pem))
    assert names == {"one.example", "two.example", "three.example"}
    with pytest.raises(ValueError, match="HOST:PORT"):
        HqSettings("one.example", broker_more_hosts=("two.example:port",))
