"""Keeps models lawful and fresh: a new one five days after somebody in it withdrew, and on the sixth day it is gone.

    looked     every six hours: who of its people grants no more (`hq.training.look`)
    day 5      a new model is learned without them; where it is refused, an alarm tells people
    day 6      what still has them is destroyed, in all stores too: they go by each one's own history alone
    day 30     a new model is learned in any case, and tried again each day; on day 36 the old one is destroyed
    each day   while none is in force: a new one

A model that was never made by a command is not made here either: a first one that was refused, or of too few, is made
by the next command. There is none that could leave, and people were told.

I/O: sqlalchemy.
"""

from collections.abc import Callable

from sqlalchemy import Engine

from hq import alarms, training, training_versions
from hq.alarms import Alarm
from hq.database import reading, writing
from hq.errors import Refused
from hq.keys import Keys
from hq.learning.errors import LearningFailed
from hq.training import DAY_MS, REGULAR_MS, Learning, Trained
from hq.training_versions import State, Version

LOOK_MS = 6 * 3600 * 1000
ANEW_MS = 5 * DAY_MS
AGAIN_MS = DAY_MS  # between two tries while no model is in force, or one that is too old
MOST_KEPT = 3  # versions that may come back


def tick(engine: Engine, keys: Keys, now_ms: Callable[[], int], learning: Learning) -> list[Trained]:
    """Does what is due for each brand; what was trained. `now_ms` is asked anew for each step: learning takes a while.

    Raises:
        LearningFailed: a brand got no new model, when all had their turn. DatabaseUnavailable: the next tick goes on.
    """
    with reading(engine) as connection:
        brands = sorted({one.brand for one in training_versions.listed(connection)})
    _settle(engine, brands, now_ms())
    for brand in brands:
        at_ms = now_ms()
        try:
            keep_lawful(engine, keys, brand, at_ms)
        except Refused as error:  # a version was destroyed meanwhile; the next tick sees what is there
            _tell(engine, brand, at_ms, error.reason.value)
    done: list[Trained] = []
    failed: LearningFailed | None = None
    for brand in brands:
        at_ms = now_ms()
        if is_due(_listed(engine, brand), at_ms):
            try:
                found = training.train(engine, keys, brand, at_ms, learning, lambda stage, done, of: None)
            except Refused as error:  # too few people, or somebody trained meanwhile; the list tells which
                _tell(engine, brand, at_ms, error.reason.value)
                continue
            except LearningFailed as error:
                _tell(engine, brand, at_ms, "learning failed")
                failed = error  # the other brands have their turn first
                continue
            _tell(engine, brand, at_ms, "" if found.is_in_force else f"refused: {len(found.card.worse)} groups worse")
            done.append(found)
    if failed is not None:
        raise failed
    return done


def keep_lawful(engine: Engine, keys: Keys, brand: str, now_ms: int) -> None:
    """Looks who withdrew, destroys what must leave or is not needed any more, and brings stores to what is in force."""
    held = [one for one in _listed(engine, brand) if one.has_tables]
    if any(now_ms >= one.checked_ms + LOOK_MS for one in held):
        training.look(engine, keys, brand, now_ms)
    with writing(engine) as connection:
        training_versions.lock(connection)
        held = [one for one in training_versions.listed(connection, brand) if one.has_tables]
        kept = [one for one in held if one.state is State.KEPT]
        over = [one for one in held if training.must_leave(one, now_ms)] + kept[MOST_KEPT:]
        for one in {each.number: each for each in over}.values():
            training_versions.destroy(connection, one)
            if one.state is State.IN_FORCE:
                alarms.raise_(connection, Alarm.MODEL_LEAVES, brand, now_ms, f"{brand}: {one.number} was taken out")
    if not all(one.is_published for one in _listed(engine, brand)):
        training.publish(engine, keys, brand, now_ms)


def is_due(versions: list[Version], now_ms: int) -> bool:
    """Whether a brand is to get a new model now, by all of its versions."""
    if not versions:
        return False
    tried_ms = max(one.made_ms for one in versions)
    current = next((one for one in versions if one.state is State.IN_FORCE), None)
    if current is None:
        return any(one.state is State.OUT for one in versions) and now_ms >= tried_ms + AGAIN_MS
    if current.gone_ms is not None and now_ms >= current.gone_ms + ANEW_MS > tried_ms:
        return True
    return now_ms >= current.made_ms + REGULAR_MS and now_ms >= tried_ms + AGAIN_MS


def _listed(engine: Engine, brand: str) -> list[Version]:
    with reading(engine) as connection:
        return training_versions.listed(connection, brand)


def _tell(engine: Engine, brand: str, now_ms: int, trouble: str) -> None:
    """Raises the brand's alarm where no new model came: the one in force grows too old; ends it where one did."""
    with writing(engine) as connection:
        if not trouble:
            alarms.clear(connection, Alarm.MODEL_LEAVES, brand, now_ms)
        else:
            alarms.raise_(connection, Alarm.MODEL_LEAVES, brand, now_ms, f"{brand}: {trouble}")


def _settle(engine: Engine, brands: list[str], now_ms: int) -> None:
    """Ends each alarm since which a new model came into force, whoever learned it.

    One that an earlier build raised for all brands together ends too, and goes on as that of the brand it speaks of.
    """
    with reading(engine) as connection:
        raised = [one for one in alarms.open_alarms(connection) if one.alarm == Alarm.MODEL_LEAVES]
        versions = training_versions.listed(connection) if raised else []
    newest = {one.brand: one.made_ms for one in reversed(versions) if one.state is State.IN_FORCE}
    for one in raised:
        brand = one.store or one.detail.partition(": ")[0]
        is_over = newest.get(brand, one.last_ms) > one.last_ms
        if one.store and not is_over:
            continue
        with writing(engine) as connection:
            alarms.clear(connection, Alarm.MODEL_LEAVES, one.store, now_ms)
            if not is_over and brand in brands:
                alarms.raise_(connection, Alarm.MODEL_LEAVES, brand, now_ms, one.detail)
