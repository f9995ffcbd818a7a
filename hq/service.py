"""Runs HQ: two connections, the outbox of each lane, the answers and the clock job, each in a thread of its own.

Nothing that matters for correctness lives here: a killed HQ goes on where its database stands, and any number of these
processes may share one database, the stores divided among them.

I/O: threading; the parts that it runs talk to the broker and the database.
"""

import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sqlalchemy import Engine

from hq import clock_job, outbox, outcomes_watch, training_job
from hq.alarm_channels import channels
from hq.alarm_delivery import Delivery
from hq.alarm_watch import Watch
from hq.answers import Answers, Sealer
from hq.certificate_job import Renewals
from hq.errors import DatabaseUnavailable
from hq.figures_job import release_due
from hq.heard import Heard
from hq.keys import Keys
from hq.learning import apart
from hq.learning.errors import LearningFailed
from hq.ledger_watch import LedgerWatch
from hq.office import Office
from hq.outbox import Outbox
from hq.place import Place
from hq.processes import RENEW_S, Duty
from hq.publisher import Link, tls_context
from hq.records import DOWN, NOW
from hq.settings import Settings
from hq.synthetic import Rounds
from hq.waking import Waking
from hq.webhooks import Hooks, sweep
from hq.webhooks_post import HttpPost
from runtime.config import CREDENTIALS_VARIABLE, credential
from runtime.errors import ProgramError
from runtime.logs import Log
from runtime.notify import Notify
from wire.sync import down, up

_LOG = Log("service")
_ALARMS_S = 2.0  # between two looks at what is wrong
_CLOCK_S = 2.0  # between two runs of the clock job
_CERTIFICATES_S = 20.0  # between two looks for certificates to renew
_HOOKS_S = 1.0  # between two looks for changes that other systems were not told of
_FIGURES_S = 3600.0  # between two looks for figures that are due
_TRAINING_S = 600.0  # between two looks for models that must leave or are to be learned anew
_TRAINING_AGAIN_S = 3000.0  # after one that failed
_FIGURES_FIRST_S = 60.0  # after the start, and while there are more
_FIGURES_MOST = 50  # tables at a time, so that another process may take over
_FORGET_S = 600.0  # between two looks for what was kept for them long enough
_RETRY_S = 1.0
_TOLD_S = 60.0
_SWEEP_S = 30.0  # between two looks for what is too old to be sent
# Threads: while one waits for the database, others compute. SQLite makes nobody wait (docs/scale.md).
_ANSWERING = {"postgresql": 4}
_ANSWERING_ELSE = 2
_JOIN_S = 5.0

ClockMs = Callable[[], int]


