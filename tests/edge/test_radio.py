"""Keeping a radio hearing: which steps a silent one gets, and what the operator is told of it."""

import asyncio
import logging

import pytest

from edge import radio as edge_radio
from edge.errors import RadioError
from edge.radio import Radio
from edge.recovery import Step
from runtime.logs import Log
from wire.sighting import NO_ADAPTER, RadioReason, RadioState

ADDRESS = "00:00:00:00:5A:AD"


class Store:
    """A scanner of our own, a clock that moves half a second with each look, and the last advert heard."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.heard_s = 0.0
        self.address: str | None = None
        self.steps: list[tuple[float, Step]] = []
        self.fault: RadioReason | None = None
        self.ended = False
        self.answers = asyncio.Event()
        self.answers.set()

    async def take(self, step):
        self.steps.append((self.now_s - 1000, step))
        await self.answers.wait()
        if self.fault is not None:
            raise RadioError(self.fault)
        self.address = ADDRESS

    async def stop(self):
        self.ended = True

    def boot_s(self):
        return self.now_s

    async def passes(self, seconds):
        """Lets the time pass, look by look."""
        until = self.now_s + seconds
        while self.now_s < until:
            self.now_s += 0.5
            await asyncio.sleep(0)
            await asyncio.sleep(0)


@pytest.fixture
def play(monkeypatch, caplog):
    """Plays a story with a Radio that keeps hearing; returns the events that were logged."""
    monkeypatch.setattr(edge_radio, "LOOK_S", 0)
    caplog.set_level(logging.INFO)

    def play(story):
        async def run():
            store = Store()
            radio = Radio("till-1", store, lambda: store.heard_s, store.boot_s, Log("radio"))
            await story(store, radio)
            keeping = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in keeping:
                task.cancel()
            await asyncio.gather(*keeping, return_exceptions=True)
            await radio.end()
            assert store.ended

        asyncio.run(run())
        return [record.getMessage().split()[0].removeprefix("event=") for record in caplog.records]

    return play


def test_a_radio_that_hears_is_left_alone(play):
    """While somebody is heard no step is taken, however long."""

    async def story(store, radio):
        assert radio.state is RadioState.RECOVERING
        assert radio.adapter == NO_ADAPTER
        await radio.begin()
        assert radio.adapter == ADDRESS
        keeping = asyncio.create_task(radio.keep())
        for _ in range(100):
            store.heard_s = store.now_s
            await store.passes(20)
        assert (radio.restarts.total(), radio.state) == (0, RadioState.HEARING)
        assert not keeping.done()

    assert play(story) == ["scanning"]


def test_a_radio_that_scans_and_hears_nobody_becomes_ill_and_is_told_once(play):
    """The three steps are warned of, the illness is one error, and the end of it is told."""

    async def story(store, radio):
        await radio.begin()
        keeping = asyncio.create_task(radio.keep())
        await store.passes(300)
        assert [step for _, step in store.steps[:4]] == [Step.REBUILD, Step.RESTART, Step.REBUILD, Step.POWER_CYCLE]
        assert radio.state is RadioState.ILL
        assert radio.restarts == {RadioReason.SILENT: len(store.steps) - 1}
        store.heard_s = store.now_s
        await store.passes(1)
        assert radio.state is RadioState.HEARING
        assert not keeping.done()

    assert play(story) == ["scanning", *["radio_silent"] * 3, "radio_ill", "hearing_again"]


def test_each_cause_is_told_once_while_it_lasts(play):
    """A radio that is missing, then back but busy, then well: one error each, and no illness of a scan that works."""

    async def story(store, radio):
        store.fault = RadioReason.NO_RADIO
        await radio.begin()
        keeping = asyncio.create_task(radio.keep())
        await store.passes(200)
        assert radio.state is RadioState.ILL
        store.fault = RadioReason.BUSY
        await store.passes(100)
        store.fault = None
        before = len(store.steps)
        while len(store.steps) == before:
            await store.passes(0.5)
        store.heard_s = store.now_s + 0.1
        await store.passes(1)
        assert radio.state is RadioState.HEARING
        assert not keeping.done()

    events = play(story)
    assert [event for event in events if event != "radio_silent"] == ["cannot_scan", "cannot_scan", "hearing_again"]


def test_a_radio_whose_step_hangs_is_told_ill_in_time(play):
    """While BlueZ leaves a call unanswered the radio is recovering, then ill, though no step came to its end."""

    async def story(store, radio):
        await radio.begin()
        keeping = asyncio.create_task(radio.keep())
        store.answers.clear()
        await store.passes(29)
        assert radio.state is RadioState.HEARING
        await store.passes(3)
        assert (radio.state, radio.reason) == (RadioState.RECOVERING, RadioReason.SILENT)
        await store.passes(20)
        assert (radio.state, len(store.steps)) == (RadioState.ILL, 2)
        store.fault = RadioReason.NO_ANSWER
        store.answers.set()
        await store.passes(1)
        assert (radio.state, radio.reason) == (RadioState.ILL, RadioReason.NO_ANSWER)
        store.heard_s = store.now_s
        await store.passes(1)
        assert (radio.state, radio.reason) == (RadioState.HEARING, None)
        assert not keeping.done()

    assert play(story) == ["scanning", "radio_silent", "cannot_scan", "hearing_again"]


def test_a_step_that_hung_and_failed_is_followed_by_the_next_at_once(play):
    """BlueZ answers a restart with nothing for ten seconds: the next step does not wait five more."""

    async def story(store, radio):
        await radio.begin()
        keeping = asyncio.create_task(radio.keep())
        store.heard_s = store.now_s
        store.answers.clear()
        store.fault = RadioReason.NO_ANSWER
        await store.passes(40)
        failed_at_s = store.now_s - 1000
        store.answers.set()
        await store.passes(1)
        assert not keeping.done()
        times = [at_s for at_s, _ in store.steps]
        assert [step for _, step in store.steps[:3]] == [Step.REBUILD, Step.RESTART, Step.REBUILD]
        assert times[2] - failed_at_s <= 1

    play(story)
