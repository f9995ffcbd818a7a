"""A tablet in a world: paired, with somebody signed in, or not.

Pure: no I/O, no clock.
"""

from collections.abc import Callable

from store_gateway.doors import PinMaking
from store_gateway.gateway import Asker, Checking
from store_gateway.pins import PinChecker
from tests.world import PIN, World
from wire import query
from wire.query import Refused, RefusedReason

OPERATOR = Asker(True, None)
ANYBODY = Asker(False, None)
CHECKER = PinChecker(lambda work, verdict, token: None)  # the real argon2, in this thread
LOCKED = Refused(RefusedReason.LOCKED)
SIGNED_OUT = Refused(RefusedReason.SIGNED_OUT)
UNPAIRED = Refused(RefusedReason.UNPAIRED)
WRONG = Refused(RefusedReason.WRONG)
FORBIDDEN = Refused(RefusedReason.FORBIDDEN)
DARK = Refused(RefusedReason.DARK)


class Pad:
    """See the module. Of whoever set no PIN of their own here, it is `PIN`, whatever the verifier."""

    def __init__(self, world: World, associate: str | None = "ada", label: str = "", browser: str = "") -> None:
        self.world = world
        code = world.gateway.answer(query.MintPairing(), OPERATOR, world.now_s)
        assert isinstance(code, query.PairingCode)
        paired = world.ask(query.Pair(code.code, label, browser))
        assert isinstance(paired, query.Paired), paired
        self.secret, self.id = paired.tablet, paired.id
        self.session = bytes(32)
        if associate is not None:
            assert isinstance(self.sign_in(associate), query.SignedIn)

    def sign_in(self, associate: str, pin: str = PIN, browser: str | None = None) -> query.Reply:
        """Name and PIN; from then on the tablet has that session."""
        reply = self.finished(query.SignIn(self.secret, associate, pin, browser))
        if isinstance(reply, query.SignedIn):
            self.session = query.bound(self.secret, reply.session)
        return reply

    def unlock(self, pin: str = PIN) -> query.Reply:
        """The PIN on the screen that asks for it."""
        return self.finished(query.Unlock(self.session, pin))

    def set_pin(self, associate: str, code: str, pin: str) -> query.Reply:
        """A one-time code and a new PIN."""
        return self.finished(query.SetPin(self.secret, associate, code, pin))

    def floor(self) -> query.Reply:
        """What the tablet shows."""
        return self.world.ask(query.AskFloor(self.session))

    def finished(self, asked: query.Request, meanwhile: Callable[[], object] = lambda: None) -> query.Reply:
        """The answer, also to what waits for a PIN; `meanwhile` happens while it is verified."""
        world = self.world
        reply = world.gateway.answer(asked, ANYBODY, world.now_s)
        if isinstance(reply, Checking):
            work = reply.check
            meanwhile()
            if isinstance(work, PinMaking):
                verdict: bool | str = CHECKER.make(work.pin)
            elif work.verifier.startswith("$argon2id$"):
                verdict = CHECKER.verify(work)
            else:
                verdict = work.pin == PIN and bool(work.verifier)
            reply = world.gateway.pin_checked(work, verdict, world.now_s)
        world.settle()
        return reply


def idles(world: World, seconds: float = 301) -> None:
    """Nobody touches anything for so long."""
    world.now_s += seconds
    world.gateway.tick(world.now_s)
    world.settle()
