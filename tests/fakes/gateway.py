"""A gateway that a test scripts: it speaks `wire.query` on a real Unix stream socket, and decides nothing."""

import contextlib
import dataclasses
import hashlib
import os
import socket
import threading
from pathlib import Path

from tests.fakes import acts, doors
from wire import query
from wire.acts import CatalogLine
from wire.coaching import DismissHint
from wire.condition import Condition
from wire.policy import Section
from wire.query import (
    Accepted,
    Acknowledge,
    Action,
    AskCard,
    AskFloor,
    AskSession,
    AskStatus,
    Attend,
    Card,
    CardChanged,
    Conflict,
    Counter,
    DarkReason,
    Lease,
    Light,
    Line,
    Outage,
    Pair,
    Paired,
    Radio,
    Refused,
    RefusedReason,
    Reply,
    Request,
    Roster,
    SessionView,
    SignedIn,
    SignIn,
    SignOut,
    Status,
    Visit,
    Watch,
    Withdraw,
    Withheld,
)
from wire.store_figures import FigureDay
from wire.trust import AskCertificates, Certificates

NOW_MS = 1_789_000_000_000
LIVE = Lease(Light.LIVE, DarkReason.NONE, 540, 600, NOW_MS - 60_000)


def handle(number: int) -> bytes:
    """The handle of visit `number`."""
    return hashlib.sha256(f"visit {number}".encode()).digest()[:16]


