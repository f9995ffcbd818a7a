"""What an order does to the tablets: the real gateway on a real cache, HQ in memory."""

import secrets
from dataclasses import replace

import pytest

from store_gateway.doors import SIGNED_OUT, UNPAIRED
from store_gateway.gateway import Asker, Checking, Gateway
from tests.fakes.hq import STORE, FakeHQ, Line, an_associate
from wire import query
from wire.query import DarkReason, Light
from wire.sync import Outcome, RefusalReason, Verb


class Stream:
    """The far end of a tablet's stream."""

    def __init__(self) -> None:
        self.pushed: list[query.Reply] = []
        self.finished: list[query.Reply] = []

    def push(self, reply: query.Reply) -> None:
        """Something to show."""
        self.pushed.append(reply)

    def finish(self, reply: query.Reply) -> None:
        """The last word."""
        self.finished.append(reply)


class Counter:
    """A gateway, one tablet with an associate on it, and its stream."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.gateway = Gateway(STORE, "test/1", line.replica, secrets.token_bytes, lambda order: None)
        self.gateway.tick(line.now_s)
        code = self.ask(query.MintPairing(), operator=True)
        assert isinstance(code, query.PairingCode)
        paired = self.ask(query.Pair(code.code, "Till", "Fox"))
        assert isinstance(paired, query.Paired)
        self.tablet = paired
        signed_in = self.gateway.pin_checked(self.checking().check, True, line.now_s)
        assert isinstance(signed_in, query.SignedIn)
        self.session = query.bound(self.tablet.tablet, signed_in.session)
        self.stream = Stream()
        self.gateway.answer(query.Watch(self.session), Asker(False, self.stream), line.now_s)

    def ask(self, request: query.Request, *, operator: bool = False) -> query.Reply | Checking:
        """An answer."""
        return self.gateway.answer(request, Asker(operator, None), self.line.now_s)

    def checking(self) -> Checking:
        """A sign-in that waits for its PIN."""
        checking = self.ask(query.SignIn(self.tablet.tablet, "ada", "1"))
        assert isinstance(checking, Checking)
        return checking

    def order(self, verb: Verb, subject: bytes | None = None) -> Outcome:
        """HQ orders something, on the fast lane."""
        order = self.line.hq.order(verb, subject)
        self.gateway.on_message(self.line.hq.say(order), True, self.line.now_s)
        self.gateway.tell(self.line.now_s)
        for _ in range(20):
            for payload in self.gateway.outgoing():
                for answer in self.line.hq.answer(payload, self.line.now_ms):
                    self.gateway.on_message(answer, False, self.line.now_s)
            self.line.now_s += 0.2
            self.gateway.tick(self.line.now_s)
        return self.line.hq.dones[-1].outcome


@pytest.fixture
def counter(line: Line, hq: FakeHQ) -> Counter:
    """A tablet that follows the floor."""
    line.tell(hq.staff("ada", replace(an_associate(), pin_verifier="verifier")))
    return Counter(line)


def test_an_unpaired_tablet_loses_session_and_stream_at_once(counter: Counter) -> None:
    """A PIN that is being verified opens no new one, and the tablet itself is unknown."""
    waiting = counter.checking()
    assert counter.order(Verb.UNPAIR, counter.tablet.id.encode()) is Outcome.DONE
    assert counter.stream.finished == [SIGNED_OUT]
    assert counter.ask(query.AskFloor(counter.session)) == SIGNED_OUT
    assert counter.gateway.pin_checked(waiting.check, True, counter.line.now_s) == UNPAIRED
    assert counter.ask(query.SignIn(counter.tablet.tablet, "ada", "1")) == UNPAIRED


def test_a_lockdown_is_told_to_every_stream_with_its_reason(counter: Counter) -> None:
    """An empty floor, pushed at once."""
    counter.line.hq.refuse = RefusalReason.LOCKDOWN
    assert counter.order(Verb.LOCKDOWN) is Outcome.DONE
    rosters = [one for one in counter.stream.pushed if isinstance(one, query.Roster)]
    assert (rosters[0].lease.light, rosters[0].lease.reason, rosters[0].visits) == (
        Light.LOCKED, DarkReason.LOCKDOWN, (),
    )  # fmt: skip
    assert rosters[0].urgent
