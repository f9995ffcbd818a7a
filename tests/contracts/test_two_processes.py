"""Two HQ processes that both answer for a store, as for a moment when one comes or goes: harmless."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hq.answers import Answers
from hq.records import NOW
from tests.contracts.test_sync import Shop, join


class TwoProcesses(Shop):
    """The shop, whose every word is heard by two processes; by chance one, the other or both of them answer, in any
    order, some answers late."""

    def __init__(self, folder: Path, seed: int) -> None:
        super().__init__(folder)
        self._chance = Random(seed)
        self._both = [self.hq.answers, Answers(self.hq.engine, self.hq.keys, self.hq.sealer)]
        self._late: list[bytes] = []

    def carry(self) -> None:
        """Everything that waits on either side goes its way."""
        while said := self.replica.outgoing():
            for payload in said:
                answering = self._chance.choice([self._both, self._both, self._both[:1], self._both[1:]])
                replies = [reply.payload for one in answering for reply in one.answer(payload, self.hq.now_ms)]
                self._chance.shuffle(replies)
                for reply in [*self._late, *replies]:
                    self.replica.on_payload(reply, False, self.now_s)
                self._late = [reply for reply in replies if self._chance.random() < 0.2]
        for lane, box in self.lanes.items():
            while box.drain(self.hq.now_ms)[0]:
                assert lane in self.lanes
        assert NOW in self.lanes


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_a_store_that_two_processes_answer_becomes_and_stays_live(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """From the first word to a withdrawal and a restart: no refusal, one ticket, equal roots, every event once."""
    shop = TwoProcesses(tmp_path_factory.mktemp("shop"), seed)
    try:
        join(shop, "m-1", "m-2")
        shop.up()
        assert shop.scopes("m-1") == {"size.shoe", "language"}
        shop.hq.now_ms += 1000
        shop.hq.office.withdraw("m-1", shop.hq.now_ms, scopes=("size.shoe",))
        shop.run(20)
        assert shop.scopes("m-1") == {"language"}
        shop.restart()
        shop.up()
        shop.run(60)
        assert shop.live()
        assert shop.scopes("m-2") == {"size.shoe", "language"}
        shop.check()
    finally:
        shop.close()
