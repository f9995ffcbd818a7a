"""The hooks that the configuration names, as one: whatever rings, rings all of them.

I/O: threads, through `store_gateway.ringer`.
"""

import random
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from store_gateway.core.bells import Bell
from store_gateway.hook_settings import OnHelp
from store_gateway.lamps import LampChannel
from store_gateway.ringer import Ringer
from store_gateway.webhook import WebhookChannel, secret

_MARK_BYTES = 16


class HelpHooks:
    """See the module. `clock()` gives CLOCK_BOOTTIME, `wall_s()` Unix time, both in seconds; `chance()` 0 to 1."""

    def __init__(
        self,
        store: str,
        settings: OnHelp,
        credentials_dir: Path | None,
        clock: Callable[[], float],
        wall_s: Callable[[], float],
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Raises: ConfigError, where a secret or an authority cannot be read."""
        self._ringers: list[Ringer] = []
        self._lamps: LampChannel | None = None
        self._lit: Ringer | None = None
        if settings.webhook is not None:
            posts = WebhookChannel(store, settings.webhook, secret(credentials_dir), wall_s)
            self._ringers.append(Ringer(posts, _mark, clock))
        if settings.mqtt is not None:
            self._lamps = LampChannel(store, settings.mqtt, credentials_dir, self._lit_again, chance)
            self._lit = Ringer(self._lamps, _mark, clock)
            self._ringers.append(self._lit)

    def start(self) -> None:
        """Never raises, whatever the hooks do."""
        if self._lamps is not None:
            self._lamps.start()
        for ringer in self._ringers:
            ringer.start()

    def stop(self) -> None:
        """Ends them."""
        for ringer in self._ringers:
            ringer.stop()
        if self._lamps is not None:
            self._lamps.stop()

    def ring(self, bell: Bell) -> None:
        """From any thread; never waits."""
        for ringer in self._ringers:
            ringer.ring(bell)

    def counters(self) -> Mapping[str, int]:
        """Counts since the start; for operators."""
        return {name: count for ringer in self._ringers for name, count in ringer.counters().items()}

    def _lit_again(self) -> None:
        if self._lit is not None:
            self._lit.again()


def _mark() -> str:
    return secrets.token_hex(_MARK_BYTES)
