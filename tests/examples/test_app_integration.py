"""The excerpts in docs/app-integration.md, played in Python: their constants and steps give the vectors' tokens.

No Swift or Kotlin compiler is here. What each function of an excerpt does is taken out of its text by the patterns
below; a label, a length, an order of parts or a constant that is changed there gives other tokens here.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from flask import Flask

from hq.web import api, register
from hq.web.cookies import Cookies
from wire import air
from wire.token import Kind

TOP = Path(__file__).parents[2]
PAGE = (TOP / "docs/app-integration.md").read_text(encoding="utf-8")
VECTORS = json.loads((TOP / "tests/vectors/tokens.json").read_text())["vectors"]
CALL = re.compile(r"`(?:(?:GET|POST|PATCH|DELETE) )?(/api/v1/[a-z/{}.-]+)")


def excerpt(language: str) -> str:
    """All code of a language on the page."""
    return "\n".join(re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL))


def taken(pattern: str, code: str) -> tuple[str, ...]:
    """The groups of the one place where the excerpt says this."""
    found = re.findall(pattern, code)
    assert len(found) == 1, (pattern, found)
    return found[0] if isinstance(found[0], tuple) else (found[0],)


def body(name: str, code: str) -> str:
    """The text of one function."""
    return taken(rf"(?s)fun(?:c)? {name}\(.*?\n(.*?)\n}}", code)[0]


SWIFT = {
    "slot_s": r"let slotSeconds: UInt32 = (\d+)",
    "slots": r"let slotsPerDay: UInt32 = (\d+)",
    "kinds": r"enum Kind: UInt8 \{ case presence = 0x(\d\d); case help = 0x(\d\d) \}",
    "day": r'let info = Array\("([^"]+)"\.utf8\) \+ be32\(slot / slotsPerDay\)',
    "key_bytes": r"salt: \[UInt8\]\(\), info: info, outputByteCount: (\d+)\)",
    "block": r"let block = \[0x(\d\d), kind\.rawValue\] \+ \[UInt8\]\(repeating: 0, count: (\d+)\) \+ be32\(slot\)",
    "sign": r'mac\("([^"]+)", dayKey: dayKey, slot: slot\)\.prefix\((4)\)',
    "sign_form": r'colours\[Int\(number % (\d+)\)\]\) " \+ String\(format: "%02d", Int\(number / (\d+) % (\d+)\)\)',
    "leave": r'mac\("([^"]+)", dayKey: dayKey, slot: slot\)\.prefix\((8)\)',
    "leave_form": r'String\(format: "%08llu", number % ([\d_]+)\)',
    "colours": r"let colours = \[(.*)\]",
    "be32": r"(number\.bigEndian)",
}
KOTLIN = {
    "slot_s": r"const val SLOT_SECONDS = (\d+)L",
    "slots": r"const val SLOTS_PER_DAY = (\d+)L",
    "kinds": r"enum class Kind\(val code: Byte\) \{ PRESENCE\(0x(\d\d)\), HELP\(0x(\d\d)\) \}",
    "day": r'val info = "([^"]+)"\.toByteArray\(\) \+ be32\(slot / SLOTS_PER_DAY\)',
    "key_bytes": r"return hmac\(extracted, info \+ byteArrayOf\(0x01\)\)\.copyOf\((\d+)\)",
    "block": r"val block = byteArrayOf\(0x(\d\d), kind\.code\) \+ ByteArray\((\d+)\) \+ be32\(slot\)",
    "sign": r'hmac\(dayKey, "([^"]+/sign/[^"]+)"\.toByteArray\(\) \+ be32\(slot\)\)\)\.(int)\.toLong\(\) and 0xF{8}L',
    "sign_form": r'"%s %02d"\.format\(COLOURS\[\(number % (\d+)\)\.toInt\(\)\], number / (\d+) % (\d+)\)',
    "leave": r'hmac\(dayKey, "([^"]+/leave/[^"]+)"\.toByteArray\(\) \+ be32\(slot\)\)\)\.(long)',
    "leave_form": r'"%08d"\.format\(java\.lang\.Long\.remainderUnsigned\(number, ([\d_]+)L\)\)',
    "colours": r"val COLOURS = listOf\((.*)\)",
    "be32": r"(ByteBuffer\.allocate\(4\)\.putInt\(number\.toInt\(\)\)\.array\(\))",
}


def played(code: str, patterns: dict[str, str]) -> Callable[[bytes, int], dict[str, Any]]:
    """The excerpt as a function: secret and time to all that a vector has."""
    said = {name: taken(pattern, code) for name, pattern in patterns.items()}
    width = {"4": 4, "8": 8, "int": 4, "long": 8}
    colours = re.findall(r'"(\w+)"', said["colours"][0])

    def derive(secret: bytes, unix_s: int) -> dict[str, Any]:
        slot = unix_s // int(said["slot_s"][0])
        number = slot.to_bytes(4, "big")
        info = said["day"][0].encode() + (slot // int(said["slots"][0])).to_bytes(4, "big")
        extracted = hmac.digest(bytes(32), secret, hashlib.sha256)
        key = hmac.digest(extracted, info + b"\x01", hashlib.sha256)[: int(said["key_bytes"][0])]
        version, zeros = said["block"]

        def token(kind: str) -> str:
            block = bytes.fromhex(version + kind) + bytes(int(zeros)) + number
            return Cipher(algorithms.AES128(key), modes.ECB()).encryptor().update(block).hex()

        def mac(part: tuple[str, ...]) -> int:
            return int.from_bytes(hmac.digest(key, part[0].encode() + number, hashlib.sha256)[: width[part[1]]], "big")

        many, by, most = map(int, said["sign_form"])
        sign = mac(said["sign"])
        code = mac(said["leave"]) % int(said["leave_form"][0].replace("_", ""))
        return {
            "slot": slot, "day_key": key.hex(), "presence_token": token(said["kinds"][0]),
            "help_token": token(said["kinds"][1]), "sign": f"{colours[sign % many]} {sign // by % most:02d}",
            "leave_code": f"{code:08d}",
        }  # fmt: skip

    return derive


@pytest.mark.parametrize(("language", "patterns"), [("swift", SWIFT), ("kotlin", KOTLIN)])
def test_the_excerpts_make_the_tokens_of_the_vectors(language: str, patterns: dict[str, str]) -> None:
    """Day key, both tokens, sign and leave code of every vector."""
    derive = played(excerpt(language), patterns)
    for one in VECTORS:
        found = derive(bytes.fromhex(one["presence_secret"]), one["unix_time"])
        assert found == {name: one[name] for name in found}


def test_what_the_excerpts_advertise_is_what_a_store_reads() -> None:
    """F2 of Kotlin as manufacturer data, F3 of Swift as a UUID; F4's service, characteristic and answer."""
    made = bytes(range(16))
    version, tx = taken(r"val value = byteArrayOf\(0x(\d\d), (-\d+)\) \+ token", excerpt("kotlin"))
    value = bytes.fromhex(version) + int(tx).to_bytes(1, "big", signed=True) + made
    raw = bytes([len(value) + 3, 0xFF]) + (0x1234).to_bytes(2, "little") + value
    assert air.candidates(raw, 0x1234) == (made,)
    swift = excerpt("swift")
    assert "CBAdvertisementDataServiceUUIDsKey: [CBUUID(data: Data(token))]" in swift
    assert air.candidates(b"\x11\x07" + made[::-1], 0x1234) == (made,)
    service, characteristic = re.findall(r'CBUUID\(string: "([0-9a-f-]{36})"\)', swift)
    assert (service, characteristic) == (str(air.SERVICE_UUID), str(air.CHARACTERISTIC_UUID))
    answered = taken(r"request\.value = Data\(\[0x(\d\d)\] \+ token\(dayKey: todaysKey, kind: \.(\w+)", swift)
    assert air.token_of_answer(bytes.fromhex(answered[0]) + made) == made
    assert Kind[answered[1].upper()] is Kind.PRESENCE


def test_every_call_on_the_page_is_in_hqs_own_document() -> None:
    """No path is told that HQ does not answer."""
    app = Flask("calls")
    api.publish(app, "0", Cookies(plain=True), *register.CALLS)
    known = set(app.test_client().get("/api/v1/openapi.json").get_json()["paths"])
    told = set(CALL.findall(PAGE)) - {"/api/v1/openapi.json"}
    assert told and told <= known, told - known
