"""The configuration of the tablet API."""

from pathlib import Path

import pytest

from runtime import config
from runtime.errors import ConfigError
from tablet_api.settings import Settings


def read(tmp_path: Path, text: str) -> Settings:
    """The settings in a file with this text."""
    file = tmp_path / "tablets.toml"
    file.write_text(text)
    return config.load(file, Settings)


def test_the_defaults_are_those_of_a_store(tmp_path: Path) -> None:
    """All addresses, port 8443, the gateway's own socket; only the certificate has to be named."""
    settings = read(tmp_path, 'certificate = "/etc/consentry/store.pem"')
    assert (settings.listen, settings.port, settings.demo_http) == ("0.0.0.0", 8443, False)
    assert settings.gateway_socket == Path("/run/consentry-gateway/tablets.sock")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "certificate is missing"),
        ('demo_http = true\nlisten = "0.0.0.0"', "demo_http"),
        ("demo_http = true", "demo_http"),
        ('certificate = "x"\nlisten = "everywhere"', "listen"),
        ('certificate = "x"\nport = 70000', "port"),
        ('certificate = "x"\nports = 1', "ports"),
    ],
)
def test_what_cannot_serve_is_named(tmp_path: Path, text: str, told: str) -> None:
    """One line with the key that is wrong; the demo's plain HTTP is for loopback only."""
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, text)
    assert told in raised.value.text
    assert "\n" not in raised.value.text


@pytest.mark.parametrize("listen", ["127.0.0.1", "::1", "127.8.8.8"])
def test_the_demo_listens_on_loopback(tmp_path: Path, listen: str) -> None:
    """No certificate is needed there."""
    assert read(tmp_path, f'demo_http = true\nlisten = "{listen}"').demo_http
