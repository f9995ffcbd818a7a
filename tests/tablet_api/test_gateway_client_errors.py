"""What the socket module raises, and what the gateway client makes of it."""

import errno
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from tablet_api.errors import AwayReason, GatewayAwayError
from tablet_api.gateway_client import GatewayClient
from tests.fakes.gateway import FakeGateway
from wire.query import AskStatus, Status

RAISED = [
    (FileNotFoundError(errno.ENOENT, "no"), AwayReason.ABSENT),
    (ConnectionRefusedError(errno.ECONNREFUSED, "no"), AwayReason.ABSENT),
    (PermissionError(errno.EACCES, "no"), AwayReason.DENIED),
    (TimeoutError("timed out"), AwayReason.SILENT),
    (BlockingIOError(errno.EAGAIN, "no"), AwayReason.SILENT),
    (BrokenPipeError(errno.EPIPE, "no"), AwayReason.BROKEN),
    (ConnectionResetError(errno.ECONNRESET, "no"), AwayReason.BROKEN),
    (ConnectionAbortedError(errno.ECONNABORTED, "no"), AwayReason.BROKEN),
    (NotADirectoryError(errno.ENOTDIR, "no"), AwayReason.BROKEN),
    (OSError(errno.EMFILE, "no"), AwayReason.BROKEN),
    (OSError("AF_UNIX path too long"), AwayReason.BROKEN),
]
NAMES = [f"{type(error).__name__}-{error.errno}" for error, _ in RAISED]


def _asked(link: GatewayClient) -> AwayReason:
    with pytest.raises(GatewayAwayError) as raised:
        link.ask(AskStatus())
    return raised.value.reason


@pytest.mark.parametrize(("error", "reason"), RAISED, ids=NAMES)
def test_connecting(mocker: MockerFixture, tmp_path: Path, error: OSError, reason: AwayReason) -> None:
    """Whatever `connect` raises has a reason of ours."""
    mocker.patch("socket.socket.connect", side_effect=error)
    assert _asked(GatewayClient(tmp_path / "s")) is reason


def test_making_a_socket(mocker: MockerFixture, tmp_path: Path) -> None:
    """No descriptor left is an absence of the gateway for this question, not a crash."""
    mocker.patch("tablet_api.gateway_client.socket.socket", side_effect=OSError(errno.EMFILE, "no"))
    assert _asked(GatewayClient(tmp_path / "s")) is AwayReason.BROKEN


@pytest.mark.parametrize(("error", "reason"), RAISED, ids=NAMES)
def test_sending(
    mocker: MockerFixture, gateway: FakeGateway, link: GatewayClient, error: OSError, reason: AwayReason
) -> None:
    """Whatever `sendall` raises has a reason, and the line is not used again."""
    mocker.patch("socket.socket.sendall", side_effect=error)
    assert _asked(link) is reason
    mocker.stopall()
    assert isinstance(link.ask(AskStatus()), Status)


@pytest.mark.parametrize(("error", "reason"), RAISED, ids=NAMES)
def test_receiving(
    mocker: MockerFixture, gateway: FakeGateway, link: GatewayClient, error: OSError, reason: AwayReason
) -> None:
    """Whatever `recv` raises has a reason, and the line is not used again."""
    mocker.patch("socket.socket.recv", side_effect=error)
    assert _asked(link) is reason
    mocker.stopall()
    assert isinstance(link.ask(AskStatus()), Status)
