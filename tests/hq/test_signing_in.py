"""Links, sessions and counts of tries under the hands of several programs at once, on both databases."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from hq import addresses, importer, limits, rights, sessions, signing_in
from hq.console_roles import Role
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.limits import Limit
from hq.sessions import Kind, Lasting, Way
from tests.hq.headquarters import Headquarters

MANY = 8
LASTING = Lasting(1_000_000, 5_000_000)


@pytest.fixture
def ada(hq: Headquarters) -> bytes:
    """HQ's reference of a member with an address."""
    hq.office.add_member("ada", 18, "DE", hq.now_ms)
    with writing(hq.engine) as connection:
        found = hq.keys.custody.reference(connection, "ada")
        assert found is not None
        addresses.put(connection, hq.keys.custody, found, "ada@example.com", hq.now_ms)
    return found


def at_once(work: object) -> list[object]:
    """The same by several threads."""
    with ThreadPoolExecutor(MANY) as pool:
        return list(pool.map(lambda _: work(), range(MANY)))  # type: ignore[operator]


def test_a_link_lets_in_once_however_many_ask(hq: Headquarters, ada: bytes) -> None:
    """Of several programs that are handed the same link at the same moment one lets in."""
    with writing(hq.engine) as connection:
        text = signing_in.make_link(connection, ada, hq.now_ms)
    token = base64.urlsafe_b64decode(text + "=")

    def use() -> object:
        with writing(hq.engine) as connection:
            return signing_in.use_link(connection, token, None, hq.now_ms)

    assert sorted(at_once(use), key=str) == [(ada, "/")] + [None] * (MANY - 1)


def test_a_mail_is_taken_by_one_program(hq: Headquarters, ada: bytes) -> None:
    """Each mail that is due is taken once, and by whoever comes after a minute if the taker went away."""
    with writing(hq.engine) as connection:
        signing_in.ask_link(connection, hq.keys.custody, "ada@example.com", b"b" * 32, "/", "en", hq.now_ms)

    def take(now_ms: int = hq.now_ms) -> object:
        with writing(hq.engine) as connection:
            found = signing_in.take_mail(connection, hq.keys.custody, now_ms)
            return None if found is None or found.letter is None else found.letter.address

    assert sorted(at_once(take), key=str) == sorted([None] * (MANY - 1) + ["ada@example.com"], key=str)
    assert take(hq.now_ms + 60_000) == "ada@example.com"


def test_tries_are_counted_across_programs(hq: Headquarters) -> None:
    """However many ask at once, no more than the burst are let through."""

    def take() -> object:
        with writing(hq.engine) as connection:
            return limits.take(connection, b"who", "what", Limit(burst=3, each_ms=10_000), hq.now_ms)

    taken = at_once(take)
    assert taken.count(0) == 3
    assert set(taken) == {0, 10}
    with writing(hq.engine) as connection:
        assert limits.forget(connection, hq.now_ms) == 0
        assert limits.forget(connection, hq.now_ms + 30_001) == 1


def test_a_member_has_at_most_twenty_sessions(hq: Headquarters, ada: bytes) -> None:
    """The one unused for longest ends; staff's are apart; what is over is let go."""
    custody = hq.keys.custody
    with writing(hq.engine) as connection:
        made = [
            sessions.begin(connection, custody, ada, Kind.MEMBER, Way.LINK, LASTING, "Firefox", hq.now_ms + number)
            for number in range(25)
        ]
        staff = sessions.begin_staff(connection, "n-1", "Nora", Role.PRIVACY, LASTING, hq.now_ms)
    now_ms = hq.now_ms + 100
    alive = [sessions.find_member(hq.engine, hq.keys.custody, Kind.MEMBER, one, now_ms) is not None for one in made]
    assert alive == [False] * 5 + [True] * 20
    assert sessions.find_staff(hq.engine, staff, now_ms) is not None
    assert sessions.find_staff(hq.engine, made[-1], now_ms) is None
    with writing(hq.engine) as connection:
        assert sessions.forget(connection, now_ms + LASTING.idle_ms) == 21


def test_an_address_is_one_members(hq: Headquarters, ada: bytes) -> None:
    """However it is written; found by it, and not by what only looks like it; five at most."""
    hq.office.add_member("ben", 18, "DE", hq.now_ms)
    custody = hq.keys.custody
    with writing(hq.engine) as connection:
        ben = custody.reference(connection, "ben")
        assert ben is not None
        with pytest.raises(Refused):
            addresses.put(connection, custody, ben, " ADA@Example.com", hq.now_ms)
        addresses.put(connection, custody, ada, "ada@EXAMPLE.com", hq.now_ms)
        for number in range(4):
            addresses.put(connection, custody, ada, f"a{number}@example.com", hq.now_ms)
        with pytest.raises(Refused):
            addresses.put(connection, custody, ada, "a5@example.com", hq.now_ms)
    with writing(hq.engine) as connection:
        sessions.begin(connection, custody, ada, Kind.APP, Way.LINK, LASTING, "The app", hq.now_ms)
        told = rights.export(connection, hq.keys, "ada", hq.now_ms)
        assert "ada@example.com" in told["addresses"]
        assert [(one["kind"], one["browser"]) for one in told["signed_in"]] == [("app", "The app")]
    with reading(hq.engine) as connection:
        assert len(addresses.of_member(connection, custody, ada)) == 5
        assert addresses.find(connection, custody, "Ada@example.com") == ada
        assert addresses.find(connection, custody, "ada@example.org") is None
        assert custody.reference(connection, "mail:ada@example.com") is None


def test_addresses_come_with_an_import(hq: Headquarters, ada: bytes) -> None:
    """New and known members get theirs; somebody else's, none and too many refuse their line alone; again is once."""
    rows: list[dict[str, object]] = [
        {"member": "m-1", "addresses": ["One@example.com", "one@example.com", "uno@example.com"]},
        {"member": "ada", "addresses": ["ada@example.com", "ada.b@example.com"]},
        {"member": "m-2", "addresses": ["ada@example.com"]},
        {"member": "m-3", "addresses": ["one@example.com"]},
        {"member": "m-4", "addresses": ["no address"]},
        {"member": "m-5", "addresses": [f"a{number}@example.com" for number in range(6)]},
    ]
    lines = [json.dumps(one).encode() for one in rows]
    for _ in range(2):
        report = importer.run(hq.engine, hq.keys, lines, hq.now_ms)
        assert report.taken == 2
        assert [(one.line, one.field, one.reason) for one in report.refused] == [
            (3, "addresses[0]", Reason.EXISTS),
            (4, "addresses[0]", Reason.EXISTS),
            (5, "addresses[0]", Reason.MALFORMED),
            (6, "addresses", Reason.TOO_MANY),
        ]
    custody = hq.keys.custody
    with reading(hq.engine) as connection:
        one = custody.reference(connection, "m-1")
        assert one is not None
        assert sorted(addresses.of_member(connection, custody, one)) == ["one@example.com", "uno@example.com"]
        assert len(addresses.of_member(connection, custody, ada)) == 2
        assert addresses.find(connection, custody, "uno@example.com") == one
