"""What HQ spends on the hello of a store that has nothing new, beside the cryptography of its message and its answer.

HQ's real answers on a new SQLite database with many stores; the hellos are made before the clock runs. CPU seconds of
this process are counted, which is what a core can do, whatever else the machine does.

I/O: a folder in the temporary directory; the clock.
"""

import secrets
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from sqlalchemy import Engine, event

from benchmarks.report import Row
from hq.database import open_database
from hq.sealer import Peer, Sealer
from tests.fakes.store import FakeStore
from tests.hq.headquarters import Headquarters
from wire import envelope, keys
from wire.sync import HQ

STORES: Final = 200
ROUNDS: Final = 4
_SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


def run(quick: bool) -> list[Row]:
    """The figures. `quick`: 20 stores, once."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{Path(folder) / 'hq.db'}")
        try:
            return _rows(engine, 20 if quick else STORES, 1 if quick else ROUNDS)
        finally:
            engine.dispose()


def _rows(engine: Engine, count: int, rounds: int) -> list[Row]:
    hq = Headquarters(engine)
    stores = [_store(hq, f"store-{number}") for number in range(count)]
    hq.tick()
    for store in stores:
        store.come_up(hq.answers)
        store.say(hq.answers, store.hello())  # the second one says LIVE or lacks nothing any more
    writes = _writes(engine)
    hellos = [[store.close(store.hello()) for store in stores] for _ in range(rounds)]
    answers: list[bytes] = []
    spent_s = _cpu_s(lambda: answers.extend(one for batch in hellos for one in _answered(hq, batch)))
    total = count * rounds
    assert len(answers) == total, "every hello was answered by a lease alone"
    bare_s = _bare_s(hq, stores, hellos, answers)
    envelope_s = _envelope_s(hq, stores, hellos, answers)
    per_s, bare_per_s = total / spent_s, total / bare_s
    return [
        Row("hellos answered by HQ a second and core", f"{per_s:,.0f}", f"{bare_per_s:,.0f} (bare HPKE and Ed25519)",
            per_s / bare_per_s),
        Row("one hello and its lease", f"{spent_s / total * 1e6:,.0f} µs", f"{bare_s / total * 1e6:,.0f} µs bare",
            spent_s / bare_s),
        Row("of that, envelopes opened and closed with CBOR and schema", f"{envelope_s / total * 1e6:,.0f} µs",
            f"{bare_s / total * 1e6:,.0f} µs bare", envelope_s / bare_s),
        Row("of that, judging, reading and noting", f"{(spent_s - envelope_s) / total * 1e6:,.0f} µs"),
        Row("statements that write, for a hello", f"{len(writes) / total:.3f}"),
    ]  # fmt: skip


def _store(hq: Headquarters, name: str) -> FakeStore:
    identity = Ed25519PrivateKey.generate()
    hq.office.add_store(name, name, identity.public_key().public_bytes_raw(), "main", hq.now_ms)
    return FakeStore(name, identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)


def _answered(hq: Headquarters, payloads: list[bytes]) -> list[bytes]:
    hq.now_ms += 1_000
    return [reply.payload for payload in payloads for reply in hq.answers.answer(payload, hq.now_ms)]


def _writes(engine: Engine) -> list[str]:
    """The statements that change something, as they come from now on."""
    seen: list[str] = []

    def note(*arguments: object) -> None:
        word = str(arguments[2]).split(maxsplit=1)[0].upper()
        if word in ("INSERT", "UPDATE", "DELETE"):
            seen.append(word)

    event.listen(engine, "before_cursor_execute", note)
    return seen


def _bare_s(hq: Headquarters, stores: list[FakeStore], hellos: list[list[bytes]], answers: list[bytes]) -> float:
    """The same bytes: each hello verified and decrypted, each answer encrypted and signed."""
    jobs = []
    for batch in hellos:
        for store, payload in zip(stores, batch, strict=True):
            parsed = envelope.parse(payload)
            header, sealed = parsed.header_bytes, parsed.sealed
            jobs.append((store.identity.public_key(), store.identity.sign(header + sealed), header, sealed))
    private = hq.keys.sealing[max(hq.keys.sealing)]
    publics = [keys.sealing_public(keys.sealing_public_bytes(store.sealing_raw)) for store in stores]
    content = secrets.token_bytes(len(envelope.parse(answers[0]).sealed) - 1136)  # less the key and the tag
    signer = hq.keys.signers[-1].key

    def work() -> None:
        for number, (public, signature, header, sealed) in enumerate(jobs):
            public.verify(signature, header + sealed)
            _SUITE.decrypt(sealed, private, b"consentry/1" + header)
            answer = _SUITE.encrypt(content, publics[number % len(publics)], b"consentry/1" + header)
            signer.sign(header + answer)

    _SIGNATURES = [
        stores[number % len(stores)].identity.sign(header + sealed)
        for number, (_, _, header, sealed) in enumerate(jobs)
    ]
    return _cpu_s(work)


def _envelope_s(hq: Headquarters, stores: list[FakeStore], hellos: list[list[bytes]], answers: list[bytes]) -> float:
    """What opening the hellos and closing the leases takes, with CBOR and schema, and without HQ."""
    leases = [(store, store.lease) for store in stores]
    private = hq.keys.sealing[max(hq.keys.sealing)]
    sealer = Sealer(hq.keys)

    def work() -> None:
        for batch in hellos:
            for (store, lease), payload in zip(leases, batch, strict=True):
                parsed = envelope.parse(payload)
                hello = envelope.open_(parsed, HQ, store.identity.public_key(), private)
                assert lease is not None
                sealer.close(Peer(store.store, parsed.header.boot, hello.sealing_key, 3), lease)  # type: ignore[union-attr]

    return _cpu_s(work)


def _cpu_s(work: Callable[[], object]) -> float:
    began_s = time.process_time()
    work()
    return time.process_time() - began_s
