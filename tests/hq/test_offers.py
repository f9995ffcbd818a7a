"""What the mirror suggests from: the tables that a store has now, and none that were taken out."""

from dataclasses import replace
from pathlib import Path

from hq import collections, offers, records
from hq.database import reading, writing
from tests.hq.headquarters import STORE, Headquarters, on_sqlite
from tests.wire.test_affinity import SMALL
from wire import affinity
from wire.sync import Collection


def publish(hq: Headquarters, bodies: dict[bytes, bytes]) -> None:
    """The tables are these parts from now on."""
    collections.publish(hq.engine, Collection.AFFINITY, "main", bodies, hq.now_ms)


def test_tables_that_were_taken_out_are_kept_nowhere(tmp_path: Path) -> None:
    """Who withdrew may be in them: the next look at any store forgets them."""
    hq = on_sqlite(tmp_path)
    plain = replace(SMALL, knobs=b"", linear=b"", trees=affinity.Trees(b"", b"", b"", b""))
    publish(hq, {name.encode(): body for name, body in affinity.encode(plain).items()})
    with writing(hq.engine) as connection:
        collections.give(connection, STORE, Collection.AFFINITY, "main")
    with reading(hq.engine) as connection:
        model = offers.around(connection, STORE).model
        assert model is not None and offers.around(connection, STORE).model is model
    publish(hq, {})
    with reading(hq.engine) as connection:
        assert records.of_store(connection, STORE)
        assert offers.around(connection, "elsewhere").model is None
    assert model not in offers._models.values()
    hq.engine.dispose()
