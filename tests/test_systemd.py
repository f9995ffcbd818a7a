"""The units: understood by systemd, exposed little, and in agreement with what they start."""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
UNITS = TOP / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
SETTINGS = [(path, line) for path in SERVICES for line in path.read_text(encoding="utf-8").splitlines() if "=" in line]
# What the home of each service may hold to at most, by systemd's own measure (0 safe, 10 unsafe).
EXPOSURE = 1.5
# HQ's web is a second program of HQ: the same account, configuration and database.
LIKE = {"consentry-hq-web": "consentry-hq"}


def values(unit: Path, key: str) -> list[str]:
    """Every value given for a key of a unit, in order."""
    return re.findall(rf"^{key}=(.*)$", unit.read_text(encoding="utf-8"), re.M)


def test_the_seven_services_and_the_target_are_there() -> None:
    """One unit a process, and one name for all that runs in a store."""
    assert {path.stem for path in SERVICES} == {
        "consentry-edge",
        "consentry-gateway",
        "consentry-hq",
        "consentry-hq-web",
        "consentry-probe",
        "consentry-satellite",
        "consentry-tablets",
    }
    wanted = (UNITS / "consentry.target").read_text(encoding="utf-8")
    assert all(f"consentry-{name}.service" in wanted for name in ("edge", "gateway", "tablets", "probe"))


@pytest.mark.needs("systemd-analyze")
def test_systemd_verifies_every_unit_without_a_word(tmp_path: Path) -> None:
    """`systemd-analyze verify` is clean, with programs that stand where the units look for them."""
    programs = tmp_path / "bin"
    programs.mkdir()
    units = []
    for path in [*SERVICES, UNITS / "consentry.target"]:
        text = path.read_text(encoding="utf-8")
        for program in re.findall(r"^ExecStart=/opt/consentry/bin/(\S+)", text, re.M):
            shutil.copy("/bin/true", programs / program)
        units.append(tmp_path / path.name)
        units[-1].write_text(text.replace("/opt/consentry/bin", str(programs)), encoding="utf-8")
    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, timeout=120, check=False
    )
    ours = [line for line in (found.stdout + found.stderr).splitlines() if "consentry" in line]
    assert (found.returncode, ours) == (0, [])


@pytest.mark.needs("systemd-analyze")
def test_verification_notices_a_wrong_unit(tmp_path: Path) -> None:
    """The check above can fail: an unknown setting and a missing program are both told."""
    unit = tmp_path / "consentry-wrong.service"
    unit.write_text("[Service]\nExecStart=/nonexistent/x\nProtectEverything=yes\n", encoding="utf-8")
    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, timeout=120, check=False
    )
    assert "ProtectEverything" in found.stdout + found.stderr


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.stem)
def test_a_service_is_exposed_little(unit: Path) -> None:
    """systemd's own measure of what a break-in would reach."""
    found = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    level = re.search(r"Overall exposure level for \S+: (\d+\.\d)", found.stdout)
    assert level, found.stderr
    assert float(level.group(1)) <= EXPOSURE


@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.stem)
def test_a_service_is_watched_and_starts_again(unit: Path) -> None:
    """It tells when it is ready, is watched, comes back, and stays down only for a wrong configuration."""
    assert values(unit, "Type") == ["notify"]
    assert int(values(unit, "WatchdogSec")[0]) <= 60
    assert values(unit, "Restart") == ["always"]
    assert values(unit, "RestartPreventExitStatus") == ["78"]


@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.stem)
def test_a_service_starts_a_program_of_ours_with_its_own_configuration(unit: Path) -> None:
    """The program is one that the distribution installs, and the configuration bears its name."""
    programs = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    program, *arguments = values(unit, "ExecStart")[0].split()
    assert Path(program).name in programs
    assert f"/etc/consentry/{LIKE.get(unit.stem, unit.stem).removeprefix('consentry-')}.toml" in arguments


