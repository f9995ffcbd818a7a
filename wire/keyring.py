"""The body of a `keyring` record: the day keys of the phones of the members in one bucket, packed.

    body = (pseudonym 16 ‖ u8 count ‖ count × day key 16)…, pseudonyms ascending, count 1 to 16

Pure: no I/O, no clock.
"""

from collections.abc import Iterable, Mapping

from wire.errors import Reason, WireError

PSEUDONYM_BYTES = 16
DAY_KEY_BYTES = 16
MAX_PHONES = 16


def pack(entries: Iterable[tuple[bytes, tuple[bytes, ...]]]) -> bytes:
    """The body for (pseudonym, day keys of its phones) in any order.

    Raises:
        WireError: a wrong length, no key or more than 16, or a pseudonym twice.
    """
    packed = bytearray()
    last = b""
    for pseudonym, day_keys in sorted(entries):
        if len(pseudonym) != PSEUDONYM_BYTES or not 1 <= len(day_keys) <= MAX_PHONES or pseudonym == last:
            raise WireError(Reason.SHAPE, "a pseudonym of 16 bytes, once, with 1 to 16 day keys")
        if any(len(day_key) != DAY_KEY_BYTES for day_key in day_keys):
            raise WireError(Reason.SHAPE, "day keys of 16 bytes")
        packed += pseudonym + bytes([len(day_keys)]) + b"".join(day_keys)
        last = pseudonym
    return bytes(packed)


def replaced(body: bytes, entries: Mapping[bytes, tuple[bytes, ...]]) -> bytes:
    """The packed body with these members' day keys in place of theirs before; who has none now is taken out.

    Whoever is not named stays as they are, unread but for the length: a bucket may hold hundreds.

    Raises:
        WireError: not a packed bucket, or as `pack`.
    """
    kept = []
    position, last = 0, b""
    while position < len(body):
        pseudonym = body[position : position + PSEUDONYM_BYTES]
        keys_at = position + PSEUDONYM_BYTES + 1
        count = body[keys_at - 1] if keys_at <= len(body) else 0
        end = keys_at + count * DAY_KEY_BYTES
        if not 1 <= count <= MAX_PHONES or end > len(body) or pseudonym <= last:
            raise _not_packed()
        if pseudonym not in entries:
            kept.append(body[position:end])
        position, last = end, pseudonym
    kept += [pack([(pseudonym, day_keys)]) for pseudonym, day_keys in entries.items() if day_keys]
    return b"".join(sorted(kept))  # each begins with its pseudonym, and no two are of one


def unpack(body: bytes) -> tuple[tuple[bytes, tuple[bytes, ...]], ...]:
    """(pseudonym, day keys) in ascending order of pseudonym.

    Raises:
        WireError: not a packed bucket.
    """
    entries = []
    position, last = 0, b""
    while position < len(body):
        keys_at = position + PSEUDONYM_BYTES + 1
        pseudonym = body[position : position + PSEUDONYM_BYTES]
        count = body[keys_at - 1] if keys_at <= len(body) else 0
        end = keys_at + count * DAY_KEY_BYTES
        if not 1 <= count <= MAX_PHONES or end > len(body) or pseudonym <= last:
            raise _not_packed()
        entries.append((pseudonym, tuple(body[at : at + DAY_KEY_BYTES] for at in range(keys_at, end, DAY_KEY_BYTES))))
        position, last = end, pseudonym
    return tuple(entries)


def _not_packed() -> WireError:
    return WireError(Reason.SHAPE, "a packed bucket of the keyring")