class FakeGateway:
    """Holds what a test put into it; `start` and `stop` as often as wanted.

    `associates` maps an id to (display name, role, PIN); `codes` are one-time pairing codes. `asked` is every request
    in order. `refuse` answers every request but pairing and sign-in with that reason; `silent` answers nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.associates = {"mara": ("Mara", "associate", "4711"), "tom": ("Tom", "manager", "4712")}
        self.codes: set[str] = set()
        self.tablets: set[bytes] = set()
        self.certificates: Certificates | None = None
        self.sessions: dict[bytes, SessionView] = {}
        self.locked: set[bytes] = set()  # of these sessions
        self.pin_codes: dict[str, str] = {}  # by associate
        self.tablet_lines: tuple[query.TabletLine, ...] = ()
        self.figure_days: tuple[FigureDay, ...] = ()
        self.code_s = 60  # a pairing code holds so long
        self.cards: dict[bytes, Card] = {}
        self.names: dict[bytes, str] = {}  # of who introduces themself
        self.catalog: tuple[CatalogLine, ...] = ()
        self.sections: dict[tuple[bytes, Section], tuple[Line, ...]] = {}
        self.visits: tuple[Visit, ...] = ()
        self.lease = LIVE
        self.version = 1
        self.now_ms = NOW_MS
        self.asked: list[Request] = []
        self.acknowledged: list[int] = []
        self.refuse: RefusedReason | None = None
        self.silent = False
        self.garbage: bytes | None = None
        self.radios: tuple[Radio, ...] = ()
        self.condition: Condition | None = None
        self.outages: tuple[Outage, ...] = ()
        self.counters: tuple[Counter, ...] = (Counter("adverts_total", "resolved", 7),)
        self.wrong_pins = 0
        self._lock = threading.RLock()
        self._watching: dict[socket.socket, tuple[int, bytes]] = {}
        self._lines: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listening: socket.socket | None = None

    # --- coming and going --------------------------------------------------------------------------------------------

    def start(self) -> "FakeGateway":
        """Listens."""
        self.path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(str(self.path))
        listening.listen(128)
        self._listening = listening
        self._spawn(self._accept, listening)
        return self

    def stop(self) -> None:
        """Is gone, and every connection with it."""
        listening, self._listening = self._listening, None
        if listening is None:
            return
        self.path.unlink(missing_ok=True)
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        with self._lock:
            for line in self._lines:
                with contextlib.suppress(OSError):  # just closed by its own thread
                    line.shutdown(socket.SHUT_RDWR)
            threads, self._threads = self._threads, []
        for thread in threads:
            thread.join(10)

    def __enter__(self) -> "FakeGateway":
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def watchers(self) -> int:
        """How many streams follow now."""
        with self._lock:
            return len(self._watching)

    # --- what a test scripts -----------------------------------------------------------------------------------------

    def pair(self) -> bytes:
        """The secret of a tablet that is paired already."""
        secret = os.urandom(32)
        self.tablets.add(secret)
        return secret

    def sign_in(self, associate: str = "mara") -> bytes:
        """The secret of a session that is open already."""
        name, role, _ = self.associates[associate]
        secret = os.urandom(32)
        self.sessions[secret] = SessionView(associate, name, role, "Rose Street", 300, self.now_ms + 3_600_000)
        return secret

    def show(self, *visits: Visit, urgent: bool = False) -> None:
        """The roster from now on."""
        with self._lock:
            self.visits = visits
            self.version += 1
            self._tell_all(self.roster(urgent))

    def fall_out(self, *outages: Outage) -> None:
        """The receivers that are out from now on."""
        with self._lock:
            self.outages = outages
            self.version += 1
            self._tell_all(self.roster())

    def burn(self, lease: Lease) -> None:
        """The lease from now on."""
        with self._lock:
            self.lease = lease
            self.version += 1
            self._tell_all(self.roster(True))

    def put_card(self, card: Card, tell: bool = True) -> None:
        """The card of a visit from now on."""
        with self._lock:
            self.cards[card.handle] = card
            if tell:
                self._tell_all(CardChanged(card.handle, card.version))

    def drop_card(self, visit: bytes) -> None:
        """The visit may not be shown any more."""
        with self._lock:
            self.cards.pop(visit, None)
            self.show(*(one for one in self.visits if one.handle != visit), urgent=True)
            self._tell_all(CardChanged(visit, 0))

    def lock(self, session: bytes | None = None) -> None:
        """This session, or everybody's, waits for the PIN, and the streams are told so."""
        with self._lock:
            self.locked |= {session} if session is not None else set(self.sessions)
            self._tell_all(Refused(RefusedReason.LOCKED))

    def end_sessions(self) -> None:
        """Everybody is signed out, and told so on the streams."""
        with self._lock:
            self.sessions.clear()
            self._tell_all(Refused(RefusedReason.SIGNED_OUT))

    def roster(self, urgent: bool = False) -> Roster:
        """As it is now."""
        visits = self.visits if self.lease.light is Light.LIVE else ()
        outages = self.outages if self.lease.light is Light.LIVE else ()
        return Roster(self.version, self.now_ms, self.lease, visits, urgent, outages)

    # --- the socket --------------------------------------------------------------------------------------------------

    def _spawn(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                line, _ = listening.accept()
            except OSError:
                return
            with self._lock:
                self._lines.add(line)
            self._spawn(self._converse, line)

    def _converse(self, line: socket.socket) -> None:
        try:
            with line, line.makefile("rb") as reading:
                while prefix := reading.read(query.LENGTH_BYTES):
                    number, request = query.read_request(reading.read(query.length(prefix)))
                    with self._lock:
                        self.asked.append(request)
                        if self.silent:
                            continue
                        if self.garbage is not None:
                            line.sendall(self.garbage)
                            continue
                        reply = self.answer(request)
                        line.sendall(query.frame(number, reply))
                        if isinstance(request, Watch) and isinstance(reply, Roster):
                            self._watching[line] = (number, request.session)
        except OSError:
            pass
        finally:
            with self._lock:
                self._lines.discard(line)
                self._watching.pop(line, None)

    def _tell_all(self, reply: Reply) -> None:
        for line, (number, _) in list(self._watching.items()):
            try:
                line.sendall(query.frame(number, reply))
            except OSError:
                self._watching.pop(line, None)

    # --- answers -----------------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Reply:
        """As scripted."""
        if isinstance(request, Pair):
            return self._pair(request)
        if isinstance(request, SignIn):
            return self._sign_in(request)
        if isinstance(request, AskCertificates):
            if self.certificates is None:
                return Refused(RefusedReason.MALFORMED)
            same = request.held == tuple(one.id for one in self.certificates.kits)
            return Accepted() if same else self.certificates
        if isinstance(request, AskStatus):
            return Status(
                "rose-street", "Rose Street", self.lease, "0.1.0", len(self.sessions), len(self.tablets),
                sum(visit.help for visit in self.visits), self.counters, self.radios, (), self.condition,
            )  # fmt: skip
        if self.refuse is not None:
            return Refused(self.refuse, 3 if self.refuse in (RefusedReason.BUSY, RefusedReason.THROTTLED) else 0)
        secret = self._secret_of(getattr(request, "session", None) or b"")
        if isinstance(request, doors.REQUESTS):
            return doors.answer(self, request, secret)
        view = self.sessions.get(secret)
        if view is None:
            return Refused(RefusedReason.SIGNED_OUT)
        if secret in self.locked and not isinstance(request, SignOut):
            return Refused(RefusedReason.LOCKED)
        match request:
            case SignOut():
                self.sessions.pop(secret)
                return Accepted()
            case AskSession():
                return view
            case AskFloor() | Watch():
                return self.roster()
            case Acknowledge(_, version):
                self.acknowledged.append(version)
                return Accepted()
            case AskCard(_, visit, section):
                return self._card(visit, section, view)
            case Attend(_, visit, action):
                return self._attend(visit, action, view)
            case Withdraw(_, visit, scope):
                return self._withdraw(visit, scope)
            case DismissHint(_, hint):
                return Accepted() if hint == "ask-first" else Withheld()
            case query.Leave():
                return Refused(RefusedReason.DARK) if self.lease.light is Light.LOCKED else Accepted()
            case _:
                return acts.answer(self, request, view)

    def _secret_of(self, bound: bytes) -> bytes:
        """The session whose secret stands beside a paired tablet's; itself where a test asks with the bare secret."""
        both = ((tablet, session) for tablet in self.tablets for session in self.sessions)
        return next((session for tablet, session in both if query.bound(tablet, session) == bound), bound)

    def _pair(self, request: Pair) -> Reply:
        if request.code not in self.codes:
            return Refused(RefusedReason.WRONG)
        self.codes.discard(request.code)
        return Paired(self.pair(), f"tablet-{len(self.tablets)}", "rose-street", "Rose Street")

    def _sign_in(self, request: SignIn) -> Reply:
        if request.tablet not in self.tablets:
            return Refused(RefusedReason.UNPAIRED)
        if self.wrong_pins >= 5:
            return Refused(RefusedReason.THROTTLED, 30)
        typed = request.associate.casefold()
        meant = next((one for one, said in self.associates.items() if typed in (one, said[0].casefold())), "")
        _, _, pin = self.associates.get(meant, ("", "", None))
        if request.pin != pin:
            self.wrong_pins += 1
            return Refused(RefusedReason.WRONG)
        self.wrong_pins = 0
        secret = self.sign_in(meant)
        return SignedIn(secret, self.sessions[secret])

    def _card(self, visit: bytes, section: Section | None, view: SessionView) -> Reply:
        card = self.cards.get(visit)
        if card is None or self.lease.light is not Light.LIVE:
            return Withheld()
        card = dataclasses.replace(card, attended_by_me=card.attended_by == view.name)
        if section is None:
            return card
        return dataclasses.replace(card, section=section, lines=self.sections.get((visit, section), ()))

    def _attend(self, visit: bytes, action: Action, view: SessionView) -> Reply:
        card = self.cards.get(visit)
        if card is None:
            return Withheld()
        if action is Action.ATTENDING and card.attended_by not in (None, view.name):
            return Conflict(card.attended_by)
        name = view.name if action is Action.ATTENDING else None
        waits = action is Action.ATTENDING
        change = {"attended_by": name, "help": waits}
        if not waits:
            change |= {"waiting_since_ms": None, "sign_colour": None, "sign_digits": None}
        self.put_card(dataclasses.replace(card, version=card.version + 1, **change))
        self.show(
            *(
                dataclasses.replace(one, **change, attended_by_me=name is not None) if one.handle == visit else one
                for one in self.visits
            )
        )
        return Accepted()

    def _withdraw(self, visit: bytes, scope: str | None) -> Reply:
        card = self.cards.get(visit)
        if card is None:
            return Withheld()
        if scope is None:
            self.drop_card(visit)
            return Accepted()
        lead = tuple(line for line in card.lead if line.scope != scope)
        for key, lines in list(self.sections.items()):
            if key[0] == visit:
                self.sections[key] = tuple(line for line in lines if line.scope != scope)
        left = tuple(one for one in card.sections if self.sections.get((visit, one)))
        self.put_card(dataclasses.replace(card, version=card.version + 1, lead=lead, sections=left))
        return Accepted()
