"""What fails in a store, fails closed, and comes back by itself."""

import time
from collections.abc import Callable, Iterator

import pytest

from demo.store import now_ms
from demo.tablet import Stream, Tablet
from tests.system.store import PIN, STORE, TEXTS, Shop, grants, of_value, shown_of, until
from wire.member import Mode
from wire.token import Kind

pytestmark = pytest.mark.system

LEASE_S = 6.0  # of the test's policy
MARGIN_S = 5.0  # a tick of the gateway, the way to the tablet, and a busy machine


@pytest.fixture
def tablet(shop: Shop) -> Tablet:
    """A paired tablet with an associate signed in."""
    return shop.tablet()


@pytest.fixture
def stream(shop: Shop, tablet: Tablet) -> Iterator[Stream]:
    """The floor as that tablet follows it, live at first."""
    followed = tablet.follow()
    shop.sees(followed, live, "a live store")
    yield followed
    followed.close()


def live(now: Stream) -> bool:
    """Whether the store may disclose."""
    return now.lease.get("light") == "live"


def dark(now: Stream) -> bool:
    """Whether it may not."""
    return now.lease.get("light") in ("dark", "locked")


def gone(handle: str) -> Callable[[Stream], bool]:
    """Whether a visit is on the roster no more."""
    return lambda now: all(one["handle"] != handle for one in now.visits)


def test_without_hq_the_store_goes_dark_and_comes_back_by_itself(shop: Shop, tablet: Tablet, stream: Stream) -> None:
    """HQ stops: dark within the lease, with the reason, cards too; HQ is back: live, the visit is there again."""
    person = shop.join(Mode.HELP)
    handle = shop.call_for_help(person, stream)
    shop.stop("hq")
    began = time.monotonic()
    shop.sees(stream, dark, "darkness", LEASE_S + MARGIN_S + 10)
    assert time.monotonic() - began <= LEASE_S + MARGIN_S, "the lease was longer than it may be"
    assert stream.lease["reason"] == "no-word"
    assert stream.visits == ()
    assert stream.seen[-1][0] in ("dark", "beat")
    assert tablet.card(handle).status == 503
    assert tablet.floor().body["visits"] == []
    shop.start("hq")
    shop.sees(stream, lambda now: live(now) and any(one["help"] for one in now.visits), "light and the call for help")
    shop.silent(person)


def test_without_the_broker_the_same(shop: Shop, stream: Stream) -> None:
    """The broker ends: dark within the lease; it starts again: both ends find it by themselves."""
    shop.stop("broker")
    shop.sees(stream, dark, "darkness", LEASE_S + MARGIN_S + 10)
    assert stream.lease["reason"] == "no-word"
    shop.start("broker")
    shop.sees(stream, live, "light", 60)
    person = shop.join(Mode.HELP)
    shop.call_for_help(person, stream)  # and changes arrive again
    shop.silent(person)


def test_a_broker_that_restarts_within_the_lease_is_not_noticed(shop: Shop, stream: Stream) -> None:
    """A restart of a second leaves no darkness on the tablets, and changes still arrive."""
    told = len(stream.seen)
    shop.stop("broker")
    shop.start("broker")
    person = shop.join(Mode.HELP)
    shop.call_for_help(person, stream)
    assert [name for name, _ in stream.seen[told:] if name == "dark"] == []
    shop.silent(person)


def test_killed_right_after_a_withdrawal_by_hq_it_is_still_withdrawn(
    shop: Shop, tablet: Tablet, stream: Stream
) -> None:
    """The gateway is killed the moment a withdrawal shows; after the restart the member is never seen again."""
    person, other = shop.join(Mode.OPEN), shop.join(Mode.OPEN)
    handle = shop.arrive(person, stream)
    shop.store.office.withdraw(person.member, now_ms())
    shop.sees(stream, gone(handle), "the departure")
    shop.kill("gateway")
    shop.stop("hq")  # so that nothing can be mended from there
    shop.start("gateway")
    assert shop.store.light().light == "locked"
    shop.start("hq")
    floor = shop.tablet().follow()  # sessions live in the gateway's memory alone
    shop.says(other, Kind.PRESENCE)
    shop.sees(floor, lambda now: live(now) and len(now.visits) == 1, "the other's arrival")
    for _ in range(30):
        assert len(floor.visits) <= 1
        time.sleep(0.1)
    shop.sees(floor, lambda now: live(now) and len(now.visits) == 1, "the other alone")
    floor.close()
    shop.silent(person)
    shop.silent(other)


def test_killed_right_after_a_withdrawal_in_the_store_it_is_still_withdrawn(
    shop: Shop, tablet: Tablet, stream: Stream
) -> None:
    """HQ is away, the shopper withdraws in person, the gateway is killed at once: nothing of it is lost."""
    person = shop.join(Mode.HELP)
    handle = shop.call_for_help(person, stream)
    shop.stop("hq")
    assert tablet.withdraw(handle, None).status == 204
    shop.kill("gateway")
    shop.start("gateway")
    shop.start("hq")
    other = shop.join(Mode.HELP)
    floor = shop.tablet().follow()
    shop.call_for_help(other, floor)
    assert sum(one["help"] for one in floor.visits) == 1
    until(lambda: not standing(shop, person.member), what="HQ's own record of the withdrawal")
    floor.close()
    shop.silent(person)
    shop.silent(other)


