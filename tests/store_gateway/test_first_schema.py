"""A cache file of the first schema opens in every later version, with all that is in it.

`python -m tests.store_gateway.test_first_schema FILE` made the file that is kept; it is never made again.
"""

import shutil
import sys
from pathlib import Path

import pytest

from store_gateway.cache import Cache
from store_gateway.epochs import Epochs
from store_gateway.seal import Entropy
from store_gateway.vault import Tablet, Vault
from tests.fakes.hq import STORE, TODAY, FakeHQ, a_main_policy, a_member, a_store_policy, an_associate
from wire import schema, sync
from wire.member import Mode
from wire.sync import Collection, EventKind

KEPT = Path(__file__).parent.parent / "vectors" / "cache-v1.sqlite3"
SECRET, SHARE = b"cache-v1 test box secret.......!", b"cache-v1 test share of HQ......!"  # of this file alone
INSTANCES = {
    sync.instance(Collection.MEMBERS, STORE): b"m" * 32,
    sync.instance(Collection.STAFF, STORE): b"s" * 32,
    sync.instance(Collection.POLICY, "main"): b"p" * 32,
    sync.instance(Collection.KEYRING, STORE, TODAY): b"k" * 32,
}
ADA, BEN, EVE = (bytes([n]) * 16 for n in (1, 2, 3))
WITHDRAWAL = sync.Withdrawal("size.shoe", "ada", "tablet-1")
TABLET = Tablet("tablet-1", b"h" * 32, "Till 1", "Fox", 1_795_262_400_000)


def counting() -> Entropy:
    """Bytes that differ each time and are the same in every run."""
    numbers = iter(range(1, 1_000_000))
    return lambda length: next(numbers).to_bytes(4, "big").rjust(length, b"\x5a")


def unlocked(file: Path) -> Vault:
    """What is in a file that is opened by the test's keys."""
    entropy = counting()
    cache = Cache(file, entropy)
    epochs = Epochs(cache, SECRET, (sync.EpochShare(1, SHARE),), entropy)
    return Vault(cache, epochs, entropy, STORE)


def make(file: Path) -> None:
    """Writes one of everything."""
    hq = FakeHQ()
    for name, digest_key in INSTANCES.items():
        hq.instances[name].digest_key = digest_key
    vault = unlocked(file)
    vault.holdings.learn(sync.DigestKey(name, key) for name, key in INSTANCES.items())
    for message in (
        hq.member(ADA, a_member(Mode.OPEN)),
        hq.member(BEN, a_member()),
        hq.member(EVE, a_member()),
        hq.member(EVE, None),
        hq.staff("ada", an_associate()),
        hq.policy(a_main_policy(), a_store_policy()),
        hq.keys_of(TODAY, [(ADA, (b"x" * 16, b"y" * 16))]),
    ):
        vault.apply(message.parts, 0.0)
    vault.deny(BEN, WITHDRAWAL, 1_795_262_400_000, 0.0)
    with vault.writing(0.0):
        vault.paired.put(TABLET)  # its event went up long ago
    vault._cache.close()


@pytest.fixture(params=["kept", "of today"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of the file that is kept; and one that this version writes, which must hold the same."""
    copy = tmp_path / "cache.sqlite3"
    if request.param == "kept":
        shutil.copy(KEPT, copy)
    else:
        make(copy)
    return copy


def test_everything_in_it_is_there(file: Path) -> None:
    """Records with their roots, the policy in force, keys, a denial, its event, a tablet."""
    vault = unlocked(file)
    assert vault.member(ADA) == a_member(Mode.OPEN)
    assert vault.member(BEN) == a_member()
    assert vault.member(EVE) is None
    assert vault.staff("ada") == an_associate()
    assert vault.policy is not None
    assert (vault.policy.main, vault.policy.store) == (a_main_policy(), a_store_policy())
    assert list(vault.keyring(TODAY)) == [(ADA, (b"x" * 16, b"y" * 16))]
    assert vault.denied(BEN).scopes == {"size.shoe"}
    assert vault.tablets() == (TABLET,)
    (event,) = vault.outbox.batch(0.0)
    assert (event.number, event.kind, event.pseudonym) == (1, EventKind.WITHDRAWAL, BEN)
    assert schema.decode(sync.Withdrawal, event.body) == WITHDRAWAL
    assert {held.instance: held.count for held in vault.holdings.held()} == {
        f"members/{STORE}": 2, f"staff/{STORE}": 1, "policy/main": 2, f"keyring/{STORE}/{TODAY}": 1,
    }  # fmt: skip
    vault._cache.close()


def test_it_can_be_written_and_its_tombstone_holds(file: Path) -> None:
    """A late grant below it does not count; a later record does."""
    vault = unlocked(file)
    members = f"members/{STORE}"
    late = sync.Record(EVE, 3, schema.encode(a_member()))
    vault.apply((sync.Part(members, (late,)),), 0.0)
    assert vault.member(EVE) is None
    vault.apply((sync.Part(members, (sync.Record(EVE, 5, late.body),)),), 0.0)
    vault._cache.close()
    vault = unlocked(file)
    assert vault.member(EVE) == a_member()
    assert vault.record(((EventKind.PAIRING, None, sync.Pairing("tablet-1", False)),), 0, 0.0) == 2
    vault._cache.close()


def test_nothing_in_it_can_be_read_without_the_keys() -> None:
    """Names, scopes, pseudonyms and keys are nowhere in the file."""
    content = KEPT.read_bytes()
    for secret in (ADA, BEN, EVE, b"Ada", b"size.shoe", b"advisor", b"Till 1", b"x" * 16, b"m" * 32, SECRET, SHARE):
        assert secret not in content
    assert b"members/" in content, "and it is the right file"


if __name__ == "__main__":
    make(Path(sys.argv[1]))
