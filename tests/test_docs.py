"""What the documents say is there: tests, links, reasons, events, configuration keys."""

import dataclasses
import importlib.metadata
import re
from pathlib import Path

import pytest

from edge.config import EdgeConfig, RadioConfig, SatelliteConfig
from hq.settings import Broker as HqBroker
from hq.settings import Settings as HqSettings
from probe.settings import Settings as ProbeSettings
from store_gateway.core.satellite import Drop
from store_gateway.settings import Broker, Receivers, Settings
from tablet_api.settings import Settings as TabletSettings
from wire.query import DarkReason
from wire.receivers import Receiver, ReceiverKind

TOP = Path(__file__).parent.parent
DOCS = sorted([*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")])
OPERATING = (TOP / "docs/operating.md").read_text(encoding="utf-8")
FILES = {
    "edge": EdgeConfig, "gateway": Settings, "tablets": TabletSettings, "hq": HqSettings, "probe": ProbeSettings,
}  # fmt: skip


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.relative_to(TOP).as_posix())
def test_links_and_named_tests_are_there(document: Path) -> None:
    """Every link within the project leads somewhere, to a heading that exists, and every test that is named exists."""
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        place, _, heading = target.partition("#")
        found = document.parent / place if place else document
        assert found.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.*)$", found.read_text(encoding="utf-8"), re.M)
            assert heading in {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}, target
    known = {name for path in (TOP / "tests").rglob("test_*.py") for name in _tests(path)}
    named = set(re.findall(r"`(test_\w+)`", text))
    assert named <= known | {path.stem for path in (TOP / "tests").rglob("test_*.py")}


def _tests(path: Path) -> list[str]:
    return re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.M)


def test_every_attacker_has_a_test() -> None:
    """Each section of the threat model but the last names at least three."""
    text = (TOP / "docs/threat-model.md").read_text(encoding="utf-8")
    for section in text.split("\n## ")[1:-1]:
        assert len(re.findall(r"`test_\w+`", section)) >= 3, section.splitlines()[0]


@pytest.mark.parametrize("reason", [one for one in DarkReason if one is not DarkReason.NONE])
def test_every_reason_for_darkness_has_its_remedy(reason: DarkReason) -> None:
    """The operator finds what the tablet shows."""
    assert re.search(rf"^\| `{reason.value}` \| .+ \| .+ \|$", OPERATING, re.M)


def test_every_warning_and_error_is_explained() -> None:
    """The operator finds each event that is worth looking at."""
    events = set()
    for package in ("edge", "store_gateway", "tablet_api", "hq"):
        for path in (TOP / package).rglob("*.py"):
            calls = re.findall(r"log\.(?:warning|error)\(\s*\"([a-z_]+)\"", path.read_text(encoding="utf-8"), re.I)
            events |= set(calls)
    assert len(events) >= 8
    assert {event for event in events if f"`{event}`" not in OPERATING} == set()


@pytest.mark.parametrize("program", sorted(FILES))
def test_every_configuration_key_is_documented_and_no_other(program: str) -> None:
    """The tables name exactly the keys that the programs read, with their defaults."""
    section = OPERATING.split(f"**{program}.toml**")[1].split("\n**")[0].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]*) \| ([^|]*) \|([^|]*)\|$", section, re.M)
    documented = {name for names, _, _ in rows for name in re.findall(r"`(\w+)`", names)}
    assert documented == {field.name for field in dataclasses.fields(FILES[program])}
    for field in dataclasses.fields(FILES[program]):
        if field.default is dataclasses.MISSING or field.default is None:
            continue
        cell = next(defaults for names, _, defaults in rows if f"`{field.name}`" in names)
        for one in field.default if isinstance(field.default, tuple) else (field.default,):
            assert str(one).lower() in cell.lower(), field.name


def test_the_brokers_keys_are_documented() -> None:
    """Gateway and HQ name it by the same keys."""
    row = re.search(r"^\| `broker` \| a table: (.*) \|", OPERATING, re.M)
    assert row
    for shape in (Broker, HqBroker):
        assert set(re.findall(r"`(\w+)`", row.group(1))) == {field.name for field in dataclasses.fields(shape)}


def test_a_radios_keys_are_documented() -> None:
    """The table of a radio is told with each of its keys."""
    row = re.search(r"^\| `radios` \| (.*) \|", OPERATING, re.M)
    assert row
    named = set(re.findall(r"`(\w+)`", row.group(1)))
    assert named == {field.name for field in dataclasses.fields(RadioConfig)}


@pytest.mark.parametrize(
    ("key", "shapes"), [("satellite", [SatelliteConfig]), ("receivers", [Receivers, Receiver])], ids=["edge", "gateway"]
)
def test_the_keys_of_satellites_and_receivers_are_documented(key: str, shapes: list[type]) -> None:
    """Both ends of the store's own broker are told with each of their keys, and each kind by its name."""
    row = re.search(rf"^\| `{key}` \| (.*) \|", OPERATING, re.M)
    assert row
    named = set(re.findall(r"`(\w+)`", row.group(1)))
    wanted = {field.name for shape in shapes for field in dataclasses.fields(shape)} - {"sources"}
    assert wanted <= named
    if key == "receivers":
        assert all(kind.value in row.group(1) for kind in ReceiverKind)
    for figure in ("frames", "adverts", "lost", *Drop, "unknown"):
        assert f"`receivers_{figure}_total`" in OPERATING


def test_the_changelog_has_the_version() -> None:
    """What is installed has its entry."""
    version = importlib.metadata.version("consentry")
    assert f"\n## {version}" in (TOP / "CHANGELOG.md").read_text(encoding="utf-8")
