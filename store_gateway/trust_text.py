"""What an operator reads of the store's own authority: where tablets get it, and the fingerprint to compare.

I/O: reads the authority's file.
"""

from pathlib import Path
from urllib.parse import urlsplit

from store_gateway.errors import KeyFileError
from store_gateway.settings import Tablets
from wire.trust import fingerprint

_PORT = 8080  # of the tablet API's page over plain HTTP, as provisioning sets it


def address(settings: Tablets | None, hostname: str) -> str:
    """Where tablets find this box, if nobody says: by the first of its names."""
    return f"https://{settings.names[0] if settings is not None else hostname}:8443"


def link(tablets_url: str) -> str:
    """Where a tablet that does not trust the box yet reads how to."""
    host = urlsplit(tablets_url).hostname or "localhost"
    return f"http://{f'[{host}]' if ':' in host else host}:{_PORT}/trust"


def sheet(settings: Tablets, tablets_url: str) -> str:
    """Two lines for a pairing sheet. Raises: KeyFileError."""
    return (
        f"A tablet that warns of this page, or is new here: first {link(tablets_url)}\n"
        f"and compare SHA-256 {_fingerprint(settings.authority)}\n"
    )


def _fingerprint(file: Path) -> str:
    try:
        return fingerprint(file.read_bytes())
    except (OSError, ValueError) as error:
        raise KeyFileError(file, "tablets.authority", "a certificate in PEM is expected") from error
