"""A living shop: members come and go and a few ask for help, until the visitor has seen enough.

The visitor may play too: a line on standard input is something that a member does, or HQ.

I/O: standard input, and lines through `say`.
"""

import select
import sys
from collections.abc import Callable
from random import Random
from typing import Final

from demo.cast import CAST, Shopper
from demo.errors import DemoError
from demo.scene import Scene
from demo.story import roster
from hq.errors import Refused
from wire.member import Mode

Say = Callable[[str], None]
LOOK_S: Final = 0.5
_NEXT_S: Final = (4.0, 9.0)
HELP_TEXT: Final = """\
Play: help NAME · enter NAME · leave NAME · mode NAME quiet|help|open
      withdraw NAME SCOPE · share NAME SCOPE · hq stop · hq start · who
"""
_NAMES: Final = {one.name.lower(): one for one in CAST}


class Living:
    """The shop's life, a look every half second."""

    def __init__(self, scene: Scene, say: Say, chance: Random) -> None:
        self._scene = scene
        self._say = say
        self._chance = chance
        self._mode = {one.name: one.mode for one in CAST}
        self._inside: set[str] = set()
        self._calling: set[str] = set()
        self._shown = ""
        self._next_s = 0.0
        self._hq_runs = True

    def keep_on(self) -> None:
        """Until the visitor ends it. Raises: DemoError where a program ends by itself."""
        self._say(HELP_TEXT)
        listening = sys.stdin is not None and not sys.stdin.closed
        while True:
            ready, _, _ = select.select([sys.stdin] if listening else [], [], [], LOOK_S)
            if ready:
                line = sys.stdin.readline()
                listening = bool(line)
                if line.strip():
                    self._obey(line.split())
                    # What the visitor asked for is seen before chance takes it back.
                    self._next_s = max(self._next_s, self._chance.uniform(*_NEXT_S))
            self._scene.store.children.check()
            self._next_s -= LOOK_S
            if self._next_s <= 0:
                self._next_s = self._chance.uniform(*_NEXT_S)
                self._happens(self._chance.choice(CAST))
            self._show()

    def _show(self) -> None:
        now = roster(self._scene.stream)
        if now != self._shown:
            self._shown = now
            self._say(f"  tablet   {now}")

    def _happens(self, shopper: Shopper) -> None:
        """Something that this member might do next."""
        name = shopper.name
        if name in self._calling:
            if self._chance.random() < 0.4:
                self._say(f"{name} has found it.")
                self._calms(name)
        elif name not in self._inside:
            self._enters(name)
        elif self._mode[name] is not Mode.QUIET and self._chance.random() < 0.5:
            self._calls(name)
        else:
            self._leaves(name)

    def _enters(self, name: str) -> None:
        self._inside.add(name)
        self._say(f"{name} comes in.")
        self._calms(name)

    def _calls(self, name: str) -> None:
        self._inside.add(name)
        self._calling.add(name)
        self._say(f'{name} presses "I would like help".')
        self._scene.calls(name)

    def _calms(self, name: str) -> None:
        self._calling.discard(name)
        if self._mode[name] is Mode.OPEN and name in self._inside:
            self._scene.enters(name)
        else:
            self._scene.leaves(name)

    def _leaves(self, name: str) -> None:
        self._inside.discard(name)
        self._calling.discard(name)
        self._say(f"{name} goes out.")
        self._scene.leaves(name)

    def _obey(self, words: list[str]) -> None:
        try:
            match [word.lower() for word in words]:
                case ["help", name]:
                    self._calls(_NAMES[name].name)
                case ["enter", name]:
                    self._enters(_NAMES[name].name)
                case ["leave", name]:
                    self._leaves(_NAMES[name].name)
                case ["mode", name, mode]:
                    known = _NAMES[name].name
                    self._mode[known] = Mode[mode.upper()]
                    self._scene.switches(known, self._mode[known])
                    self._calms(known)
                case ["withdraw", name, scope]:
                    self._scene.withdraws(_NAMES[name].name, scope)
                case ["share", name, scope]:
                    self._scene.shares(_NAMES[name].name, scope)
                case ["hq", "stop"] if self._hq_runs:
                    self._hq_runs = False
                    self._scene.store.children.stop("hq")
                case ["hq", "start"] if not self._hq_runs:
                    self._hq_runs = True
                    self._scene.store.start_hq()
                case ["who"]:
                    for one in CAST:
                        self._say(f"  {one.name:<6} {one.choice}; has {', '.join(one.profile)}")
                case _:
                    self._say(HELP_TEXT)
        except KeyError:
            self._say(HELP_TEXT)
        except (Refused, DemoError) as error:
            self._say(f"  refused: {error}")