class Service:
    """One HQ process. `clock_ms` gives Unix milliseconds UTC."""

    def __init__(self, settings: Settings, engine: Engine, keys: Keys, clock_ms: ClockMs) -> None:
        self._engine = engine
        keys.custody.attach(engine)
        self._keys = keys
        self._clock_ms = clock_ms
        self._sealer = Sealer(keys)
        self._answers = Answers(engine, keys, self._sealer)
        self._heard = Heard()
        self._place = Place(engine)
        self._waking = Waking(engine, (DOWN, NOW))
        context = tls_context(settings.broker, _broker_key(settings))
        name = f"consentry-hq-{self._place.own_id.hex()}"
        self._down = Link(settings.broker, context, f"{name}-down", self._heard.put)
        self._now = Link(settings.broker, context, f"{name}-now")
        self._watch = Watch(engine)
        self._rounds = Rounds(engine, Office(engine, keys), settings.alarms.synthetic_every_s)
        self._delivery = Delivery(engine, channels(settings.alarms, settings.credentials_dir))
        self._ledger_watch = LedgerWatch(engine)
        self._hooks = Hooks(engine, keys.custody, HttpPost(private=settings.hooks.private, ca=settings.hooks.ca))
        self._renewals = Renewals(engine, keys.custody, settings.certificates)
        self._stop = threading.Event()

    def stop(self) -> None:
        """Ends `run`; callable from any thread."""
        self._stop.set()

    def run(self, notify: Notify) -> None:
        """Serves until `stop`. A part that fails in a way it does not know ends the whole, for systemd to restart."""
        answering = _ANSWERING.get(self._engine.dialect.name, _ANSWERING_ELSE)
        threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for name, target in (
                ("down", lambda: self._down.run(self._stop)),
                ("now", lambda: self._now.run(self._stop)),
                ("outbox-down", lambda: self._drain(DOWN, self._down)),
                ("outbox-now", lambda: self._drain(NOW, self._now)),
                *((f"answers-{number}", self._answer) for number in range(1, answering + 1)),
                ("place", self._keep_place),
                ("waking", lambda: self._waking.run(self._stop)),
                ("clock", self._keep_time),
                ("alarms", self._alarm),
                ("certificates", self._renew),
                ("hooks", self._tell_systems),
                ("figures", self._release),
                ("training", self._train),
            )
        ]
        for thread in threads:
            thread.start()
        notify.ready("serving")
        _LOG.info("serving")
        interval_s = min(notify.watchdog_interval_s or 1.0, 1.0)
        while not self._stop.wait(interval_s):
            ended = [thread.name for thread in threads if not thread.is_alive()]
            if ended:
                self._stop.set()
                raise ProgramError(f"a part of HQ ended: {', '.join(ended)}", "see the lines before this one")
            notify.alive()
        notify.stopping()
        self._waking.wake()
        for thread in threads:
            thread.join(_JOIN_S)
        try:
            self._answers.settle(self._clock_ms())
            self._place.leave()
        except DatabaseUnavailable as error:
            _LOG.error("database_failed", reason=error.text, remedy=error.remedy)

    def _keep_place(self) -> None:
        while not self._stop.is_set():
            try:
                self._place.tick(self._clock_ms())
            except DatabaseUnavailable as error:
                self._tell(error)
                continue
            # Each store's own topic and not `+`: what other processes answer for does not even come here.
            self._down.follow(map(up, self._place.followed))
            self._stop.wait(RENEW_S)

    def _answer(self) -> None:
        while not self._stop.is_set():
            payload = self._heard.take(0.2)
            if payload is None:
                continue
            try:
                replies = self._answers.answer(payload, self._clock_ms())
            except DatabaseUnavailable as error:
                self._tell(error)
                continue
            self._down.post([(down(one.store), one.payload) for one in replies])

    def _drain(self, lane: str, link: Link) -> None:
        box = Outbox(self._engine, self._sealer, lane, link.send, lambda store: store in self._place.stores)
        while not self._stop.is_set():
            try:
                waiting, done = box.drain(self._clock_ms()) if link.is_up else (0, 0)
            except DatabaseUnavailable as error:
                self._tell(error)
                continue
            if not waiting:
                self._waking.wait(lane)
            elif not done:
                self._stop.wait(_RETRY_S)

    def _keep_time(self) -> None:
        told_s, swept_s = 0.0, _SWEEP_S
        while not self._stop.is_set():
            changed = swept = 0
            try:
                self._answers.settle(self._clock_ms())
                if self._place.has(Duty.CLOCK, self._clock_ms()):
                    changed = clock_job.tick(self._engine, self._keys, self._clock_ms())
                    self._ledger_watch.tick(self._clock_ms())
                    swept_s += _CLOCK_S
                    if swept_s >= _SWEEP_S:
                        swept_s = 0.0
                        swept = outbox.sweep(self._engine, self._clock_ms())
            except DatabaseUnavailable as error:
                self._tell(error)
                continue
            if changed:
                _LOG.info("clock_job", records=changed)
            if swept:
                _LOG.warning("not_sent", messages=swept, remedy="see that the broker can be reached; stores ask for it")
            told_s += _CLOCK_S
            if told_s >= _TOLD_S:
                told_s = 0.0
                dropped = {f"dropped_{reason}": count for reason, count in sorted(self._answers.dropped.items())}
                _LOG.info("counters", overflow=self._heard.overflow, **self._down.counts, **dropped)
            self._stop.wait(_CLOCK_S)

    def _alarm(self) -> None:
        """Watches the stores and tells people, in a thread of its own: a mail server that hangs holds up nothing."""
        while not self._stop.wait(_ALARMS_S):
            try:
                if self._place.has(Duty.ALARMS, self._clock_ms()):
                    self._watch.tick(self._clock_ms())
                    self._rounds.tick(self._clock_ms())
                    self._delivery.tick(self._clock_ms())
            except DatabaseUnavailable as error:
                self._tell(error)

    def _renew(self) -> None:
        """Asks issuers, in a thread of its own: an ACME program takes minutes."""
        while not self._stop.wait(_CERTIFICATES_S):
            try:
                if self._place.has(Duty.CERTIFICATES, self._clock_ms()):
                    self._renewals.tick(self._clock_ms(), self._stop)
            except DatabaseUnavailable as error:
                self._tell(error)

    def _tell_systems(self) -> None:
        """Calls other systems, in a thread of its own: one that hangs holds up nothing but the others."""
        swept_s = 0.0
        while not self._stop.wait(_HOOKS_S):
            try:
                if self._place.has(Duty.HOOKS, self._clock_ms()):
                    self._hooks.tick(self._clock_ms())
                    swept_s += _HOOKS_S
                    if swept_s >= _FORGET_S:
                        swept_s = 0.0
                        sweep(self._engine, self._clock_ms())
            except DatabaseUnavailable as error:
                self._tell(error)

    def _release(self) -> None:
        """Releases figures as they fall due, some at a time, in a thread of its own: counting takes a while.

        And lets rules of suggestions rest, which is counting, too.
        """
        wait_s = _FIGURES_FIRST_S
        while not self._stop.wait(wait_s):
            wait_s = _FIGURES_S
            try:
                if self._place.has(Duty.FIGURES, self._clock_ms()):
                    changed = outcomes_watch.tick(self._engine, self._keys, self._clock_ms())
                    if changed:
                        _LOG.info("rules_rest", records=changed)
                    released, refused = release_due(self._engine, self._keys, self._clock_ms(), _FIGURES_MOST)
                    if released:
                        _LOG.info("figures", released=released, refused=refused)
                        wait_s = _FIGURES_FIRST_S
            except DatabaseUnavailable as error:
                self._tell(error)

    def _train(self) -> None:
        """Keeps models lawful and fresh, in a thread of its own; what learns is another process."""
        while not self._stop.wait(_TRAINING_S):
            try:
                if self._place.has(Duty.TRAINING, self._clock_ms()):
                    learning = partial(apart.study, stop=self._stop)
                    for one in training_job.tick(self._engine, self._keys, self._clock_ms, learning):
                        _LOG.info("trained", version=one.card.number, in_force=one.is_in_force)
            except LearningFailed as error:
                _LOG.warning("training_failed", reason=error.text, remedy=error.remedy)
                self._stop.wait(_TRAINING_AGAIN_S)
            except DatabaseUnavailable as error:
                self._tell(error)

    def _tell(self, error: DatabaseUnavailable) -> None:
        _LOG.error("database_failed", reason=error.text, remedy=error.remedy)
        self._stop.wait(_RETRY_S)


def _broker_key(settings: Settings) -> Path | None:
    if not settings.broker.tls:
        return None
    credential("broker-key", settings.credentials_dir)  # refuses with the right words where it is missing
    return (settings.credentials_dir or Path(os.environ[CREDENTIALS_VARIABLE])) / "broker-key"
