"""What speaks on a store's own broker: kinds of receivers, their names, and the topics that are theirs.

A satellite is `consentry-edge` on another box; the other two kinds are programs of others on cheap hardware, whose
topics are as their own documentation has them (OpenMQTTGateway, `docs/use/ble.md`; Theengs Gateway, `docs/use/use.md`).

Pure: no I/O, no clock.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

GATEWAY_NAME: Final = "consentry.gateway"  # of the store's gateway; its dot keeps any receiver from bearing it
NODE_FORM: Final = r"[a-z0-9-]{1,40}"
NAME_FORM: Final = r"[A-Za-z0-9_-]{1,30}"  # OpenMQTTGateway takes no longer name of an account
RADIOS_MOST: Final = 16
_HOME: Final = "home"  # both programs' default


class ReceiverKind(StrEnum):
    """What a receiver is, and so which language it speaks."""

    SATELLITE = "satellite"
    OPENMQTTGATEWAY = "openmqttgateway"
    THEENGS = "theengs"


@dataclass(frozen=True, slots=True)
class Receiver:
    """One receiver: its kind, its name, and the nodes that it speaks for, one for each of its radios."""

    kind: ReceiverKind
    name: str
    nodes: tuple[str, ...]

    def __post_init__(self) -> None:
        """Raises: ValueError, where its name or its nodes cannot be."""
        if self.kind is ReceiverKind.SATELLITE:
            if re.fullmatch(NODE_FORM, self.name) is None:
                raise ValueError("a satellite's name is 1 to 40 characters a-z, 0-9 and -")
            if not 1 <= len(self.nodes) <= RADIOS_MOST:
                raise ValueError(f"a satellite has 1 to {RADIOS_MOST} nodes, one for each of its radios")
        else:
            if re.fullmatch(NAME_FORM, self.name) is None:
                raise ValueError("a receiver's name is 1 to 30 characters A-Z, a-z, 0-9, - and _")
            if len(self.nodes) != 1:
                raise ValueError("a receiver that is no satellite has one radio, and so one node")
        if any(re.fullmatch(NODE_FORM, node) is None for node in self.nodes):
            raise ValueError("a node is 1 to 40 characters a-z, 0-9 and -")


def check_all(receivers: Iterable[Receiver]) -> None:
    """Raises: ValueError, where two bear one name or speak for one node."""
    there = tuple(receivers)
    if len({one.name for one in there}) != len(there):
        raise ValueError("each receiver has a name of its own")
    nodes = [node for one in there for node in one.nodes]
    if len(set(nodes)) != len(nodes):
        raise ValueError("each node belongs to one receiver")


def satellite_topic(store: str, satellite: str) -> str:
    """Where a satellite says everything."""
    return f"consentry/1/{store}/satellite/{satellite}"


def adverts_topic(name: str) -> str:
    """Where a cheap receiver says what it heard: this and everything below it."""
    return f"{_HOME}/{name}/BTtoMQTT"


def state_topic(name: str) -> str:
    """Where a cheap receiver says that it came, and the broker (its last will) that it went."""
    return f"{_HOME}/{name}/LWT"
