"""Published and made-up advertisements: read without error, and nothing taken from them but what the page says."""

import json
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.fakes.bluez_objects import Version, payload
from tests.wire import air_oracle
from wire import air

ADVERTS = json.loads((Path(__file__).parents[1] / "vectors" / "adverts.json").read_text(encoding="utf-8"))["vectors"]
OURS = air.overflow_bit(air.SERVICE_UUID)
EXTENDED_BYTES = 254

# --- plausible advertisements -------------------------------------------------------------------------------------

tokens = st.binary(min_size=16, max_size=16)
companies = st.sampled_from([0x004C, 0xFFFF, 0x0134, 0x0006, 0x0075]) | st.integers(0, 0xFFFF)
# What Apple's phones say inside one structure: type, length, value. Some lie about their length.
apple_parts = st.one_of(
    tokens.map(lambda token: b"\x02\x15" + token + b"\x00\x01\x00\x02\xc5"),
    st.builds(
        lambda kind, value, off: bytes((kind, max(0, min(255, len(value) + off)))) + value,
        st.sampled_from([0x02, 0x05, 0x07, 0x09, 0x0C, 0x0F, 0x10, 0x12, 0x16]),
        st.binary(max_size=24),
        st.sampled_from([0, 0, 0, 0, -1, 1, 200]),
    ),
    st.binary(min_size=14, max_size=16).map(lambda mask: b"\x01" + mask),
    st.just(b"\x01" + (1 << 127 - OURS).to_bytes(16, "big")),
)
apple = st.lists(apple_parts, max_size=4).map(lambda parts: b"\x4c\x00" + b"".join(parts))
vendors = st.builds(
    lambda company, version, tx, token, rest: company.to_bytes(2, "little") + bytes((version, tx)) + token + rest,
    companies,
    st.sampled_from([1, 1, 1, 0, 2]),
    st.integers(0, 255),
    tokens,
    st.sampled_from([b"", b"", b"", b"\x00"]),
)
uuid_lists = st.builds(
    lambda uuids, rest: b"".join(uuids) + rest,
    st.lists(
        tokens | st.just(bytes.fromhex("fb349b5f80000080001000006ffd0000")),  # a 16-bit one, spelled out
        max_size=15,
    ),
    st.sampled_from([b"", b"", b"", b"\x01", bytes(15)]),
)
structures = st.one_of(
    apple.map(lambda value: (0xFF, value)),
    vendors.map(lambda value: (0xFF, value)),
    st.tuples(st.just(0xFF), st.binary(max_size=3)),
    st.tuples(st.sampled_from([0x06, 0x07]), uuid_lists),
    st.tuples(st.sampled_from([0x16, 0x20, 0x21]), st.binary(max_size=24)),
    st.tuples(st.sampled_from([0x02, 0x03]), st.lists(st.just(b"\x6f\xfd"), max_size=3).map(b"".join)),
    st.tuples(st.sampled_from([0x01, 0x08, 0x09, 0x0A, 0x19, 0x3D]), st.binary(max_size=20)),
    st.tuples(st.integers(0, 255), st.binary(max_size=30)),
)


def _written(parts: list[tuple[int, bytes]]) -> bytes:
    return b"".join(bytes((len(value) + 1, kind)) + value for kind, value in parts if len(value) < 255)


honest = st.lists(structures, max_size=6).map(_written)  # every length is true


@st.composite
def adverts(draw: st.DrawFn) -> bytes:
    """Up to an extended advertisement and a scan response: mostly honest, else cut, with a 0 inside, or lying."""
    raw = bytearray(draw(honest)[: 2 * EXTENDED_BYTES])
    match draw(st.sampled_from(["honest", "honest", "cut", "zero", "length"])):
        case "cut" if raw:
            del raw[draw(st.integers(0, len(raw) - 1)) :]
        case "zero":
            raw[(at := draw(st.integers(0, len(raw)))) : at] = b"\x00"
        case "length" if raw:
            at = 0
            for _ in range(draw(st.integers(0, 3))):
                at = after if (after := at + 1 + raw[at]) < len(raw) else at
            raw[at] = draw(st.integers(0, 255))
        case _:
            pass
    return bytes(raw)


