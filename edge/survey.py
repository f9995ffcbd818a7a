"""The command `survey`: shows an installer what a receiver hears of a phone, as it is heard or from a recording.

I/O: the radio, or reads a recording; waits by asyncio.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from edge import listening
from edge.config import EdgeConfig
from edge.coverage import Coverage, Limits
from edge.errors import ReplayError
from edge.recording import Head, tokens_of
from edge.replay import recorded
from wire.air import candidates_of_properties

SECONDS: Final = 60
LONGEST_S: Final = 1800
REFRESH_MS: Final = 1_000
_ONE_PHONE: Final = bytes(16)  # a recording of flags does not tell phones apart


async def survey(
    settings: EdgeConfig,
    node: str | None,
    limits: Limits,
    *,
    seconds: int,
    boot_ms: Callable[[], int],
    live: Callable[[str], None],
    final: Callable[[str], None],
) -> int:
    """Listens with the radio of `node` (None: the first); `live` takes a picture a second, `final` the last one.

    Returns the exit code. Raises: RadioError, NodeError.
    """
    # Here, not above: an edge that hears draws nothing, and needs no memory for it.
    from edge.picture import draw

    radio = listening.radio_of(settings, node)
    coverage = Coverage(limits)
    gone_ms = drawn_ms = 0

    def hear(manufacturer: Mapping[int, bytes], service_uuids: Sequence[str], rssi_dbm: int, at_ms: int) -> None:
        coverage.hear(candidates_of_properties(manufacturer, service_uuids, settings.company_id), rssi_dbm, at_ms)

    def tick(now_ms: int) -> None:
        nonlocal gone_ms, drawn_ms
        gone_ms = now_ms
        if now_ms - drawn_ms >= REFRESH_MS:
            drawn_ms = now_ms
            live(draw(f"receiver {radio.node}", seconds, limits, coverage.found(now_ms)))

    code = await listening.listen(radio.adapter, seconds, hear, tick, boot_ms)
    final(draw(f"receiver {radio.node}", seconds, limits, coverage.found(gone_ms)))
    return code


def survey_of(source: str, company_id: int, limits: Limits) -> str:
    """The picture of a whole recording ("-" is standard input); of lines without a time it takes none.

    Raises: ReplayError where it cannot be read, or holds no advert with a time.
    """
    from edge.picture import draw  # as above

    coverage = Coverage(limits)
    until_ms = -1
    for advert in recorded(source):
        if not isinstance(advert, Head) and advert.at_ms is not None:
            until_ms = max(until_ms, advert.at_ms)
            coverage.hear(tokens_of(advert, company_id, _ONE_PHONE), advert.rssi_dbm, until_ms)
    if until_ms < 0:
        raise ReplayError(f"{source}: no advert with a time", "record one: consentry-edge record FILE")
    seconds = max(math.ceil(until_ms / 1000), 1)
    return draw("recording", seconds, limits, coverage.found(seconds * 1000))
