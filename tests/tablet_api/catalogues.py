"""What the tablets' pages say and what is translated; `python -m tests.tablet_api.catalogues` tells what differs."""

from pathlib import Path

from tablet_api.languages import LANGUAGES
from tests.catalogues import Said

PACKAGE = Path(__file__).parent.parent.parent / "tablet_api"
SAID = Said(PACKAGE, "web/templates/**.html", PACKAGE / "web" / "words", LANGUAGES)

if __name__ == "__main__":
    SAID.tell()
