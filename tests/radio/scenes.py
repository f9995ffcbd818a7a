"""What befalls the radios, scene by scene, and how the edge comes through.

I/O: the box and the controllers; waits by asyncio.
"""

import asyncio
import signal
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from tests.radio import box
from tests.radio.air import ROTATE_S, Air
from tests.radio.box import boot_s
from tests.radio.controller import Ailment, Controller
from tests.radio.listener import Listener
from tests.radio.radios import (
    ANOTHER,
    CROWD,
    DUPLICATES,
    POWER,
    STUCK,
    STUCK_HARD,
    TESTED,
    UNIT,
    UNPLUGGED,
    Radio,
)
from tests.radio.report import Report
from wire.sighting import RadioState

CALM_S: Final = 15.0
AWAY_S: Final = 37.0  # of the unplugged radio: the edge notices after 30 s, and says why
DOWN_S: Final = 3.0  # of bluetoothd
LATE_S: Final = 2.0  # what was heard may be told so much later on an emulated processor
SILENT_S: Final = 10.0  # what is heard after so long is no remainder of what came before the failure
BEGIN_S: Final = 90.0
HEARS_S: Final = 120.0  # far above what is allowed, so that a figure is told instead of "not within"


class Scenes:
    """All that happens, in order; each scene adds its findings to the report."""

    def __init__(self, report: Report, controllers: dict[str, Controller], air: Air, listener: Listener) -> None:
        self._report = report
        self._controllers = controllers
        self._air = air
        self._listener = listener

    async def play(self) -> None:
        """Every scene. What hits one radio alone happens at once to each its own, and systemd's units meanwhile."""
        began_s = boot_s()
        hearing = await asyncio.gather(*(self._hears(radio, began_s, BEGIN_S) for radio in TESTED))
        self._report.add(
            "begun",
            hears_after_s=[round(at_s - began_s, 1) for at_s in hearing if at_s is not None],
            wrong=[radio.node for radio, at_s in zip(TESTED, hearing, strict=True) if at_s is None],
        )
        calm_s, busy_s = boot_s(), box.busy_s()
        units = asyncio.create_task(self._units())
        await asyncio.sleep(CALM_S)
        self._judge("calm", TESTED, calm_s, boot_s())
        self._report.add("calm", longest_pause_s=self._longest_pause_s(CROWD, calm_s))
        self._report.add("calm", processor=round((box.busy_s() - busy_s) / (boot_s() - calm_s), 2))
        failing_s, failing_busy_s = boot_s(), box.busy_s()
        await asyncio.gather(self._power(), self._unplugged(), self._stuck(), self._stuck_hard())
        together_s = boot_s()
        self._report.add(
            "neighbours",
            took_s=round(together_s - failing_s, 1),
            processor=round((box.busy_s() - failing_busy_s) / (together_s - failing_s), 2),
        )
        await asyncio.sleep(2 * ROTATE_S)
        self._judge("after_one_by_one", TESTED, together_s, boot_s())
        self._judge("neighbours", (CROWD,), failing_s, boot_s())
        self._untouched("neighbours", (CROWD, DUPLICATES))
        self._duplicates(calm_s, boot_s())
        await units
        await self._bluetoothd()
        await self._bus()
        self._strangers()
        spent = (await box.call("ps", "-eo", "cputimes=,comm=", "--sort=-cputimes")).splitlines()[:9]
        self._report.add("spent", seconds=[" ".join(line.split()) for line in spent])

    async def _units(self) -> None:
        """The shipped units start, hear, and are killed and started again when they hang."""
        began_s = boot_s()
        states = await self._until_running(box.UNITS, {}, 120)
        heard = await self._until_sightings(60)
        self._report.add(
            "units", states=states, sightings_total=heard, after_s=round(boot_s() - began_s, 1),
            wrong=[*(f"{unit}: {state}" for unit, state in states.items() if state != "active running")]
            + ([] if heard else ["the gateway counted no sighting"]),
        )  # fmt: skip
        hung = ("consentry-edge", "consentry-gateway")
        stopped_s = boot_s()
        before = {unit: await box.kill(unit, signal.SIGSTOP) for unit in hung}
        states = await self._until_running(hung, before, 120)
        back_s = boot_s()
        heard = await self._until_sightings(60)
        journal = await box.call("journalctl", "--no-pager", "--output=cat", *(f"--unit={unit}" for unit in hung))
        killed = journal.count("Watchdog timeout")
        self._report.add(
            "watchdog", states=states, watchdog_timeouts=killed, back_after_s=round(back_s - stopped_s, 1),
            sightings_total=heard,
            wrong=[*(f"{unit}: {state}" for unit, state in states.items() if state != "active running")]
            + ([] if heard else ["the gateway counted no sighting after it came back"])
            + ([] if killed == len(hung) else [f"{killed} watchdog timeouts of {len(hung)}"]),
        )  # fmt: skip
        # The other edge does the same from here on, and each advert costs an emulated processor once less.
        await box.call("systemctl", "stop", "consentry.target", *box.UNITS)

    async def _power(self) -> None:
        index = self._controllers[POWER.address].index
        fault_s = boot_s()
        await box.power_off(index)
        await self._comes_back("power_off", POWER, fault_s, fault_s)

    async def _unplugged(self) -> None:
        fault_s = boot_s()
        old = self._controllers.pop(UNPLUGGED.address)
        old.close()
        await asyncio.sleep(AWAY_S / 2)
        self._controllers[ANOTHER] = Controller(ANOTHER, boot_s=boot_s)
        await asyncio.sleep(AWAY_S / 2)
        new = Controller(UNPLUGGED.address, boot_s=boot_s)
        self._controllers[UNPLUGGED.address] = new
        wrong = [] if new.index != old.index else ["it got its old name back"]
        await self._comes_back("unplugged", UNPLUGGED, fault_s, boot_s(), names=[old.index, new.index], wrong=wrong)

    async def _stuck(self) -> None:
        await self._falls_ill("stuck", STUCK, Ailment.UNTIL_STOPPED)

    async def _stuck_hard(self) -> None:
        await self._falls_ill("stuck_hard", STUCK_HARD, Ailment.UNTIL_RESET)

    async def _falls_ill(self, scene: str, radio: Radio, ailment: Ailment) -> None:
        controller = self._controllers[radio.address]
        fault_s = boot_s()
        controller.ailment = ailment

        async def look() -> list[str]:
            await asyncio.sleep(20)
            said = await box.discovering(controller.index)
            return ([] if said else ["BlueZ said by itself that it does not scan"]) + (
                [] if controller.ailment is ailment else ["it healed before the edge did anything"]
            )

        looking = asyncio.create_task(look())
        await self._comes_back(scene, radio, fault_s, fault_s, wrong=await looking)

    async def _bluetoothd(self) -> None:
        fault_s = boot_s()
        await box.kill("bluetooth.service", signal.SIGKILL)
        await asyncio.sleep(DOWN_S)
        await box.call("systemctl", "start", "bluetooth.service")
        back_s = boot_s()
        await asyncio.gather(*(self._comes_back("bluetoothd", radio, fault_s, back_s) for radio in TESTED))
        await self._settled("bluetoothd", back_s)

    async def _bus(self) -> None:
        fault_s = boot_s()
        await box.kill("dbus.service", signal.SIGKILL)
        await asyncio.gather(*(self._comes_back("dbus", radio, fault_s, fault_s) for radio in TESTED))
        await self._settled("dbus", fault_s)

    async def _settled(self, scene: str, fault_s: float) -> None:
        """All radios hear again: every token is heard."""
        from_s = boot_s()
        await asyncio.sleep(2 * ROTATE_S)
        self._judge(scene, TESTED, from_s, boot_s())

    async def _comes_back(
        self, scene: str, radio: Radio, fault_s: float, possible_s: float, wrong: Sequence[str] = (), **figures: Any
    ) -> None:
        """Waits for a radio that could hear again from `possible_s` on, and tells how long it took."""
        heard_s = await self._hears(radio, max(possible_s, fault_s + SILENT_S), HEARS_S)
        await asyncio.sleep(1)  # its health comes after what it heard
        said = self._listener.told_between(radio.node, fault_s, boot_s())
        ill = [health for health in said if health.state is not RadioState.HEARING]
        reasons = sorted({health.reason.value for health in ill if health.reason is not None})
        figures |= {
            f"{radio.node}_after_s": None if heard_s is None else round(heard_s - possible_s, 1),
            f"{radio.node}_reasons": reasons,
            f"{radio.node}_restarts": {reason.value: times for reason, times in said[-1].restarts} if said else None,
        }
        self._report.add(scene, wrong=wrong, **figures)

    async def _hears(self, radio: Radio, since_s: float, limit_s: float) -> float | None:
        """When a radio first hears a member's phone after `since_s`; None where it does not."""
        while boot_s() < since_s + limit_s:
            for times in self._listener.heard[radio.node].values():
                if times[-1] > since_s:
                    return min(at_s for at_s in times if at_s > since_s)
            await asyncio.sleep(0.2)
        return None

    async def _until_running(self, units: Sequence[str], before: dict[str, int], limit_s: float) -> dict[str, str]:
        """The states of units, once each runs as another process than `before`, or after `limit_s`."""
        until_s = boot_s() + limit_s
        while True:
            states = {}
            for unit in units:
                now = await box.properties(unit)
                same = int(now["MainPID"]) == before.get(unit)
                states[unit] = "hangs" if same else f"{now['ActiveState']} {now['SubState']}"
            if all(state == "active running" for state in states.values()) or boot_s() > until_s:
                return states
            await asyncio.sleep(1)

    async def _until_sightings(self, limit_s: float) -> int:
        until_s = boot_s() + limit_s
        while (heard := await box.gateway_sightings()) == 0 and boot_s() < until_s:
            await asyncio.sleep(0.5)
        return heard

    def _longest_pause_s(self, radio: Radio, from_s: float) -> float:
        """How long the kernel had the scan of a radio off at most, since `from_s`."""
        switches = [one for one in self._controllers[radio.address].switches if one.at_s >= from_s]
        return round(max((on.at_s - off.at_s for off, on in pairwise(switches) if on.on), default=0.0), 3)

    def _judge(self, scene: str, radios: Sequence[Radio], from_s: float, to_s: float) -> None:
        """Every token that came and went within the span was heard by the radio before which it was."""
        said = [one for radio in radios for one in self._air.said_within(radio.node, from_s, to_s - LATE_S)]
        missed = [one for one in said if one.token not in self._listener.heard[one.node]]
        members = {one.token: one.node for one in self._air.said}
        strayed = [
            node for node, heard in self._listener.heard.items() for token in heard if members.get(token, node) != node
        ]
        forms = sorted({one.form.value for one in said})
        self._report.add(
            scene, tokens=len(said), formats=forms,
            wrong=[f"{one.node}: a token of {one.form.value} was not heard" for one in missed]
            + [f"{node} heard another radio's phone" for node in strayed]
            + ([] if said else ["nothing was said"]),
        )  # fmt: skip

    def _untouched(self, scene: str, radios: Sequence[Radio]) -> None:
        for radio in radios:
            told = [one.health for one in self._listener.health[radio.node]][1:]
            last = told[-1]
            hearing = all(health.state is RadioState.HEARING for health in told if health.adverts)
            self._report.add(
                scene, **{radio.node: {"adverts": last.adverts, "candidates": last.candidates, "drops": last.drops}},
                wrong=([] if hearing and not last.restarts else [f"{radio.node} was recovered: {last.restarts}"])
                + ([f"{radio.node} dropped {last.drops}"] if last.drops else []),
            )  # fmt: skip

    def _duplicates(self, from_s: float, to_s: float) -> None:
        """A controller that reports a steady phone once per scan: often enough to be present."""
        controller = self._controllers[DUPLICATES.address]
        scans = [one.at_s for one in controller.switches if one.on and from_s <= one.at_s <= to_s]
        found: dict[str, Any] = {"scans": len(scans), "span_s": round(to_s - from_s, 1)}
        wrong = []
        for token, form in self._air.steady.items():
            times = [at_s for at_s in self._listener.heard[DUPLICATES.node][token] if from_s <= at_s <= to_s]
            gaps = [later - earlier for earlier, later in pairwise([from_s, *times, to_s])]
            found[form.value] = {"sightings": len(times), "longest_gap_s": round(max(gaps), 1)}
            # Twice within 25 s, whenever one looks, is an arrival (docs/protocol.md, section 4).
            if max(gaps) > 12.5:
                wrong.append(f"a phone in {form.value} was not heard for {max(gaps):.1f} s")
            if len(times) > len(scans) + 1:
                wrong.append(f"a phone in {form.value} was heard {len(times)} times in {len(scans)} scans")
        self._report.add("duplicates", wrong=wrong, **found)

    def _strangers(self) -> None:
        """What is not a member's is what strangers said that looks like a token, and nothing else."""
        members = {one.token for one in self._air.said} | set(self._air.steady)
        now = {said.token for said in self._air.saying()}
        heard = {token for tokens in self._listener.heard.values() for token in tokens}
        strange = heard - members - now
        unheard_of = strange - self._air.foreign
        self._report.add(
            "strangers", adverts=self._air.strangers, looked_like_tokens=len(strange),
            wrong=[f"{len(unheard_of)} tokens that nobody said"] if unheard_of else [],
            unit=UNIT.node,
        )  # fmt: skip
