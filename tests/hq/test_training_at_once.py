"""What is learned, put in force, destroyed and published at once: one version is in force, and stores get that one."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hq import collections, records, training, training_card, training_versions
from hq.database import reading, writing
from hq.errors import Refused
from hq.training_versions import State, VersionKey
from tests.hq.headquarters import Headquarters
from wire.sync import Collection, instance


def learned(hq: Headquarters) -> int:
    """What a training writes at its end; the version's number."""
    with writing(hq.engine) as connection:
        training_versions.lock(connection)
        return _written(hq, connection)


def _written(hq: Headquarters, connection: Any) -> int:
    number = training_versions.next_number(connection)
    parts = {"tables": b"of %d" % number}
    card = training_card.empty(number, "main", hq.now_ms, None)
    training_versions.add(
        connection, hq.keys.custody, card, State.KEPT, hq.now_ms, key=VersionKey(), tables=(parts, parts)
    )
    training_versions.put_in_force(connection, training_versions.of(connection, "main", number))
    return number


def states(hq: Headquarters) -> dict[int, str]:
    """Of all versions."""
    with reading(hq.engine) as connection:
        return {one.number: one.state.value for one in training_versions.listed(connection)}


def in_store(hq: Headquarters) -> bytes | None:
    """What stores are sent."""
    with reading(hq.engine) as connection:
        return records.body(connection, instance(Collection.AFFINITY, "main"), b"tables")


def test_two_first_trainings_at_once_are_two_versions(hq: Headquarters) -> None:
    """There is no row to wait for, and yet the second waits: it has a number of its own, and one is in force."""
    with ThreadPoolExecutor(1) as pool:
        with writing(hq.engine) as connection:
            training_versions.lock(connection)
            assert _written(hq, connection) == 1
            other = pool.submit(learned, hq)
            time.sleep(0.2)
        assert other.result(20) == 2
    assert states(hq) == {1: "kept", 2: "in-force"}


def test_a_version_that_is_being_destroyed_is_not_put_in_force(hq: Headquarters) -> None:
    """Who rolls back to it meanwhile waits and is refused; what was in force stays, and is what stores have."""
    assert (learned(hq), learned(hq)) == (1, 2)
    training.publish(hq.engine, hq.keys, "main", hq.now_ms)
    with ThreadPoolExecutor(1) as pool:
        with writing(hq.engine) as connection:
            training_versions.lock(connection)
            training_versions.destroy(connection, training_versions.of(connection, "main", 1))
            other = pool.submit(training.roll_back, hq.engine, hq.keys, "main", 1, hq.now_ms)
            time.sleep(0.2)
        with pytest.raises(Refused, match="unknown_version"):
            other.result(20)
    assert (states(hq), in_store(hq)) == ({1: "out", 2: "in-force"}, b"of 2")


def test_stores_end_with_what_is_in_force_whoever_wrote_last(hq: Headquarters, monkeypatch: pytest.MonkeyPatch) -> None:
    """A roll-back comes between what a training read and what it writes to stores."""
    assert (learned(hq), learned(hq)) == (1, 2)
    publish, between = collections.publish, [True]

    def late(*arguments: Any) -> int:
        if between.pop() if between else False:
            training.roll_back(hq.engine, hq.keys, "main", 1, hq.now_ms)
            assert in_store(hq) == b"of 1"
        return publish(*arguments)

    monkeypatch.setattr(collections, "publish", late)
    training.publish(hq.engine, hq.keys, "main", hq.now_ms)
    assert not between and states(hq) == {1: "in-force", 2: "kept"}
    assert in_store(hq) == b"of 1"
    with reading(hq.engine) as connection:
        assert all(one.is_published for one in training_versions.listed(connection))
