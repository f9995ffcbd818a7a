"""The sample phone: its tokens against the vectors, and the phone itself against running programs."""

import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from demo.children import python
from demo.store import Plan, Store, free_port, now_ms
from hq import signing_in
from hq.database import reading, writing
from tests.system.store import POLICY, STORE
from wire import air, sighting

PHONE = Path(__file__).parents[2] / "examples/phone"
VECTORS = json.loads((Path(__file__).parents[1] / "vectors/tokens.json").read_text())["vectors"]


def module(name: str) -> ModuleType:
    """A module of the example, which is no package."""
    found = importlib.util.spec_from_file_location(f"example_phone_{name}", PHONE / f"{name}.py")
    assert found is not None and found.loader is not None
    made = importlib.util.module_from_spec(found)
    found.loader.exec_module(made)
    return made


def test_the_phones_tokens_are_those_of_the_vectors() -> None:
    """Day key, both tokens, sign and leave code; and each format is what a store reads."""
    tokens = module("tokens")
    for one in VECTORS:
        slot = tokens.slot_at(one["unix_time"])
        key = tokens.day_key(bytes.fromhex(one["presence_secret"]), slot)
        found = {
            "slot": slot,
            "day_key": key.hex(),
            "presence_token": tokens.token(key, tokens.PRESENCE, slot).hex(),
            "help_token": tokens.token(key, tokens.HELP, slot).hex(),
            "sign": tokens.sign(key, slot),
            "leave_code": tokens.leave_code(key, slot),
        }
        assert found == {name: one[name] for name in found}
        for name, raw in tokens.adverts(bytes.fromhex(one["help_token"]), 0x1234).items():
            assert air.candidates(raw, 0x1234) == (bytes.fromhex(one["help_token"]),), name


def test_the_phones_datagram_is_a_sighting() -> None:
    """What stands in for the air says what an edge would say."""
    radio = module("radio")
    for boot_ms, rssi_dbm in ((0, -1), (255, -58), (2**40, -127)):
        raw = radio.cbor([1, 1, "edge-1", [[b"t" * 16, rssi_dbm, 1, boot_ms, boot_ms]]])
        found = sighting.decode(raw)
        assert isinstance(found, sighting.Batch)
        assert found.sightings == (sighting.Sighting("edge-1", b"t" * 16, rssi_dbm, 1, boot_ms, boot_ms),)


@pytest.fixture(scope="module")
def shop(needs: Any) -> Iterator[tuple[Store, str]]:
    """A broker, HQ with its web, and a store's gateway, as real programs; and where the web is."""
    needs("mosquitto")
    with tempfile.TemporaryDirectory(prefix="consentry-", ignore_cleanup_errors=True) as folder:
        store = Store(Path(folder), Plan(POLICY, STORE, http=True))
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        with store.hq_config.open("a") as config:
            config.write(
                f'\n[web]\npublic_url = "{address}"\nport = {port}\napp_redirects = ["com.example.app:/signed-in"]\n'
            )
        store.start_broker()
        store.start_hq()
        store.start_gateway()
        store.children.start("web", python("hq", "web", "--config", store.hq_config))
        store.wait_ready("hq", "gateway", "web")
        yield store, address
        store.close()


def link(store: Store, member: str) -> str:
    """The link of a sign-in mail."""
    store.office.add_member(member, 18, "DE", now_ms())
    with reading(store.office.engine) as connection:
        reference = store.office.keys.custody.reference(connection, member)
    assert reference is not None
    with writing(store.office.engine) as connection:
        return f"/sign-in/link/{signing_in.make_link(connection, reference, now_ms())}"


@pytest.mark.long
@pytest.mark.system
def test_the_phone_goes_its_whole_way_with_running_programs(shop: tuple[Store, str], tmp_path: Path) -> None:
    """Signs in, reads the notices, agrees, is called for, seen in the mirror, heard in the store, and gone again."""
    store, address = shop
    store.wait_live(20)
    kept = tmp_path / "phone.json"
    command = [sys.executable, "-P", str(PHONE), "--hq", address, str(kept), "story", link(store, "m-1"), STORE,
               str(store.at / "run/sightings.sock")]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    told = ran.stdout.splitlines()
    assert told[0] == "signed in"
    assert f"agreed to presence and help at {STORE}; this phone can be recognised there" in told
    assert any(line.startswith("help: show the sign ") for line in told)
    assert f"help: waiting at {STORE}" in told
    assert told[-2:] == ["withdrawn: everything, everywhere", "an associate sees nothing of you"]
    assert kept.stat().st_mode & 0o077 == 0
    assert "secret" not in json.loads(kept.read_text())
    again = subprocess.run([*command[:-4], "call", command[-1]], capture_output=True, text=True, timeout=60)
    assert again.returncode != 0, "without its secret the phone has no voice"
