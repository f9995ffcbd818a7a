"""The themes of what is sold, and what items are called."""

import json

from hq import collections, themes
from hq.database import reading
from tests.hq.headquarters import Headquarters
from wire.sync import Collection


def sell(hq: Headquarters, *told: dict[str, object]) -> None:
    """The catalog says just this."""
    bodies = collections.catalog_lines(json.dumps({"path": [], **one}).encode() for one in told)
    collections.publish(hq.engine, Collection.CATALOG, "main", bodies, hq.now_ms)


def of(hq: Headquarters) -> dict[str, str]:
    """The themes now."""
    with reading(hq.engine) as connection:
        return themes.of(connection)


def test_each_theme_is_named_once_and_a_changed_catalog_is_read_again(hq: Headquarters) -> None:
    """Of all catalogs, ascending, with an item of it; where nothing is sold there is none."""
    assert of(hq) == {}
    sell(hq, {"id": "a", "name": "A", "themes": ["pets", "baby"]}, {"id": "b", "name": "B", "themes": ["pets"]})
    assert list(of(hq).items()) == [("baby", "A"), ("pets", "A")]
    sell(hq, {"id": "b", "name": "B", "themes": ["pets"]})
    assert of(hq) == {"pets": "B"}


def test_an_item_is_called_what_its_catalog_calls_it(hq: Headquarters) -> None:
    """One that no catalog knows is not named."""
    sell(hq, {"id": "a", "name": "Rain jacket Alba"})
    with reading(hq.engine) as connection:
        assert themes.names(connection, ["a", "z"]) == {"a": "Rain jacket Alba"}
