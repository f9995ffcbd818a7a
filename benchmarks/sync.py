"""How long a store takes to be filled and to catch up, what it writes and holds, beside the bare sum of its steps.

A real broker, HQ and gateway on loopback, HQ's database filled directly; the bare sum is `benchmarks.bare_sync`.

I/O: clocks, a folder, HQ's database, loopback, the programs, /proc.
"""

import time

from benchmarks.bare_sync import bare
from benchmarks.report import Row, percentile
from benchmarks.sync_shop import SyncShop, body, sync_shop

MEMBERS = 100_000
CHANGES = 20_000
_LIVE_S = 3_600.0
_SINGLE = 1_000  # changes of the last two rows, or a twentieth of the members
_SETTLE_S = 2.0
_IDLE = 300


def run(quick: bool, members: int | None = None) -> list[Row]:
    """The figures. `quick`: 2,000 members."""
    many = members or (2_000 if quick else MEMBERS)
    with sync_shop(many) as opened:
        opened.store.start_broker()
        opened.store.start_hq()
        opened.store.wait_ready("hq")
        rows = _fill(opened)
        rows += _catch_up(opened, min(CHANGES, many // 2))
        return [*rows, *_written(opened, min(_SINGLE, many // 20))]


def _fill(opened: SyncShop) -> list[Row]:
    """From the unlock of an empty cache to live, and what that cost."""
    before_s = opened.cpu_s("hq")
    opened.start_gateway()
    waited = opened.wait_live(_LIVE_S)
    written, hq_s, gateway_s = opened.written_bytes(), opened.cpu_s("hq") - before_s, opened.cpu_s("gateway")
    took = bare(opened.members)
    table_s = opened.wait_counter("directory_phones", opened.members, _LIVE_S)
    opened.wait_counter("directory_tokens", opened.members, _LIVE_S)
    time.sleep(_SETTLE_S)
    idle = [opened.ask()[1] for _ in range(_IDLE)]
    many = f"{opened.members:,} members"
    rows = [
        Row(
            f"first fill of {many}, unlock to live (CPU: HQ {hq_s:.1f} s, gateway {gateway_s:.1f} s)",
            _s(waited.fill_s),
            f"{_s(took.sum_s)} ({took.decode_s:.1f} + {took.seal_s:.1f} + {took.insert_s:.1f})",
            waited.fill_s / took.sum_s,
        )
    ]
    for what, figure_s, idle_s in (
        ("median", waited.answer_median_s, percentile(idle, 0.5)),
        ("p99", waited.answer_p99_s, percentile(idle, 0.99)),
        ("longest", waited.answer_longest_s, max(idle)),
    ):
        rows.append(Row(f"an answer during the fill, {what}", _ms(figure_s), f"{_ms(idle_s)} idle", figure_s / idle_s))
    size = len(body(opened.members - 1))
    return [
        *rows,
        Row(f"written in the fill, per record of {size} bytes", _per(written, opened.members)),
        Row(f"from there to a directory of {many}", _s(table_s)),
        Row(
            f"gateway's memory, {many} and directory (peak {_mib(opened.peak_bytes())})", _mib(opened.resident_bytes())
        ),
    ]


def _catch_up(opened: SyncShop, changes: int) -> list[Row]:
    """The gateway was away while HQ changed so many records."""
    opened.store.children.stop("gateway")
    opened.change(changes, 1, 200)
    opened.start_gateway()
    waited = opened.wait_live(_LIVE_S)
    bare_s = bare(changes).sum_s
    what = f"catching up with {changes:,} changes of {opened.members:,} members, unlock to live"
    return [
        Row(what, _s(waited.fill_s), f"{_s(bare_s)} bare", waited.fill_s / bare_s),
        Row("the same from the gateway's start", _s(waited.live_s)),
    ]


def _written(opened: SyncShop, changes: int) -> list[Row]:
    """What a record costs that changes while the store is live: each in a transaction of its own, and 200 in one."""
    opened.wait_counter("directory_phones", opened.members, _LIVE_S)
    rows = []
    for version, at_once in enumerate((1, 200), 2):
        before, seen = opened.written_bytes(), opened.counter("in_records")
        opened.change(changes, version, at_once)
        opened.wait_counter("in_records", seen + -(-changes // at_once), 300.0)
        time.sleep(_SETTLE_S)
        written = opened.written_bytes() - before
        rows.append(Row(f"written per changed record, {at_once} in a commit", _per(written, changes)))
    return rows


def _per(count_bytes: int, records: int) -> str:
    return f"{count_bytes / records:,.0f} B"


def _s(seconds: float) -> str:
    return f"{seconds:.1f} s"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"


def _mib(count_bytes: int) -> str:
    return f"{count_bytes / 2**20:.0f} MiB"
