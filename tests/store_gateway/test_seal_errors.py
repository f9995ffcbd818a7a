"""What cryptography raises while opening becomes a CacheError."""

import secrets

import pytest
from cryptography.exceptions import InvalidTag
from pytest_mock import MockerFixture

from store_gateway.errors import CacheError, CacheReason
from store_gateway.seal import Seal


@pytest.mark.parametrize("error", [InvalidTag(), ValueError("nonce too short")])
def test_what_opening_raises_is_corrupt(mocker: MockerFixture, error: Exception) -> None:
    """A row that does not open is not the row that was written."""
    seal = Seal(bytes(32), secrets.token_bytes)
    aead = mocker.Mock()
    aead.decrypt.side_effect = error
    mocker.patch.object(Seal, "_aead", aead)
    with pytest.raises(CacheError) as caught:
        seal.open(bytes(40), b"")
    assert caught.value.reason is CacheReason.CORRUPT
