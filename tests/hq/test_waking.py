"""Who empties the outbox hears of each commit, on SQLite too."""

import threading
from pathlib import Path

from sqlalchemy import text

from hq.database import open_database, writing
from hq.waking import Waking


def test_a_commit_of_another_connection_wakes_and_silence_does_not(tmp_path: Path) -> None:
    """SQLite's data version is another after each commit; nobody is woken where nobody wrote."""
    engine = open_database(f"sqlite:///{tmp_path / 'hq.db'}")
    waking, stop = Waking(engine, ("now",)), threading.Event()
    listening = threading.Thread(target=waking.run, args=(stop,))
    listening.start()
    try:
        assert waking.wait("now") or waking.wait("now")  # what came before it listened
        woken = [waking.wait("now") for _ in range(2)]
        assert not any(woken)
        for _ in range(3):
            with writing(engine) as connection:
                connection.execute(text("create table if not exists told (n integer)"))
                connection.execute(text("insert into told values (1)"))
            assert waking.wait("now")
    finally:
        stop.set()
        listening.join()
    engine.dispose()


def test_a_database_that_goes_does_not_end_the_listening(tmp_path: Path) -> None:
    """Where the line cannot be had, whoever waits looks by itself every 50 ms, and the thread goes on."""
    engine = open_database(f"sqlite:///{tmp_path / 'hq.db'}")
    waking, stop = Waking(engine, ("now",)), threading.Event()
    engine.dispose()
    (tmp_path / "hq.db").unlink()
    (tmp_path / "hq.db").mkdir()
    listening = threading.Thread(target=waking.run, args=(stop,))
    listening.start()
    try:
        assert not waking.wait("now")
        assert listening.is_alive()
    finally:
        stop.set()
        listening.join()
