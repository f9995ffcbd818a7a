"""Makes one table of tokens in a process of its own, so that no answer to a tablet waits for it.

    python -m store_gateway.build_table FD

Standard input: `order_bytes` of `store_gateway.keyring`. FD is an anonymous block of memory (memfd), which has no
name and so ends with the last process that holds it; the day keys are in the pipe and there, and nowhere else.

I/O: standard input and the given file descriptor.
"""

import os
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress

from store_gateway.core.table import Row, lay_out

ORDER_HEAD = struct.Struct("<III")  # first slot, members, phones
MEMBER_BYTES = 17  # pseudonym 16 ‖ u8 kinds
PHONE_BYTES = 36  # u32le day ‖ pseudonym 16 ‖ day key 16


def rows(order: bytes) -> Iterator[Row]:
    """The rows of an order; a phone of a member that is not named has none. Raises ValueError if cut short."""
    _, members, phones = ORDER_HEAD.unpack_from(order)
    phones_at = ORDER_HEAD.size + members * MEMBER_BYTES
    if len(order) != phones_at + phones * PHONE_BYTES:
        raise ValueError("an order that is cut short")
    kinds = {order[at : at + 16]: order[at + 16] for at in range(ORDER_HEAD.size, phones_at, MEMBER_BYTES)}
    for at in range(phones_at, len(order), PHONE_BYTES):
        pseudonym = order[at + 4 : at + 20]
        yield Row(
            pseudonym,
            kinds.get(pseudonym, 0),
            int.from_bytes(order[at : at + 4], "little"),
            order[at + 20 : at + PHONE_BYTES],
        )


def main() -> int:
    """Reads the order, writes the block; exit 0, or 1 where the order was cut short (the gateway died)."""
    with suppress(OSError):  # a sandbox may forbid it
        os.nice(10)  # answers go first
    block = int(sys.argv[1])
    order = sys.stdin.buffer.read()
    try:
        first_slot, *_ = ORDER_HEAD.unpack_from(order)
        parts = lay_out(rows(order), first_slot)
    except (ValueError, struct.error):
        return 1
    with os.fdopen(block, "wb", closefd=False) as out:
        for part in parts:
            out.write(part)
    return 0


if __name__ == "__main__":
    sys.exit(main())
