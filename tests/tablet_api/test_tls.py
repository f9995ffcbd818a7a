"""sslyze finds the tablet API's TLS to be Mozilla's "intermediate", with nothing that it warns of."""

import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask

from provisioning import identity
from store_gateway import authority
from store_gateway.settings import Tablets
from tablet_api import server
from tests.tablet_api.conftest import Serve

TOP = Path(__file__).parents[2]
PROGRAM = TOP / ".venv" / "sslyze" / "bin" / "sslyze"
DAYS = 90


@pytest.fixture
def sslyze() -> Path:
    """The program, which has an environment of its own (`make .venv/.sslyze`)."""
    if not PROGRAM.exists():
        if os.environ.get("CI") == "true":
            pytest.fail("sslyze is missing (nothing is skipped in CI)")
        pytest.skip("sslyze is missing: `make .venv/.sslyze` brings it")
    return PROGRAM


def signed(openssl: str, folder: Path) -> tuple[Path, Path, Path]:
    """An authority, and a server's certificate and key of it, as an issuer makes them."""
    ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", str(DAYS)]
    usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    leaf = ["subjectAltName=DNS:localhost", "basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature"]
    leaf += ["extendedKeyUsage=serverAuth", "authorityKeyIdentifier=keyid", "subjectKeyIdentifier=hash"]
    (folder / "leaf.cnf").write_text("\n".join(leaf), encoding="ascii")
    for command in (
        ["req", "-x509", *ec, "-subj", "/CN=An issuer", *usage, "-keyout", "issuer-key", "-out", "issuer.pem"],
        ["req", *ec[:-2], "-subj", "/CN=localhost", "-keyout", "tls-key", "-out", "asked.pem"],
        ["x509", "-req", "-in", "asked.pem", "-CA", "issuer.pem", "-CAkey", "issuer-key", "-days", str(DAYS),
         "-extfile", "leaf.cnf", "-out", "leaf.pem"],
    ):  # fmt: skip
        subprocess.run([openssl, *command], cwd=folder, check=True, capture_output=True)
    return folder / "issuer.pem", folder / "leaf.pem", folder / "tls-key"


def judged(sslyze: Path, issuer: Path, port: int) -> tuple[int, str]:
    """Exit code and report; 0 where the profile is kept."""
    command = [str(sslyze), "--mozilla_config", "intermediate", "--certinfo_ca_file", str(issuer), f"localhost:{port}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout


def test_the_tablet_apis_tls_is_mozillas_intermediate(
    sslyze: Path,
    app: Flask,
    serve: Serve,
    tmp_path: Path,
    needs: Callable[[str], str],
) -> None:
    """Versions, suites, curves, certificate and known attacks: compliant; it neither renegotiates nor compresses."""
    issuer, certificate, key = signed(needs("openssl"), tmp_path)
    serving = serve(app, True)
    serving.renew(server.tls(certificate, key))
    code, report = judged(sslyze, issuer, serving.port)
    assert code == 0, report[report.find("COMPLIANCE") :]
    assert "Compliant" in report.partition("COMPLIANCE")[2]
    for found in ("Client Renegotiation DoS Attack:   OK", "Compression disabled", "not vulnerable to Heartbleed"):
        assert found.lower() in report.lower()


def test_the_boxs_own_certificate_passes_too(sslyze: Path, app: Flask, serve: Serve, tmp_path: Path) -> None:
    """One of the store's own authority, as provisioning makes it and as the box issues it, keeps the profile."""
    now = datetime.now(UTC)
    key = identity.make_tls_key()
    pem = identity.make_authority("Consentry tablets of berlin-1", key, now, ("localhost", "127.0.0.1"))
    issuer, certificate, tls_key = (tmp_path / name for name in ("authority.pem", "certificate.pem", "tls-key"))
    issuer.write_bytes(pem)
    (tmp_path / "authority-key").write_bytes(key)
    own = authority.load(Tablets(("localhost", "127.0.0.1"), issuer), tmp_path)
    for path, content in zip((certificate, tls_key), own.issue(now), strict=True):
        path.write_bytes(content)
    serving = serve(app, True)
    serving.renew(server.tls(certificate, tls_key))
    code, report = judged(sslyze, issuer, serving.port)
    assert code == 0, report[report.find("COMPLIANCE") :]


def test_the_judge_can_say_no(
    sslyze: Path,
    app: Flask,
    serve: Serve,
    tmp_path: Path,
    needs: Callable[[str], str],
) -> None:
    """The same server with a suite more, of an older mode, is not compliant, and the report names it."""
    issuer, certificate, key = signed(needs("openssl"), tmp_path)
    serving = serve(app, True)
    context = server.tls(certificate, key)
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE-ECDSA-AES128-SHA")
    serving.renew(context)
    code, report = judged(sslyze, issuer, serving.port)
    assert code != 0
    assert "AES_128_CBC_SHA" in report.partition("COMPLIANCE")[2]
