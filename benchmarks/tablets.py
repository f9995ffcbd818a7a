"""How fast a tablet is answered with 50 members present, beside a bare Flask constant on the same server.

One connection over TLS, kept open, one request after the other, while the phones are heard twice a second each.

I/O: loopback, the programs.
"""

import http.client
import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.report import Row, median, percentile
from benchmarks.shop import Shop, shop
from demo.tablet import Address

PRESENT = 50
_ALL_HEARD_S = 60.0
_LIVE_S = 120.0


def run(quick: bool) -> list[Row]:
    """The figures. `quick`: 100 requests instead of 2,000."""
    times = 100 if quick else 2_000
    with shop(PRESENT) as opened:
        opened.open(_LIVE_S)
        opened.sign_in()
        with opened.present(PRESENT):
            handles = _wait_for_all(opened)
            bearer = {"Authorization": f"Bearer {opened.tablet.session}"}
            connection = opened.store.address.connect(20.0)
            first = [_asked(connection, f"/api/v1/visits/{handle}", bearer) for handle in handles]
            with _Constant(opened) as constant:
                paths = {
                    "the floor": lambda at: (connection, "/api/v1/floor"),
                    "a card": lambda at: (connection, f"/api/v1/visits/{handles[at % PRESENT]}"),
                    "constant": lambda at: (constant.connection, "/"),
                }
                found = _in_turns(paths, times, bearer)
            connection.close()
    bare = found.pop("constant")
    rows = []
    for what, taken in (*found.items(), ("a card for the first time (recorded and synced to disk)", first)):
        for name, figure, baseline in (
            ("median", median(taken), median(bare)),
            ("p99", percentile(taken, 0.99), percentile(bare, 0.99)),
        ):
            rows.append(
                Row(f"{what}, {name} of {len(taken):,}", _ms(figure), f"{_ms(baseline)} constant", figure / baseline)
            )
    return rows


def _wait_for_all(opened: Shop) -> list[str]:
    end = time.monotonic() + _ALL_HEARD_S
    while True:
        visits = opened.tablet.floor().body["visits"]
        if len(visits) == PRESENT:
            return [one["handle"] for one in visits]
        if time.monotonic() > end:
            raise RuntimeError(f"{len(visits)} of {PRESENT} members arrived in {_ALL_HEARD_S:.0f} s")
        time.sleep(0.5)


def _in_turns(
    paths: dict[str, Callable[[int], tuple[http.client.HTTPConnection, str]]], times: int, bearer: dict[str, str]
) -> dict[str, list[float]]:
    """So many requests of each, in turns, so that a busy machine slows all alike. Seconds each."""
    found: dict[str, list[float]] = {name: [] for name in paths}
    for at in range(times):
        for name, target in paths.items():
            connection, path = target(at)
            found[name].append(_asked(connection, path, bearer))
    return found


def _asked(connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> float:
    """How many seconds until the whole answer was there."""
    began = time.perf_counter()
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    took_s = time.perf_counter() - began
    if answer.status != 200:
        raise RuntimeError(f"{path.partition('visits/')[0]} was answered with {answer.status}")
    return took_s


class _Constant:
    """The baseline's program, with the tablet API's own certificate."""

    def __init__(self, opened: Shop) -> None:
        config = opened.store.config_of("tablets").read_text(encoding="utf-8")
        (certificate,) = [line.split('"')[1] for line in config.splitlines() if line.startswith("certificate ")]
        key = opened.store.at / "credentials/tablets/tls-key"
        self._authority = opened.store.address.authority
        self._serving = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.constant", certificate, str(key)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def __enter__(self) -> "_Constant":
        assert self._serving.stdout is not None
        port = int(self._serving.stdout.readline())
        self.connection = Address("127.0.0.1", port, self._authority).connect(20.0)
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()
        self._serving.communicate(timeout=20.0)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"
