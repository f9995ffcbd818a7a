"""What HQ's web says and what is translated of it; `python -m tests.hq.web.catalogues` tells what differs."""

from pathlib import Path

from hq.web.languages import LANGUAGES
from tests.catalogues import Said

PACKAGE = Path(__file__).parent.parent.parent.parent / "hq" / "web"
SAID = Said(PACKAGE, "templates/**.*", PACKAGE / "words", LANGUAGES)

if __name__ == "__main__":
    SAID.tell()
