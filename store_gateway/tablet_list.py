"""The paired tablets as an operator reads them.

Pure: no I/O, no clock.
"""

from datetime import UTC, datetime

from wire import query


def text(tablets: query.Tablets) -> str:
    """One line for each tablet, the newest first; without a label where the cache is locked."""
    return "".join(_line(one) + "\n" for one in tablets.tablets) or "no tablet is paired\n"


def _line(tablet: query.TabletLine) -> str:
    parts = [f"{tablet.id} {tablet.label}".rstrip(), f"paired {_at(tablet.paired_ms)}"]
    parts.append(tablet.browser or "browser not known")
    parts.append(f"seen {_at(tablet.seen_ms)}" if tablet.seen_ms is not None else "not seen since the gateway started")
    if tablet.associate is not None:
        parts.append(f"signed in {tablet.associate}" + (" (locked)" if tablet.locked else ""))
    return "; ".join(parts)


def _at(unix_ms: int) -> str:
    return (
        datetime.fromtimestamp(unix_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M UTC") if unix_ms else "at no time known"
    )
