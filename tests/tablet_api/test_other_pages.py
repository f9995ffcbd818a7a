"""What a page of somebody else can do in the tablet's own browser: nothing, though the associate is signed in there."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import expect

from tablet_api import forms
from tablet_api.metrics import Metrics
from tests.fakes.gateway import FakeGateway, handle
from tests.tablet_api.conftest import Open
from tests.tablet_api.floor_of import fill, visit
from wire import query

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium", "openssl")]

ATTACK = """
async (box) => {
  const told = {};
  const tried = async (name, what) => {
    try { told[name] = await what(); } catch (error) { told[name] = "failed"; }
  };
  const json = { "Content-Type": "application/json" };
  const visit = `${box}/api/v1/visits/HANDLE`;
  const withdraw = { method: "POST", credentials: "include", body: '{"scope": null}' };
  await tried("read", async () => (await fetch(visit, { credentials: "include" })).text());
  await tried("blind read", async () => (await fetch(visit, { credentials: "include", mode: "no-cors" })).text());
  await tried("preflighted", async () => (await fetch(`${visit}/withdrawals`, { ...withdraw, headers: json })).text());
  await tried("simple", async () => (await fetch(`${visit}/withdrawals`, { ...withdraw, mode: "no-cors" })).text());
  await tried("beacon", async () => String(navigator.sendBeacon(`${visit}/withdrawals`, '{"scope": null}')) && "");
  const loads = (made) => new Promise((done) => {
    made.onload = () => done("loaded");
    made.onerror = () => done("failed");
    document.body.append(made);
  });
  const element = (name, attributes) => Object.assign(document.createElement(name), attributes);
  await tried("image", () => loads(element("img", { src: visit })));
  await tried("script", () => loads(element("script", { src: `${box}/api/v1/floor` })));
  await tried("events", () => new Promise((done) => {
    const events = new EventSource(`${box}/api/v1/floor/events`, { withCredentials: true });
    events.onopen = () => done("opened");
    events.onerror = () => { events.close(); done("failed"); };
  }));
  await tried("socket", () => new Promise((done) => {
    const line = new WebSocket(`${box.replace("https", "wss")}/api/v1/floor/events`);
    line.onopen = () => done("opened");
    line.onerror = () => done("failed");
  }));
  for (const [name, type] of [["form", "text/plain"], ["multipart", "multipart/form-data"]]) {
    const frame = element("iframe", { name });
    const form = element("form", { target: name, method: "post", enctype: type, action: `${visit}/withdrawals` });
    form.append(element("input", { name: '{"scope": null, "a": "', value: '"}' }));
    document.body.append(frame, form);
    await tried(name, () => new Promise((done) => {
      frame.onload = () => { try { done(frame.contentDocument.body.innerText); } catch { done("failed"); } };
      form.submit();
    }));
  }
  const framed = element("iframe", { src: `${box}/` });
  await tried("frame", () => new Promise((done) => {
    framed.onload = () => { try { done(framed.contentDocument.body.innerText); } catch { done("failed"); } };
    document.body.append(framed);
  }));
  return told;
}
"""


@pytest.fixture
def elsewhere() -> Iterator[int]:
    """The port of another page's server on loopback."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>Elsewhere</title><body></body>")

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as serving:
        thread = threading.Thread(target=serving.serve_forever, daemon=True)
        thread.start()
        yield serving.server_address[1]
        serving.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "name", ["127.0.0.1", "localhost"], ids=["another site", "the same site, as the next store is"]
)
def test_another_page_reads_and_changes_nothing(
    opened: Open, gateway: FakeGateway, elsewhere: int, metrics: Metrics, name: str
) -> None:
    """Fetches, forms, images, scripts, frames, event sources, sockets: none gets through, and refusals are counted."""
    fill(gateway, visit(1))
    page = opened("tablet")
    expect(page.get_by_text("Sports").first).to_be_visible()
    box = page.evaluate("location.origin")
    asked = len(gateway.asked)
    other = page.context.new_page()
    other.goto(f"http://{name}:{elsewhere}/")
    told = other.evaluate(ATTACK.replace("HANDLE", forms.to_text(handle(1))), box)
    assert len(told) == 12
    assert {text for text in told.values() if text != "failed"} <= {""}, told
    acts = (query.AskCard, query.Withdraw, query.Attend)
    assert not [one for one in gateway.asked[asked:] if isinstance(one, acts)]
    assert gateway.watchers == 1
    assert 'consentry_requests_refused{kind="cross-site"}' in metrics.text()
    assert page.inner_text("body").count("Sports") >= 1  # the tablet itself goes on


def test_a_page_whose_name_was_turned_to_the_box_does_not_reach_it(
    opened: Open, gateway: FakeGateway, metrics: Metrics
) -> None:
    """A browser that is told to trust anything still gets 421 by another name, and no cookie goes along."""
    page = opened("tablet", extra_http_headers={})
    port = page.evaluate("location.port")
    asked = len(gateway.asked)
    answer = page.context.request.get(
        f"https://127.0.0.1:{port}/api/v1/floor", headers={"Host": f"evil.example:{port}"}, ignore_https_errors=True
    )
    assert answer.status == 421
    assert not [one for one in gateway.asked[asked:] if isinstance(one, query.AskFloor)]
    assert 'consentry_requests_refused{kind="other-name"} 1' in metrics.text().splitlines()
