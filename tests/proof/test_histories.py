"""Any history of people, world and broker: nothing is shown that may not be, and in the end all agree."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.proof.machine import History

SHORT = settings(max_examples=3, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck))
DEEP = settings(SHORT, max_examples=150, stateful_step_count=60)  # 5 s of a core each
WIDE = settings(SHORT, max_examples=50, stateful_step_count=60)  # three times that


class ThreeStores(History):
    """Three boxes under one HQ of two processes."""

    stores = 3
    processes = 2


def test_any_history_of_one_store_comes_out() -> None:
    """Nothing is shown after a withdrawal or without a lease, and in the end all roots are equal."""
    run_state_machine_as_test(History, settings=SHORT)


@pytest.mark.long
def test_any_long_history_of_one_store_comes_out() -> None:
    """The same, longer and oftener."""
    run_state_machine_as_test(History, settings=DEEP)


@pytest.mark.long
def test_any_history_of_three_stores_comes_out() -> None:
    """Three boxes, members in all of them, two processes of HQ."""
    run_state_machine_as_test(ThreeStores, settings=WIDE)
