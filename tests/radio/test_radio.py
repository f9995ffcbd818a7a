"""The edge against the real bluetoothd of Debian 12 and 13, through whatever befalls a radio.

What is judged here was found inside the virtual machine (`scenes.py`), where the edge's datagrams were read.
"""

from typing import Any

import pytest

from tests.radio.machine import BOOKWORM, TRIXIE, Suite
from tests.radio.radios import CROWD, DUPLICATES, POWER, STUCK, STUCK_HARD, TESTED, UNPLUGGED, Radio

# From when it can hear again by what is outside of it: docs/radio.md, decision 0012.
BACK_S = 45.0

pytestmark = [
    pytest.mark.radio,
    pytest.mark.system,
    pytest.mark.parametrize(
        "suite",
        [
            pytest.param(BOOKWORM, id="bookworm", marks=pytest.mark.needs(*BOOKWORM.programs)),
            pytest.param(TRIXIE, id="trixie", marks=[pytest.mark.needs(*TRIXIE.programs), pytest.mark.long]),
        ],
    ),
]
Findings = dict[str, dict[str, Any]]


def judged(radios: Findings, scene: str) -> dict[str, Any]:
    """The finding of a scene that was played and in which nothing was wrong."""
    assert scene in radios, f"the run ended before the scene {scene!r}"
    found = radios[scene]
    assert not found["wrong"], found
    return found


def back(found: dict[str, Any], radio: Radio, *reasons: str) -> None:
    """The radio heard again in time, was told as recovering for these reasons, and counted a step for each."""
    after_s = found[f"{radio.node}_after_s"]
    assert after_s is not None and after_s <= BACK_S, found
    assert set(reasons) <= set(found[f"{radio.node}_reasons"]), found
    assert set(reasons) <= set(found[f"{radio.node}_restarts"]), found


def test_every_token_is_heard_by_the_radio_that_it_is_near(suite: Suite, radios: Findings) -> None:
    """Among 200 strangers each token of F1, F2 and F3 that was on the air for five seconds is told, of its own node."""
    found = judged(radios, "calm")
    assert found["formats"] == ["F1", "F1 and F3", "F2", "F3"]


def test_strangers_are_dropped_but_for_what_looks_like_a_token(suite: Suite, radios: Findings) -> None:
    """Of strangers nothing leaves the edge but an iBeacon's or a service's 16 bytes, which anybody could mean."""
    found = judged(radios, "strangers")
    assert 0 < found["looked_like_tokens"] < found["adverts"]


def test_a_controller_that_drops_duplicates_is_heard_once_a_scan(suite: Suite, radios: Findings) -> None:
    """A phone that changes nothing is told once in each scan of 10.24 s, which is enough to be present."""
    found = judged(radios, "duplicates")
    assert found["scans"] >= 4


def test_a_radio_that_was_powered_off_is_powered_on_again(suite: Suite, radios: Findings) -> None:
    """Somebody powers the adapter off; the edge powers it on by itself."""
    back(judged(radios, "power_off"), POWER, "silent")


def test_a_radio_that_was_unplugged_is_known_by_its_address(suite: Suite, radios: Findings) -> None:
    """It returns as another hciN, and is told as missing while it is away."""
    found = judged(radios, "unplugged")
    assert found["names"][0] != found["names"][1]
    back(found, UNPLUGGED, "other_radio")


def test_a_stuck_discovery_is_restarted(suite: Suite, radios: Findings) -> None:
    """BlueZ says that it discovers, and nothing comes: stopping and starting the scan is what helps."""
    back(judged(radios, "stuck"), STUCK, "silent")


def test_a_discovery_that_only_a_reset_unsticks_gets_one(suite: Suite, radios: Findings) -> None:
    """Where a new scan does not help, the edge powers the adapter off and on."""
    found = judged(radios, "stuck_hard")
    back(found, STUCK_HARD, "silent")
    assert found[f"{STUCK_HARD.node}_restarts"]["silent"] >= 3


def test_a_radio_is_not_disturbed_by_the_failures_of_others(suite: Suite, radios: Findings) -> None:
    """While four radios of the same edge fail and recover, the others miss no token and are not restarted."""
    found = judged(radios, "neighbours")
    assert found[CROWD.node]["adverts"] > found[CROWD.node]["candidates"] > 0
    assert DUPLICATES.node in found
    judged(radios, "after_one_by_one")


@pytest.mark.long
def test_a_phone_in_the_background_is_asked_for_its_token(suite: Suite, background: list[dict[str, Any]]) -> None:
    """Format F4: the token is read over GATT once a phone, one link at a time, and nobody is asked to pair."""
    assert background[-1] == {"ok": True}


@pytest.mark.parametrize("scene", ["bluetoothd", "dbus"])
def test_all_radios_hear_again_after_a_restart(suite: Suite, radios: Findings, scene: str) -> None:
    """bluetoothd or D-Bus is killed and comes back: every radio hears every token again, by itself."""
    found = judged(radios, scene)
    for radio in TESTED:
        back(found, radio, "silent")


def test_the_shipped_units_start_with_sealed_credentials_and_hear(suite: Suite, radios: Findings) -> None:
    """Installed as docs/operating.md says: all three units run, and the gateway counts what their edge hears."""
    assert judged(radios, "installed")["sealed"] == [
        "consentry-gateway.authority-key",
        "consentry-gateway.box-secret",
        "consentry-gateway.broker-key",
        "consentry-gateway.identity-key",
        "consentry-tablets.tls-key",
    ]
    assert judged(radios, "units")["sightings_total"] > 0


def test_a_process_that_hangs_is_killed_and_comes_back(suite: Suite, radios: Findings) -> None:
    """The unit's edge and gateway are stopped where they are: the watchdog ends both, and they hear again."""
    found = judged(radios, "watchdog")
    assert found["watchdog_timeouts"] == 2
    assert found["sightings_total"] > 0


def test_the_edge_ends_as_it_was_told(suite: Suite, radios: Findings) -> None:
    """After all that befell it, SIGTERM ends it cleanly."""
    assert judged(radios, "ended")["status"] == 0
