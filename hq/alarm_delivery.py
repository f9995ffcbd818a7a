"""Tells people of alarms: when one is raised, once a day while it is open, and when it is over.

Outside of whatever raised it, at least once each, tried again after growing pauses. Several HQ processes may run it:
who sends a message puts its next try off first, so that no other sends it meanwhile.

I/O: sqlalchemy; the channels do theirs.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, Engine, and_, delete, insert, or_, select, update

from hq.alarm_channels import Channel, News, Notice
from hq.alarm_tables import alarm_messages, alarms
from hq.alarms import WORDS, Alarm
from hq.database import reading, writing
from hq.errors import AlarmNotSent
from runtime.logs import Log

_LOG = Log("alarms")
REMIND_MS = 86_400_000
FIRST_PAUSE_MS = 30_000
MOST_PAUSE_MS = 900_000
GIVE_UP_MS = 7 * 86_400_000
KEEP_MS = 400 * 86_400_000  # past alarms, for whoever reviews a year
_AT_ONCE = 20


class Delivery:
    """See the module. `now_ms` is Unix milliseconds UTC."""

    def __init__(self, engine: Engine, channels: Sequence[Channel]) -> None:
        self._engine = engine
        self._channels = {one.name: one for one in channels}

    def tick(self, now_ms: int) -> int:
        """Says what is due; returns how many messages were sent.

        Raises:
            DatabaseUnavailable: what was sent may be sent again.
        """
        with reading(self._engine) as connection:
            is_news = connection.scalar(select(alarms.c.id).where(_news(now_ms)).limit(1)) is not None
            due = connection.scalars(
                select(alarm_messages.c.id)
                .where(alarm_messages.c.due_ms <= now_ms, alarm_messages.c.channel.in_(sorted(self._channels)))
                .order_by(alarm_messages.c.due_ms)
                .limit(_AT_ONCE)
            ).all()
        if is_news:
            with writing(self._engine) as connection:
                due = [*due, *self._announce(connection, now_ms)]
        return sum(self._send(one, now_ms) for one in due)

    def _announce(self, connection: Connection, now_ms: int) -> list[int]:
        """Makes the messages about each alarm that has news; whoever holds the row's lock does it, once."""
        made: list[int] = []
        wanted = select(alarms).where(_news(now_ms)).order_by(alarms.c.id).limit(_AT_ONCE)
        for row in connection.execute(wanted.with_for_update(skip_locked=True)).all():
            alarm = Alarm(row.alarm)
            if row.told_ms is None:
                news = News.RAISED
                _LOG.error("alarm", alarm=alarm, store=row.store or None, detail=row.detail, remedy=WORDS[alarm])
            elif row.over_ms is None:
                news = News.REMINDER
                _LOG.error("alarm", alarm=alarm, store=row.store or None, count=row.seen, remedy=WORDS[alarm])
            else:
                news = News.OVER
                _LOG.info("alarm_over", alarm=alarm, store=row.store or None, count=row.seen)
            over_told = news is News.OVER
            connection.execute(
                update(alarms).where(alarms.c.id == row.id).values(told_ms=now_ms, over_told=over_told)
            )  # fmt: skip
            for channel in sorted(self._channels):
                message = {"alarm": row.id, "channel": channel, "news": news.value, "made_ms": now_ms,
                           "due_ms": now_ms, "tries": 0}  # fmt: skip
                made += connection.execute(insert(alarm_messages).values(message)).inserted_primary_key or ()
        old = alarms.c.over_ms < now_ms - KEEP_MS
        connection.execute(delete(alarms).where(old))
        return made

    def _send(self, message: int, now_ms: int) -> bool:
        claimed = self._claim(message, now_ms)
        if claimed is None:
            return False
        channel, notice, tries = claimed
        try:
            self._channels[channel].send(notice)
        except AlarmNotSent as error:
            _LOG.warning("alarm_not_sent", channel=channel, reason=error.text, tries=tries, remedy=error.remedy)
            return False
        with writing(self._engine) as connection:
            connection.execute(delete(alarm_messages).where(alarm_messages.c.id == message))
        return True

    def _claim(self, message: int, now_ms: int) -> tuple[str, Notice, int] | None:
        """The message, its next try put off; None: it is another's, or not to be sent any more."""
        with writing(self._engine) as connection:
            here = alarm_messages.c.id == message
            row = connection.execute(select(alarm_messages).where(here).with_for_update()).first()
            if row is None or row.due_ms > now_ms or row.channel not in self._channels:
                return None
            about = connection.execute(select(alarms).where(alarms.c.id == row.alarm)).first()
            if about is None or row.made_ms < now_ms - GIVE_UP_MS:
                connection.execute(delete(alarm_messages).where(here))
                return None
            pause_ms = min(FIRST_PAUSE_MS << min(row.tries, 16), MOST_PAUSE_MS)
            connection.execute(
                update(alarm_messages).where(here).values(due_ms=now_ms + pause_ms, tries=row.tries + 1)
            )  # fmt: skip
        notice = Notice(
            id=row.id,
            news=News(row.news),
            alarm=about.alarm,
            store=about.store,
            words=WORDS[Alarm(about.alarm)],
            detail=about.detail,
            count=about.seen,
            first_ms=about.first_ms,
            last_ms=about.last_ms,
            over_ms=about.over_ms,
        )
        return row.channel, notice, row.tries + 1


def _news(now_ms: int) -> ColumnElement[bool]:
    """Which alarms are to be told of now."""
    return or_(
        alarms.c.told_ms.is_(None),
        and_(alarms.c.over_ms.is_(None), alarms.c.told_ms <= now_ms - REMIND_MS),
        and_(alarms.c.over_ms.is_not(None), alarms.c.over_told.is_(False)),
    )
