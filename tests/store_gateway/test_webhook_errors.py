"""What Python's own libraries raise on the way to a webhook, and what becomes of it; real servers: test_hooks."""

import http.client
import socket
import ssl

import pytest
from pytest_mock import MockerFixture

from store_gateway.core.bells import Bell, News
from store_gateway.errors import HookError, HookReason
from store_gateway.hook_settings import Webhook
from store_gateway.webhook import WebhookChannel

BELL = Bell(News.WAITING, None, None, 1, 0, None)


def subclasses(of: type[BaseException]) -> list[type[BaseException]]:
    """A class and all below it."""
    return [of, *(one for below in of.__subclasses__() for one in subclasses(below))]


def reason_of(url: str = "http://127.0.0.1:1/") -> HookReason:
    """Why a bell does not get through."""
    with pytest.raises(HookError) as found:
        WebhookChannel("berlin-1", Webhook(url, None), bytes(32), lambda: 0.0).send(BELL, "id")
    return found.value.reason


def test_a_name_that_resolves_to_nothing(mocker: MockerFixture) -> None:
    """Tried again as what is not there."""
    mocker.patch("socket.getaddrinfo", side_effect=socket.gaierror(-2, "Name or service not known"))
    assert reason_of("https://no-such-name.invalid/") is HookReason.UNREACHABLE


@pytest.mark.parametrize("raised", [ConnectionRefusedError, ConnectionResetError, BrokenPipeError, OSError, ValueError])
def test_a_line_that_breaks(mocker: MockerFixture, raised: type[Exception]) -> None:
    """While connecting or later; a name that cannot be one is a ValueError."""
    mocker.patch.object(http.client.HTTPConnection, "connect", side_effect=raised)
    assert reason_of() is HookReason.UNREACHABLE


@pytest.mark.parametrize("raised", [TimeoutError, socket.timeout])
def test_a_line_that_is_silent(mocker: MockerFixture, raised: type[Exception]) -> None:
    """Has a reason of its own: what is there hangs."""
    mocker.patch.object(http.client.HTTPConnection, "connect", side_effect=raised)
    assert reason_of() is HookReason.SILENT


@pytest.mark.parametrize("raised", sorted(set(subclasses(ssl.SSLError)), key=str))
def test_a_certificate_that_is_not_accepted(mocker: MockerFixture, raised: type[ssl.SSLError]) -> None:
    """Every error of ssl."""
    mocker.patch.object(http.client.HTTPSConnection, "connect", side_effect=raised)
    assert reason_of("https://localhost/") is HookReason.TLS


@pytest.mark.parametrize("raised", sorted(set(subclasses(http.client.HTTPException)), key=str))
def test_an_answer_that_is_none(mocker: MockerFixture, raised: type[http.client.HTTPException]) -> None:
    """Every error of http.client; one that is a broken line too counts as that."""
    mocker.patch.object(http.client.HTTPConnection, "connect", side_effect=raised.__new__(raised))
    expected = HookReason.UNREACHABLE if issubclass(raised, OSError) else HookReason.REFUSED
    assert reason_of() is expected