# --- the published ones -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", ADVERTS, ids=lambda vector: vector["name"])
@pytest.mark.parametrize("version", Version)
def test_published_adverts_through_bluez(vector, version):
    """What BlueZ makes of each yields its tokens, but for those that it lost: one value is left of two of a company."""
    raw = bytes.fromhex(vector["raw"])
    shown = {name: value.value for name, value in payload(version, {}, air.structures(raw)).items()}
    manufacturer = {company: value.value for company, value in shown.get("ManufacturerData", {}).items()}
    found = air.candidates_of_properties(manufacturer, shown.get("UUIDs", []), air.TEST_COMPANY)
    lost = vector["name"] == "two Apple structures, the token in the first"
    assert [token.hex() for token in found] == ([] if lost else vector["tokens"])
    if not lost:
        assert vector["tokens"] == [token.hex() for token in air_oracle.candidates(raw, air.TEST_COMPANY)]


@pytest.mark.parametrize("vector", ADVERTS, ids=lambda vector: vector["name"])
def test_published_adverts_cut_anywhere(vector):
    """Of an advertisement that ends early, or whose any byte is wrong, no more is taken than the page allows."""
    raw = bytes.fromhex(vector["raw"])
    changed = [raw[:at] for at in range(len(raw))]
    changed += [raw[:at] + bytes((raw[at] ^ 1 << bit,)) + raw[at + 1 :] for at in range(len(raw)) for bit in range(8)]
    for one in changed:
        assert air.candidates(one, air.TEST_COMPANY) == air_oracle.candidates(one, air.TEST_COMPANY)
        assert air.has_overflow(one, OURS) == air_oracle.has_overflow(one, OURS)


# --- the made-up ones ---------------------------------------------------------------------------------------------


@given(adverts(), companies)
@example(_written([(0xFF, bytes.fromhex("4c000215") + bytes(21)), (0xFF, bytes.fromhex("4c0010020b00"))]), 0x004C)
@example(_written([(0x07, bytes(range(1, 17)) * 15)]), 0xFFFF)
@example(_written([(0xFF, b"\x4c\x00\x01" + b"\xf0" + bytes(16))]), 0x004C)
def test_no_token_is_taken_but_what_the_page_allows(raw, company_id):
    """Nested, cut, lying, extended: candidates are those of the second reading, in its order, no more, no fewer."""
    assert air.candidates(raw, company_id) == air_oracle.candidates(raw, company_id)
    assert [bytes((len(value) + 1, kind)) + value for kind, value in air.structures(raw)] == air_oracle.structures(raw)


@given(adverts() | apple.map(lambda value: _written([(0xFF, value)])), st.just(OURS) | st.integers(0, 127))
def test_the_overflow_bit_is_read_as_the_page_says(raw, bit):
    """Behind other Apple values, with a mask too short or a length that lies: the second reading agrees."""
    assert air.has_overflow(raw, bit) == air_oracle.has_overflow(raw, bit)


@given(st.lists(adverts(), min_size=1, max_size=3), companies, st.sampled_from(Version))
def test_properties_yield_no_more_than_their_own_values(raws, company_id, version):
    """What BlueZ gathered over several adverts of one address gives exactly what those values hold, each once."""
    phone = {}
    for raw in raws:
        phone.update(payload(version, phone, air.structures(raw)))
    manufacturer = {company: value.value for company, value in phone["ManufacturerData"].value.items()} \
        if "ManufacturerData" in phone else {}  # fmt: skip
    uuids = phone["UUIDs"].value if "UUIDs" in phone else []
    found = air.candidates_of_properties(manufacturer, uuids, company_id)
    assert len(set(found)) == len(found)
    assert set(found) == air_oracle.candidates_of_properties(manufacturer, uuids, company_id)


def _whole(value: bytes) -> bool:
    return len(value) % 16 == 0


@given(st.lists(structures.filter(lambda one: one[0] not in (0x06, 0x07) or _whole(one[1])), max_size=6), companies)
def test_bluez_loses_tokens_and_invents_none(parts, company_id):
    """Where no company speaks twice, the properties on 5.66 yield what the raw bytes yield, UUIDs of 16 bits aside."""
    once, seen = [], set()
    for kind, value in parts:
        company = value[:2] if kind == 0xFF else None
        if company is None or (len(value) >= 2 and company not in seen):
            once.append((kind, value))
            seen.add(company)
    raw = _written(once)
    shown = payload(Version.V5_66, {}, air.structures(raw))
    manufacturer = {company: value.value for company, value in shown["ManufacturerData"].value.items()} \
        if "ManufacturerData" in shown else {}  # fmt: skip
    uuids = shown["UUIDs"].value if "UUIDs" in shown else []
    spelled_out = UUID("0000fd6f-0000-1000-8000-00805f9b34fb").bytes
    expected = {token for token in air.candidates(raw, company_id) if token[4:] != spelled_out[4:]}
    assert set(air.candidates_of_properties(manufacturer, uuids, company_id)) == expected
