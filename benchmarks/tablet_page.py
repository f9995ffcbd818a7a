"""The associates' page in Chromium: its weight, its first floor, and a busy Saturday on a slow tablet.

A scripted gateway says what 200 members do, 50 changes a second; the tablet API serves it over TLS, and the processor
of the page is slowed four times (Chrome's own way). Long tasks and answers to taps are counted by the browser itself.

I/O: clocks, loopback, a browser.
"""

import random
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.report import Row, median, percentile
from tablet_api import app as application
from tablet_api import forms, server
from tablet_api.gateway_client import GatewayClient
from tablet_api.metrics import Metrics
from tablet_api.server import Server
from tests.browsers import ARGUMENTS
from tests.fakes.gateway import FakeGateway
from tests.tablet_api.conftest import SIZES
from tests.tablet_api.floor_of import fill, visit
from wire.query import Visit

PRESENT, CHANGES_S, SLOWED = 200, 50, 4
_TIMES = 5  # first floors
_WARM_MS = 10_000  # the first card, the first sound: what a browser compiles and opens once
_OPENSSL = [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-days",
    "2",
    "-subj",
    "/CN=localhost",
    "-addext",
    "subjectAltName=DNS:localhost",
]
# Before anything of the page runs: what the browser counts, and when the first row stands in the list.
_COUNTING = """
window.tasks = []; window.taps = []; window.firstRow = null;
new PerformanceObserver((list) => tasks.push(...list.getEntries().map((one) => [one.startTime, one.duration])))
  .observe({type: 'longtask', buffered: true});
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) if (one.name === 'click') taps.push(one.duration);
}).observe({type: 'event', buffered: true, durationThreshold: 16});
new MutationObserver(() => {
  if (window.firstRow === null && document.querySelector('.row')) window.firstRow = performance.now();
}).observe(document, {childList: true, subtree: true});
"""
_WEIGHT = """() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
  .filter((one) => !one.name.includes('/floor/stream')).reduce((sum, one) => sum + one.transferSize, 0)"""


def run(quick: bool) -> list[Row]:
    """The figures. `quick`: 20 members, 3 seconds."""
    present, seconds = (20, 3.0) if quick else (PRESENT, 60.0)
    with served(present) as (gateway, base), _browser() as chromium:
        firsts, weight = [], 0
        for _ in range(_TIMES):
            page = _opened(chromium, gateway, base, 1)
            firsts.append(page.evaluate("firstRow"))
            weight = page.evaluate(_WEIGHT)
            page.context.close()
        slow = _opened(chromium, gateway, base, SLOWED)
        first_slow = slow.evaluate("firstRow")
        began_ms = slow.evaluate("tasks.length = 0; taps.length = 0; performance.now()")
        found, taps = _busy(slow, gateway, present, seconds)
    tasks = [duration for _, duration in found]
    worst = max(tasks, default=0.0)
    warm = sum(duration > 100 for start, duration in found if start > began_ms + _WARM_MS)
    return [
        Row("page and all that it loads, over the line", f"{weight / 1000:.1f} kB"),
        Row(f"first row on the glass after the address is opened, median of {_TIMES}", f"{median(firsts):.0f} ms"),
        Row(f"the same with the processor slowed {SLOWED} times", f"{first_slow:.0f} ms"),
        Row(f"longest task in {seconds:.0f} s, slowed {SLOWED} times", f"{worst:.0f} ms" if worst else "below 50 ms"),
        Row("tasks over 100 ms", str(sum(one > 100 for one in tasks))),
        Row("of these, after the first ten seconds", str(warm)),
        Row(f"from a tap to the next picture, median of {len(taps)}", f"{median(taps):.0f} ms" if taps else "–"),
        Row("from a tap to the next picture, p99", f"{percentile(taps, 0.99):.0f} ms" if taps else "–"),
    ]


