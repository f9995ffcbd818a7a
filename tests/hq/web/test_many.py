"""The console's pages where every list has 100,000 rows."""

import re

import pytest
from sqlalchemy import insert, text

from hq.console_lists import PAGE
from hq.console_roles import Role
from hq.database import writing
from hq.tables import members
from tests.hq.test_console_lists import MANY, fill
from tests.hq.web.place import Place

PAGES = {
    "/console/stores": Role.OPERATIONS,
    "/console/alerts": Role.OPERATIONS,
    "/console/refused": Role.INTEGRATOR,
    "/console/hooks": Role.INTEGRATOR,
    "/console/questions": Role.PRIVACY,
    "/console/requests": Role.PRIVACY,
    "/console/policy": Role.PRIVACY,
}


@pytest.mark.long
def test_of_100_000_rows_a_page_shows_fifty_and_leads_on(place: Place) -> None:
    """From page to page, each row once, and back to the beginning; the overview counts them all."""
    with writing(place.hq.engine) as connection:
        whose = b"m" * 16
        connection.execute(insert(members).values(id=whose, added_ms=place.hq.now_ms))
        fill(connection, whose, MANY)
    with writing(place.hq.engine) as connection:
        connection.execute(text("ANALYZE"))
    for path, role in PAGES.items():
        client, address = place.staff(role), path
        seen: set[str] = set()
        for _ in range(3):
            answer = client.get(address, base_url=place.address)
            assert answer.status_code == 200, address
            shown = answer.get_data(as_text=True)
            rows = re.findall(r"<tr>.*?</tr>", shown.rpartition("<tbody>")[2], re.DOTALL)
            assert len(rows) == PAGE, address
            onward = re.search(r'href="([^"]+)" rel="next"', shown)
            assert onward is not None, address
            address = onward[1].replace("&amp;", "&")
            assert address not in seen
            seen.add(address)
        assert "To the beginning" in shown
    overview = place.staff(Role.PRIVACY).get("/console", base_url=place.address).get_data(as_text=True)
    assert f"{MANY // 2:,}" in overview or str(MANY // 2) in overview