@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.stem)
def test_a_service_runs_as_a_static_user_of_its_own(unit: Path) -> None:
    """The system bus refuses dynamic users, and the gateway knows its peers by their names."""
    assert not values(unit, "DynamicUser")
    account = LIKE.get(unit.stem, unit.stem)
    assert values(unit, "User") == [account]
    made = (UNITS / "sysusers.d" / "consentry.conf").read_text(encoding="utf-8")
    assert re.search(rf"^u +{account} ", made, re.M)
    for group in " ".join(values(unit, "Group") + values(unit, "SupplementaryGroups")).split():
        assert re.search(rf"^[ug] +{group} ", made, re.M)


def test_only_the_gateway_sees_peers_as_they_are() -> None:
    """In a user namespace a socket's peer is "nobody"; the gateway, which judges peers, is in none."""
    alone = {unit.stem for unit in SERVICES if values(unit, "PrivateUsers") != ["yes"]}
    assert alone == {"consentry-gateway"}


def test_the_edge_has_no_network_and_no_secret() -> None:
    """Whoever breaks in through the air finds neither a key nor a way out."""
    edge = UNITS / "consentry-edge.service"
    assert values(edge, "RestrictAddressFamilies") == ["AF_UNIX"]
    assert values(edge, "PrivateNetwork") == ["yes"]
    assert not values(edge, "LoadCredentialEncrypted")


def test_a_satellite_has_the_network_and_its_own_key_and_nothing_else_of_the_store() -> None:
    """It calls out and is called by nobody; it is in no group of the gateway's sockets, and gets one credential."""
    satellite = UNITS / "consentry-satellite.service"
    assert values(satellite, "SocketBindDeny") == ["any"]
    assert "consentry-sockets" not in satellite.read_text(encoding="utf-8")
    assert [one.split(":")[0] for one in values(satellite, "LoadCredentialEncrypted")] == ["satellite-key"]
    kept = {line for line in (UNITS / "consentry-edge.service").read_text().splitlines() if "=" in line}
    given_up = {line.split("=")[0] for line in kept - set(satellite.read_text().splitlines())}
    assert given_up == {
        "Description", "After", "Wants", "PartOf", "ExecStart", "User", "Group", "SupplementaryGroups",
        "PrivateNetwork", "RestrictAddressFamilies", "IPAddressDeny", "WantedBy",
    }  # fmt: skip


def test_the_probe_has_no_secret_and_is_called_by_nobody() -> None:
    """It calls the tablet API as a tablet does; what it needs it asks the gateway for."""
    probe = UNITS / "consentry-probe.service"
    assert values(probe, "SocketBindDeny") == ["any"]
    assert not values(probe, "SocketBindAllow")
    assert not values(probe, "LoadCredentialEncrypted")


def test_secrets_are_credentials_sealed_to_the_machine() -> None:
    """Every secret comes encrypted; none in the environment, none as a plain file."""
    for path, line in SETTINGS:
        assert not line.startswith(("Environment", "PassEnvironment", "LoadCredential=", "SetCredential")), path
    assert [one.split(":")[0] for one in values(UNITS / "consentry-tablets.service", "LoadCredentialEncrypted")] == [
        "tls-key"
    ]


@pytest.mark.needs("systemd-sysusers")
def test_sysusers_makes_the_users(tmp_path: Path, needs: Callable[[str], str]) -> None:
    """systemd makes every user and group of the file, in a root of its own."""
    (tmp_path / "etc").mkdir()
    subprocess.run(
        [needs("systemd-sysusers"), f"--root={tmp_path}", UNITS / "sysusers.d" / "consentry.conf"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    users = (tmp_path / "etc" / "passwd").read_text(encoding="utf-8")
    groups = (tmp_path / "etc" / "group").read_text(encoding="utf-8")
    assert {line.split(":")[0] for line in users.splitlines()} >= {LIKE.get(path.stem, path.stem) for path in SERVICES}
    reach = next(line for line in groups.splitlines() if line.startswith("consentry-sockets:"))
    members = {"consentry-edge", "consentry-gateway", "consentry-probe", "consentry-tablets"}
    assert set(reach.split(":")[3].split(",")) == members
