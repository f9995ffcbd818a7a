"""The probe at the gateway: what it may do, and that nobody else sees anything of the synthetic member."""

from dataclasses import replace

import pytest

from store_gateway.errors import CacheReason
from store_gateway.gateway import Asker
from tests.fakes.replica import MEMBERS_KEY
from tests.world import Tablet, World, a_member, a_policy
from wire import query, sync, synthetic
from wire.member import Mode, Staff
from wire.policy import Role
from wire.query import Refused, RefusedReason, Seen
from wire.sighting import Batch, Sighting
from wire.token import Kind, day_key, day_of_slot, token

SEES = Asker(False, None, probe=True)


class Store(World):
    """A store with its synthetic member's role and associate."""

    def __init__(self) -> None:
        policy = a_policy()
        roles = (*policy.main.roles, Role(synthetic.ROLE, "Synthetic", True))
        super().__init__(replace(policy, main=replace(policy.main, roles=roles)))
        self.hq_says(self.replica.put_staff(synthetic.ASSOCIATE, Staff("Probe", synthetic.ROLE, "verifier", True)))

    def kit(self) -> query.ProbeKit:
        """What the probe asks for."""
        kit = self.gateway.answer(query.AskProbe(), SEES, self.now_s)
        assert isinstance(kit, query.ProbeKit)
        return kit

    def probes(self) -> Tablet:
        """The probe's tablet, paired with its code, signed in, following its floor."""
        paired = self.ask(query.Pair(self.kit().code, "anything", ""))
        assert isinstance(paired, query.Paired)
        self.secret = paired.tablet
        signed_in = self.sign_in(paired.tablet, synthetic.ASSOCIATE)
        assert isinstance(signed_in, query.SignedIn)
        tablet = Tablet(signed_in.session)
        first = self.gateway.answer(query.Watch(tablet.session), Asker(False, tablet), self.now_s)
        assert isinstance(first, query.Roster)
        tablet.pushed.append(first)
        return tablet

    def joins_synthetic(self) -> bytes:
        """HQ grants the synthetic member; returns its pseudonym."""
        member = a_member(self.now_ms // 1000, Mode.OPEN, (), "synthetic")
        (presence,) = (one for one in member.statements if one.purpose == "presence")
        found = replace(member, statements=(replace(presence, roles=(synthetic.ROLE,)),), fields=())
        pseudonym = b"s" * 16
        self.hq_says(self.replica.put_keys(self.day, pseudonym, (day_key(self.kit().secret, self.day),)))
        self.hq_says(self.replica.put_member(pseudonym, found))
        return pseudonym

    def advertises(self, seconds: float, *, secret: bytes | None = None, node: str = synthetic.NODE) -> None:
        """The probe says that it hears this phone, twice a second."""
        for _ in range(round(seconds * 2)):
            slot = self.now_ms // 600_000
            key = day_key(secret or self.kit().secret, day_of_slot(slot))
            at_ms = int(self.now_s * 1000)
            heard = Sighting(node, token(key, Kind.PRESENCE, slot), 0, 1, at_ms, at_ms)
            self.gateway.on_probe(Batch(node, (heard,)), self.now_s)
            self.settle()
            self.passes(0.5)


def _visits(tablet: Tablet) -> list[int]:
    return [len(one.visits) for one in tablet.pushed if isinstance(one, query.Roster)]


def test_the_probe_sees_the_grant_come_and_the_withdrawal_go() -> None:
    """Its stream shows one visit after the grant and none after the withdrawal, though the phone goes on."""
    store = Store()
    tablet = store.probes()
    store.advertises(10)
    assert _visits(tablet)[-1] == 0
    pseudonym = store.joins_synthetic()
    store.advertises(10)
    assert _visits(tablet)[-1] == 1
    store.hq_says(store.replica.put_member(pseudonym, None))
    assert _visits(tablet)[-1] == 0
    store.advertises(10)
    assert _visits(tablet)[-1] == 0


def test_nobody_else_sees_anything_of_it() -> None:
    """Not on a roster, not by a count, not in a figure of the status, whoever asks."""
    store, without = Store(), Store()
    probe = store.probes()
    store.joins_synthetic()
    store.advertises(10)
    without.passes(10)
    assert _visits(probe)[-1] == 1
    for associate in ("ada", "max"):
        tablet = store.tablet(associate, watches=True)
        assert store.floor(tablet).visits == ()
        handle = next(one for one in probe.pushed if isinstance(one, query.Roster) and one.visits).visits[0].handle
        assert store.card(tablet, handle) == query.Withheld()
        assert isinstance(store.ask(query.Withdraw(tablet.session, handle, None)), query.Withheld)
        without.tablet(associate, watches=True)
    for operator in (False, True):
        seen, bare = (one.gateway.status(one.now_s, operator=operator) for one in (store, without))
        assert (seen.sessions, seen.tablets, seen.visits_open) == (bare.sessions, bare.tablets, bare.visits_open)
        assert seen.radios == bare.radios
        moved = {"directory_tokens", "directory_phones"}  # of the keys alone; the operator's
        assert [one for one in seen.counters if one.name not in moved] == [
            one for one in bare.counters if one.name not in moved
        ]


def test_a_call_for_help_counts_as_if_there_were_no_synthetic_role() -> None:
    """What every role sees is still what every person's role sees."""
    store = Store()
    person = store.joins(Mode.HELP)
    for _ in range(4):
        store.hears(person, Kind.HELP)
        store.passes(0.5)
    assert store.gateway.status(store.now_s, operator=False).visits_open == 1


def test_the_probe_can_say_nothing_of_another_phone() -> None:
    """Its datagrams count only with the synthetic phone's own tokens, at its own receiver."""
    store = Store()
    person = store.joins(Mode.OPEN)
    store.advertises(10, secret=person.secret)
    store.joins_synthetic()
    assert store.tablet_sees() == ()
    probe = store.probes()
    store.advertises(10, node="shoes-1")
    assert _visits(probe)[-1] == 0


def test_the_probes_tablet_takes_nobody_else_and_nobody_elses_takes_its_associate() -> None:
    """A right PIN helps neither; a tablet that calls itself the probe's is none."""
    store = Store()
    store.probes()
    assert store.sign_in(store.secret, "ada") == Refused(RefusedReason.WRONG)
    code = store.gateway.answer(query.MintPairing(), Asker(True, None), store.now_s)
    assert isinstance(code, query.PairingCode)
    other = store.ask(query.Pair(code.code, synthetic.LABEL, ""))
    assert isinstance(other, query.Paired)
    assert store.sign_in(other.tablet, synthetic.ASSOCIATE) == Refused(RefusedReason.WRONG)
    store.passes(2)  # after a wrong try
    assert isinstance(store.sign_in(other.tablet, "bo"), query.SignedIn)


def test_the_probe_pairs_anew_in_the_place_of_its_old_tablet() -> None:
    """However often it starts, one tablet of it is kept; its code works once; it takes no place of people's."""
    store = Store()
    for _ in range(3):
        store.probes()
    assert [one.label for one in store.replica.tablets()] == [synthetic.LABEL]
    assert store.gateway.status(store.now_s, operator=True).tablets == 0
    kit = store.kit()
    assert isinstance(store.ask(query.Pair(kit.code, "", "")), query.Paired)
    assert isinstance(store.ask(query.Pair(kit.code, "", "")), Refused)


def test_only_the_probe_is_given_what_is_the_probes_and_nothing_else() -> None:
    """Neither tablets nor operators get its kit; it gets no status, no code and no floor on its socket."""
    store = Store()
    for asker in (Asker(False, None), Asker(True, None)):
        for request in (query.AskProbe(), query.TellProbe(Seen.GONE)):
            assert store.gateway.answer(request, asker, store.now_s) == Refused(RefusedReason.FORBIDDEN)
    for request in (query.AskStatus(), query.MintPairing(), query.AskFloor(bytes(32))):
        assert store.gateway.answer(request, SEES, store.now_s) == Refused(RefusedReason.FORBIDDEN)
    assert store.kit().secret == synthetic.phone_secret(MEMBERS_KEY)


def test_what_the_probe_saw_is_an_event_once_for_each_change() -> None:
    """Repeats are taken and recorded once; a flood is told to wait; a full disk is told so, and it says it again."""
    store = Store()

    def tell(seen: Seen) -> query.Reply:
        reply = store.gateway.answer(query.TellProbe(seen), SEES, store.now_s)
        store.passes(0.1)
        return reply

    assert tell(Seen.GONE) == tell(Seen.GONE) == query.Accepted()
    store.passes(1)
    store.replica.fail = CacheReason.DISK_FULL
    assert tell(Seen.SHOWN) == Refused(RefusedReason.DARK, 1)
    store.replica.fail = None
    assert tell(Seen.SHOWN) == query.Accepted()
    assert tell(Seen.GONE) == Refused(RefusedReason.BUSY, 1)
    told = [body.seen for kind, _, body in store.replica.events if kind is sync.EventKind.SYNTHETIC]  # type: ignore[attr-defined]
    assert told == [Seen.GONE, Seen.SHOWN]


def test_before_there_is_trusted_time_there_is_no_kit() -> None:
    """A phone without the time advertises nothing."""
    store = Store()
    store.replica.epoch_ms = None
    assert store.gateway.answer(query.AskProbe(), SEES, store.now_s) == Refused(RefusedReason.DARK, 1)
    store.gateway.on_probe(Batch(synthetic.NODE, (Sighting(synthetic.NODE, bytes(16), 0, 1, 1, 1),)), store.now_s)


@pytest.mark.parametrize("key", [bytes(32), MEMBERS_KEY])
def test_phone_and_pin_derive_from_the_members_key(key: bytes) -> None:
    """Stable, different, twelve digits; another store's key gives others."""
    assert len(synthetic.phone_secret(key)) == 32
    assert synthetic.pin(key).isdecimal() and len(synthetic.pin(key)) == 12
    assert synthetic.phone_secret(key) != synthetic.phone_secret(b"\xff" * 32)
