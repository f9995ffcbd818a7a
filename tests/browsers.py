"""What tests with a browser share: how Chromium is started, and throw-away certificates."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
# How long a page is waited for on a busy machine. What is to happen within a time is asserted with that time.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="module")
def chromium(needs: Callable[[str], str]) -> Iterator[Browser]:
    """One browser for a module."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=needs("chromium"), args=ARGUMENTS)
        yield browser
        browser.close()


def self_signed(
    openssl: str, folder: Path, subject: str = "localhost", names: str = "DNS:localhost,IP:127.0.0.1"
) -> tuple[Path, Path]:
    """A throw-away certificate, and its key, in this folder."""
    certificate, key = folder / "certificate.pem", folder / "tls-key"
    subprocess.run(
        [
            openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={subject}", "-addext", f"subjectAltName={names}", "-keyout", str(key),
            "-out", str(certificate),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key