def test_what_was_withdrawn_in_the_store_no_later_edit_brings_back(shop: Shop, tablet: Tablet, stream: Stream) -> None:
    """HQ is away: the field goes at once; edits that HQ made before it knew come in, and never show it again."""
    person = shop.join(Mode.HELP, TEXTS)
    handle = shop.call_for_help(person, stream)
    assert person.values["size.shoe"] in shown_of(tablet.card(handle).body)
    shop.stop("hq")
    assert tablet.withdraw(handle, "size.shoe").status == 204
    card = tablet.card(handle)
    assert card.status == 200
    assert person.values["size.shoe"] not in shown_of(card.body)
    edited = f"{person.values['size.shoe']}-edited"
    fields = [of_value("size.shoe", edited, now_ms() // 1000), of_value("fit.jacket", "cnryfit2", now_ms() // 1000)]
    shop.store.office.set_profile(person.member, fields, now_ms())  # on its way before HQ hears of the withdrawal
    shop.start("hq")
    seen = ""
    end = time.monotonic() + 60
    while "cnryfit2" not in seen or grants(shop, person.member, "size.shoe"):
        assert time.monotonic() < end, "the edit did not arrive, or HQ did not fold the withdrawal in"
        answer = tablet.card(handle)
        if answer.status == 200:
            seen = shown_of(answer.body)
            assert person.values["size.shoe"] not in seen
            assert '"size.shoe"' not in seen
        time.sleep(0.05)
    later = [
        of_value("size.shoe", f"{edited}-again", now_ms() // 1000),
        of_value("fit.jacket", "cnryfit3", now_ms() // 1000),
    ]
    shop.store.office.set_profile(person.member, later, now_ms())
    until(lambda: "cnryfit3" in shown_of(tablet.card(handle).body), what="the later edit")
    assert '"size.shoe"' not in shown_of(tablet.card(handle).body)
    shop.silent(person)
    tablet.attend(handle, "done")


def test_a_withdrawal_in_the_store_is_told_to_hq(shop: Shop, tablet: Tablet, stream: Stream) -> None:
    """Everything withdrawn in person while HQ is there: gone at once, and HQ withdraws it too."""
    person = shop.join(Mode.HELP)
    handle = shop.call_for_help(person, stream)
    assert tablet.withdraw(handle, None).status == 204
    shop.sees(stream, gone(handle), "the departure", 2)
    assert tablet.card(handle).status == 404
    until(lambda: not standing(shop, person.member), what="HQ's own record of the withdrawal")
    shop.silent(person)


def test_without_the_gateway_the_tablets_say_so(shop: Shop, stream: Stream) -> None:
    """The gateway is killed: the page is told at once why nothing is shown; started again, it comes back by itself."""
    shop.kill("gateway")
    shop.sees(stream, dark, "darkness", 5)
    assert stream.lease["reason"] == "no-gateway"
    assert stream.visits == ()
    shop.start("gateway")
    followed = shop.tablet().follow()
    shop.sees(followed, live, "light", 60)
    followed.close()


def test_without_the_tablet_api_the_store_goes_on(shop: Shop) -> None:
    """The tablet API is killed and started again: a new sign-in sees the floor as it is."""
    person = shop.join(Mode.HELP)
    first = shop.tablet()
    before = first.follow()
    shop.call_for_help(person, before)
    shop.kill("tablets")
    shop.start("tablets")
    assert any(one["help"] for one in first.floor().body["visits"])  # sessions live in the gateway
    before.close()
    shop.silent(person)


def test_a_box_that_starts_without_hq_stays_locked(shop: Shop, stream: Stream) -> None:
    """No share, no cache: locked, with the reason; nothing can be signed in to or seen until HQ is there."""
    shop.stop("hq")
    shop.stop("gateway")
    shop.start("gateway")
    lease = shop.store.light()
    assert (lease.light, lease.reason) == ("locked", "starting")
    tablet = Tablet(shop.store.address)
    tablet.pair(shop.store.pairing_code(), "Too early")
    assert tablet.sign_in(shop.associate, PIN).status != 201
    shop.start("hq")
    shop.store.wait_live(60)


def standing(shop: Shop, member: str) -> bool:
    """Whether HQ still has the member in the store's audience."""
    from sqlalchemy import select

    from hq.database import reading
    from hq.tables import audience

    office = shop.store.office
    with reading(office.engine) as connection:
        reference = office.keys.custody.reference(connection, member)
        chosen = select(audience.c.present).where(audience.c.store == STORE, audience.c.member == reference)
        return bool(connection.scalar(chosen))
