"""`consentry-hq web`: its settings, its commands, and the program over TLS with its certificate renewed."""

import argparse
import dataclasses
import re
import ssl
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from hq import options
from hq.errors import Refused
from hq.settings import Settings
from hq.sign_in_commands import PART
from hq.web.service import Service
from hq.web_settings import MailServer, Provider, StaffProvider, Web
from runtime import config
from runtime.errors import ConfigError, CredentialError, TlsError
from runtime.notify import Notify
from tests.hq.web.place import Place, free_port

TOP = Path(__file__).parents[3]
HQ = 'database = "sqlite://"\nkeys = "keys.cbor"\n[broker]\nhost = "localhost"\ntls = false\n'


def loaded(folder: Path, web: str) -> Web:
    """The table `[web]` of a file with these lines."""
    (folder / "hq.toml").write_text(f"{HQ}[web]\n{web}\n")
    found = config.load(folder / "hq.toml", Settings).web
    assert found is not None
    return found


def test_the_table_is_read_whole(tmp_path: Path) -> None:
    """Mail server and both providers stand in tables of their own; what is left out has a default."""
    found = loaded(
        tmp_path,
        'public_url = "https://choices.example.com"\nname = "Shop"\napp_redirects = ["com.example.app:/signed-in"]\n'
        '[web.mail]\nhost = "mail.example.com"\nsender = "a@example.com"\n'
        '[web.members]\nissuer = "https://id.example.com"\nclient_id = "centre"\n'
        '[web.staff]\nissuer = "https://work.example.com"\nclient_id = "console"\nprivacy = ["dpo"]\n',
    )
    assert (found.host, found.is_plain, found.port, found.proxy_hops) == ("choices.example.com", False, 8444, 0)
    assert found.mail is not None
    assert found.mail.port == 587
    assert found.staff is not None
    assert (found.staff.privacy, found.staff.operations) == (("dpo",), ("consentry-operations",))


@pytest.mark.parametrize(
    ("web", "said"),
    [
        ('public_url = "http://choices.example.com"', "loopback"),
        ('public_url = "https://choices.example.com/path"', "public_url"),
        ('public_url = "https://a.example"\nlisten = "0.0.0.0"', "certificate is missing"),
        ('public_url = "https://a.example"\nlisten = "here"', "IP address"),
        ('public_url = "https://a.example"\napp_redirects = ["javascript:/x"]', "app_redirects"),
        ('public_url = "https://a.example"\n[web.members]\nissuer = "http://id.example"\nclient_id = "a"', "loopback"),
        (
            'public_url = "https://a.example"\n[web.mail]\nhost = "m.de"\nsender = "a@b"\nencryption = "none"',
            "none",
        ),
    ],
)
def test_what_would_not_be_safe_is_refused_at_the_start(tmp_path: Path, web: str, said: str) -> None:
    """One line names the key and what is expected."""
    with pytest.raises(ConfigError, match=said):
        loaded(tmp_path, web)


def test_every_key_is_documented() -> None:
    """The operator finds each in the table of HQ's web."""
    text = (TOP / "docs/operating.md").read_text(encoding="utf-8")
    section = text.split("\n## HQ's web\n")[1].split("\n## ")[0]
    named = set(re.findall(r"`(\w+)`", section))
    for shape in (Web, MailServer, Provider, StaffProvider):
        assert {field.name for field in dataclasses.fields(shape)} <= named


def run(place: Place, *words: str) -> None:
    """One of the commands, as typed."""
    chosen: argparse.Namespace = options.parser([PART]).parse_args(words)
    PART.runs[(chosen.command, chosen.action)](place.hq.office, chosen, place.hq.now_ms)


def test_members_addresses_and_sign_ins_by_command(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Addresses are added, listed and removed, no two members have one; a link signs in; a sign-in is ended."""
    run(place, "address", "add", "ben", "Ben.B@Example.com ")
    run(place, "address", "list", "ben")
    assert "ben.b@example.com" in capsys.readouterr().out.splitlines()
    for words in (("add", "ada", "ben.b@example.com"), ("add", "nobody", "x@example.com"), ("remove", "ada", "z@b.de")):
        with pytest.raises(Refused):
            run(place, "address", *words)
    run(place, "address", "remove", "ben", "ben.b@example.com")
    (tmp_path / "hq.toml").write_text(f'{HQ}[web]\npublic_url = "{place.address}"\n')
    run(place, "sign-in", "link", "ben", "--config", str(tmp_path / "hq.toml"))
    link = capsys.readouterr().out.splitlines()[-1]
    browser = place.client()
    answer = browser.post("/sign-in/link", data={"token": link.removeprefix(f"{place.address}/sign-in/link/")})
    assert answer.status_code == 303
    run(place, "sign-in", "end", "ben")
    assert capsys.readouterr().out == "1 sign-ins ended\n"
    assert browser.get("/sessions").status_code == 303


@pytest.mark.needs("openssl")
def test_the_program_serves_over_tls_and_takes_a_renewed_certificate(
    place: Place, web_certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    """Its key is a credential; without it, or with another's, it does not start; a broken renewal changes nothing."""
    certificate, key = web_certificate
    chain = tmp_path / "chain.pem"
    chain.write_bytes(certificate.read_bytes())
    port = free_port()
    settings = Web(public_url=f"https://localhost:{port}", port=port, certificate=chain)

    def made() -> Service:
        return Service(settings, tmp_path, place.hq.engine, place.hq.keys, lambda: place.hq.now_ms, time.monotonic, "0")

    with pytest.raises(CredentialError):
        made()
    (tmp_path / "web-key").write_text("no key")
    with pytest.raises(TlsError):
        made()
    (tmp_path / "web-key").write_bytes(key.read_bytes())
    service = made()
    thread = threading.Thread(target=service.run, args=(Notify(None),), daemon=True)
    thread.start()
    trusting = ssl.create_default_context(cafile=str(certificate))
    try:
        for broken in (False, True):
            if broken:
                chain.write_text("no chain")
            service.renew()
            for path in ("healthz", "readyz", "sign-in"):
                with urllib.request.urlopen(f"{settings.public_url}/{path}", timeout=20, context=trusting) as answer:
                    assert answer.status == 200
    finally:
        service.stop()
        thread.join(20)
    assert not thread.is_alive()
