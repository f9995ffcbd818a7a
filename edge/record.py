"""The command `record`: keeps what one radio hears in a file.

Times, signals, and whether there was a candidate token: nothing by which anybody could be told from another, and no
time of day. Only with `site_survey` what strangers' phones said is kept too, for as long as the operator means to.

I/O: writes one file.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from edge import listening, recording
from edge.config import EdgeConfig
from edge.errors import RecordError
from wire.air import candidates_of_properties

SECONDS: Final = 60
LONGEST_SITE_SURVEY_S: Final = 900  # long enough to look for what a receiver does not hear
PROGRESS_MS: Final = 10_000
WARNING: Final = """\
--site-survey keeps what every phone, watch and tag near this radio says: manufacturer data and service UUIDs, without
addresses and names, but enough to tell many of them apart and to follow one about. That is personal data of whoever
passes by. Record in an empty shop or tell the people, keep the file on this box, delete it when you have looked at it.\
"""
_LINES: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class _File:
    """The file, which its owner alone may read; whatever happens it holds whole lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unwritten: list[bytes] = []
        self._whole_bytes = 0
        try:
            self._fd = os.open(path, _LINES, 0o600)
        except FileExistsError as error:
            raise RecordError(f"{path}: is there already", "name a new file, or delete that one") from error
        except OSError as error:
            raise self._error(error) from error

    def add(self, line: bytes) -> None:
        """Keeps a line for the next `flush`."""
        self._unwritten.append(line)

    def flush(self) -> None:
        """Writes what was added.

        Raises: RecordError, after which the file ends with the last line that was written whole.
        """
        lines, self._unwritten = b"".join(self._unwritten), []
        try:
            written = 0
            while written < len(lines):
                written += os.write(self._fd, lines[written:])
        except OSError as error:
            os.ftruncate(self._fd, self._whole_bytes)
            raise self._error(error) from error
        self._whole_bytes += len(lines)

    def close(self) -> None:
        """No line may follow; a file in which nothing was written is taken away again."""
        os.close(self._fd)
        if self._whole_bytes == 0:
            self._path.unlink(missing_ok=True)

    def _error(self, error: OSError) -> RecordError:
        text = os.strerror(error.errno or 0)
        return RecordError(f"{self._path}: {text}", "name a file on a disk with room, where this account may write")


async def record(
    settings: EdgeConfig,
    node: str | None,
    path: Path,
    *,
    seconds: int,
    site_survey: bool,
    boot_ms: Callable[[], int],
    say: Callable[[str], None],
) -> int:
    """Records with the radio of `node` (None: the first) into a new file; `say` takes lines for the operator.

    Returns the exit code. Raises: RecordError, RadioError, NodeError.
    """
    radio = listening.radio_of(settings, node)
    file = _File(path)
    adverts = found = told_ms = 0

    def hear(manufacturer: Mapping[int, bytes], service_uuids: Sequence[str], rssi_dbm: int, at_ms: int) -> None:
        nonlocal adverts, found
        candidate = bool(candidates_of_properties(manufacturer, service_uuids, settings.company_id))
        adverts += 1
        found += candidate
        if site_survey:
            file.add(recording.told(at_ms, rssi_dbm, manufacturer, service_uuids))
        else:
            file.add(recording.flagged(at_ms, rssi_dbm, candidate))

    def counted() -> str:
        return f"{adverts:,} adverts, {found:,} with a candidate token"

    def tick(gone_ms: int) -> None:
        nonlocal told_ms
        file.flush()
        if gone_ms - told_ms >= PROGRESS_MS:
            told_ms = gone_ms
            say(f"{counted()}, {seconds - gone_ms // 1000} s left")

    try:
        if site_survey:
            say(WARNING)
        file.add(recording.head(site_survey))
        code = await listening.listen(radio.adapter, seconds, hear, tick, boot_ms)
    finally:
        file.close()
    say(f"{path}: {counted()}" + ("; delete it when you have looked at it" if site_survey else ""))
    return code
