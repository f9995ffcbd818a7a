"""What OpenMQTTGateway and Theengs Gateway publish, as their documentation and code have it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import air, raw_adverts
from wire.air import TEST_COMPANY
from wire.errors import Reason, WireError
from wire.raw_adverts import ADVERT_BYTES, RawAdvert

TOKEN = bytes(range(0x10, 0x20))
F1 = "4c000215" + TOKEN.hex() + "01020304c5"
F2 = "ffff0104" + TOKEN.hex()
WHO = {"id": "60:87:57:4C:9B:C2", "mac_type": 1, "adv_type": 0}


def said(**parts):
    """The candidates and the signal of an object."""
    return raw_adverts.read(json.dumps(parts).encode(), TEST_COMPANY)


@pytest.mark.parametrize(
    "parts",
    [
        # OpenMQTTGateway with pubadvdata: F1 as its decoder adds to it, F2 which it does not know, both undecoded.
        {**WHO, "rssi": -78, "brand": "GENERIC", "model": "iBeacon", "model_id": "IBEACON", "type": "BCON",
         "mfid": "4c00", "uuid": TOKEN.hex(), "major": 258, "minor": 772, "txpower": -59, "manufacturerdata": F1},
        {**WHO, "rssi": -78, "manufacturerdata": F2},
        {**WHO, "rssi": -78, "manufacturerdata": F1},
        {**WHO, "name": "A phone", "rssi": -78, "distance": 7.8, "manufacturerdata": F2.upper()},
        # Without pubadvdata: the uuid that the decoder took out of F1, with the address in either place.
        {**WHO, "rssi": -78, "distance": 7.85288, "model_id": "IBEACON", "mfid": "4c00", "uuid": TOKEN.hex(),
         "major": 0, "minor": 0, "txpower": -66},
        {"id": TOKEN.hex(), "mac": WHO["id"], "rssi": -78, "model_id": "IBEACON", "uuid": TOKEN.hex()},
        # Theengs Gateway with publish_all (undecoded) and publish_advdata (decoded).
        {"name": "x", "id": WHO["id"], "rssi": -78, "manufacturerdata": F2, "mfr": "Test"},
        {"servicedatauuid": "fd6f", "servicedata": "00", "id": WHO["id"], "rssi": -78, "manufacturerdata": F1},
    ],
)  # fmt: skip
def test_f1_and_f2_are_heard(parts):
    """In each form in which the two programs publish them."""
    assert said(**parts) == RawAdvert((TOKEN,), -78)


@pytest.mark.parametrize(
    "parts",
    [
        {**WHO, "rssi": -60},
        {**WHO, "rssi": -60, "manufacturerdata": ""},
        {**WHO, "rssi": -60, "manufacturerdata": "4c"},
        {**WHO, "rssi": -60, "manufacturerdata": "4c001007" + "00" * 7, "type": "TRACK", "prmac": True},
        {**WHO, "rssi": -60, "manufacturerdata": "4c0001" + TOKEN.hex()},  # F4's overflow area: nobody reads it here
        {**WHO, "rssi": -60, "manufacturerdata": "feff0104" + TOKEN.hex()},  # another company's
        {**WHO, "rssi": -60, "manufacturerdata": F2 + "00"},
        {**WHO, "rssi": -60, "servicedata": TOKEN.hex(), "servicedatauuid": "0xfd6f", "name": TOKEN.hex()},
        {**WHO, "rssi": -60, "uuid": TOKEN.hex()},  # F3 is published by neither, so no bare uuid is one
        {**WHO, "rssi": -60, "model_id": "IBEACON", "uuid": TOKEN.hex()[2:]},
    ],
)
def test_an_advert_of_a_stranger_has_no_candidate(parts):
    """It counts as heard, and nothing of it is kept."""
    assert said(**parts) == RawAdvert((), -60)


def test_the_candidates_are_those_that_an_edge_would_find():
    """One rule for both ways (`wire.air`), company id included."""
    for raw in (air.f1(TOKEN, bytes(5)), air.f2(TOKEN, 0x1234, 4), air.f2(TOKEN, TEST_COMPANY, 4)):
        for company_id in (0x1234, TEST_COMPANY):
            payload = json.dumps({"rssi": -1, "manufacturerdata": raw[2:].hex()}).encode()
            found = raw_adverts.read(payload, company_id)
            assert found is not None
            assert found.tokens == air.candidates(raw, company_id)


@pytest.mark.parametrize("parts", [{"id": "x", "presence": "absent"}, {"id": "x", "state": "offline"}, {}])
def test_a_word_of_their_decoder_is_no_advert(parts):
    """Nobody was heard just then."""
    assert said(**parts) is None


@pytest.mark.parametrize(("rssi", "known"), [(-127, None), (-126, -126), (20, 20), (21, None), (-9999, None)])
def test_a_signal_that_no_radio_measures_is_not_known(rssi, known):
    """As with BlueZ's -127."""
    found = said(rssi=rssi, manufacturerdata=F1)
    assert found is not None
    assert found.rssi_dbm == known


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"online", b"[]", b"7", b"\xff\xfe", b'"x"', b"[" * 4000, b'{"rssi": "-60"}', b'{"rssi": true}',
        b'{"rssi": 1e3}', b'{"rssi": null}', b'{"rssi": -60, "manufacturerdata": 7}',
        b'{"rssi": -60, "manufacturerdata": "4c0"}', b'{"rssi": -60, "manufacturerdata": "zz"}',
        b'{"rssi": -60, "manufacturerdata": "' + b"00" * 600 + b'"}',
        b'{"rssi": -60, "manufacturerdata": "\xd9\xa1\xd9\xa2"}',
        b'{"rssi": -60, "model_id": "IBEACON", "uuid": []}', b'{"rssi": ' + b"9" * 4000 + b"}",
        b'{"rssi": -60, "manufacturerdata": "\\ud800"}',
    ],
)  # fmt: skip
def test_what_neither_program_says_is_refused(payload):
    """With one kind of error, whatever it is."""
    try:
        found = raw_adverts.read(payload, TEST_COMPANY)
    except WireError:
        return
    assert found is not None
    assert found.rssi_dbm is None  # a number that is none of a radio's


def test_what_is_too_long_is_refused_by_its_size():
    """Before it is parsed."""
    with pytest.raises(WireError) as caught:
        raw_adverts.read(b" " * (ADVERT_BYTES + 1), TEST_COMPANY)
    assert caught.value.reason is Reason.SIZE


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
known_keys = st.sampled_from(["rssi", "manufacturerdata", "uuid", "model_id", "servicedata", "id"])
likely = json_values | st.integers(-130, 25) | st.binary(max_size=40).map(bytes.hex) | st.just("IBEACON")


@given(st.dictionaries(known_keys, likely) | json_values)
def test_any_json_is_an_advert_or_refused(value):
    """No other exception; whatever is found has the form of a candidate and a signal."""
    try:
        found = raw_adverts.read(json.dumps(value).encode(), TEST_COMPANY)
    except WireError:
        return
    if found is not None:
        assert all(len(token) == 16 for token in found.tokens)
        assert found.rssi_dbm is None or -127 < found.rssi_dbm <= 20


@given(st.binary(max_size=200))
def test_any_bytes_are_an_advert_or_refused(payload):
    """No other exception for what is not even JSON."""
    try:
        raw_adverts.read(payload, TEST_COMPANY)
    except WireError:
        return