@contextmanager
def served(present: int) -> Iterator[tuple[FakeGateway, str]]:
    """A scripted gateway with so many members, the tablet API before it, and its address."""
    stopping = threading.Event()
    with tempfile.TemporaryDirectory() as folder, FakeGateway(Path(folder) / "tablets.sock") as gateway:
        gateway.now_ms = int(time.time() * 1000)
        certificate, key = Path(folder) / "certificate.pem", Path(folder) / "tls-key"
        subprocess.run(
            ["openssl", *_OPENSSL, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
        )
        fill(gateway, *_members(present, gateway.now_ms))
        link, metrics = GatewayClient(gateway.path), Metrics()
        app = application.create(link, version="0", clock=time.monotonic, stopping=stopping, metrics=metrics)
        serving = Server(app, ("127.0.0.1", 0), server.tls(certificate, key), time.monotonic, metrics)
        thread = threading.Thread(target=serving.run, args=(lambda: None,), daemon=True)
        thread.start()
        try:
            yield gateway, f"https://localhost:{serving.port}"
        finally:
            stopping.set()
            link.close()
            serving.stop()
            thread.join(10)


@contextmanager
def _browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)


def _members(present: int, now_ms: int) -> list[Visit]:
    return [visit(one, now_ms=now_ms, helps=one % 10 < 3, minutes=one % 30) for one in range(present)]


def _opened(chromium: Browser, gateway: FakeGateway, base: str, slowed: int) -> Page:
    """The page with Mara signed in and the first rows in its list; nothing is in the browser's cache."""
    width, height = SIZES["tablet"]
    context = chromium.new_context(base_url=base, viewport={"width": width, "height": height}, ignore_https_errors=True)
    for name, secret in (("tablet", gateway.pair()), ("session", gateway.sign_in())):
        cookie: Any = {"name": f"__Host-consentry-{name}", "value": forms.to_text(secret), "url": base, "secure": True}
        context.add_cookies([cookie])
    context.add_init_script(_COUNTING)
    page = context.new_page()
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slowed})
    page.goto("/")
    page.locator(".row").first.wait_for()
    return page


def _busy(
    page: Page, gateway: FakeGateway, present: int, seconds: float
) -> tuple[list[tuple[float, float]], list[float]]:
    """Long tasks (when, how long) and answers to taps, in the browser's own milliseconds, while the floor changes."""
    ending = threading.Event()
    changing = threading.Thread(target=_change, args=(gateway, present, ending), daemon=True)
    changing.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        box = page.locator("#list").bounding_box()
        if box is not None:
            page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 40 + random.random() * (box["height"] - 80))
        page.wait_for_timeout(700)
    ending.set()
    changing.join()
    return page.evaluate("tasks"), page.evaluate("taps")


def _change(gateway: FakeGateway, present: int, ending: threading.Event) -> None:
    """Somebody asks for help, is attended, is done, moves on, comes or goes: 50 times a second."""
    members = {one.handle: one for one in gateway.visits}
    spare = _members(present * 2, gateway.now_ms)[present:]
    for one in spare:
        fill_card = gateway.cards[next(iter(members))]
        gateway.put_card(replace(fill_card, handle=one.handle), tell=False)
    due = time.monotonic()
    while not ending.is_set():
        due += 1 / CHANGES_S
        time.sleep(max(0.0, due - time.monotonic()))
        handle = random.choice(list(members))
        one, kind = members[handle], random.random()
        urgent = False
        if kind < 0.1:
            del members[handle]
            other = spare.pop(0)
            spare.append(one)
            members[other.handle] = other
        elif kind < 0.4:
            members[handle] = replace(one, attended_by=None if one.attended_by else "Tom", attended_by_me=False)
        elif kind < 0.6:
            wanted = visit(random.randrange(present), now_ms=gateway.now_ms, helps=not one.help)
            members[handle] = replace(wanted, handle=handle)
            urgent = not one.help
        else:
            zone = visit(random.randrange(5), now_ms=gateway.now_ms)
            members[handle] = replace(one, zone=zone.zone, zone_label=zone.zone_label)
        ordered = sorted(
            members.values(), key=lambda visit: (not visit.help, visit.waiting_since_ms or visit.arrived_ms)
        )
        gateway.show(*ordered, urgent=urgent)
