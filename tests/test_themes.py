"""What people call a theme: one list of ids, and a word for each in both webs and in every language."""

import pytest

from hq.web import centre_mutes
from tablet_api import suggested_texts
from tests.hq.web import catalogues as of_hq
from tests.tablet_api import catalogues as of_tablets
from wire import themes


@pytest.mark.parametrize(
    ("called", "said"), [(centre_mutes.THEMES, of_hq.SAID), (suggested_texts.THEMES, of_tablets.SAID)]
)
def test_every_known_theme_has_a_word_of_its_own(called: dict[str, str], said: of_hq.Said) -> None:
    """And no other has; every word is translated into every other language."""
    assert tuple(called) == themes.KNOWN
    assert len(set(called.values())) == len(themes.KNOWN)
    assert not set(called) & set(called.values())
    for language in said.languages:
        left = "\n".join(said.differences(language)) if language != "en" else ""
        assert not [word for word in called.values() if repr(word) in left]
