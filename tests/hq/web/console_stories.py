"""The console's screens, wide and on a tablet, with something in every list, and one that is empty.

I/O: the browser of the test.
"""

from collections.abc import Callable

from playwright.sync_api import Page

from hq.console_roles import Role
from tests.hq.web import console_world
from tests.hq.web.place import Place

WIDE = {
    "console-overview": "/console", "console-stores": "/console/stores", "console-store": "/console/stores/store-3",
    "console-alerts": "/console/alerts", "console-policy": "/console/policy",
    "console-version": "/console/policy/main/1", "console-questions": "/console/questions",
    "console-questions-none": "/console/questions?done=1", "console-requests": "/console/requests",
    "console-members": "/console/members", "console-figures": "/console/figures?axis=all",
    "console-figures-channel": "/console/figures?axis=channel", "console-figures-wait": "/console/figures?axis=wait",
    "console-delays": "/console/figures/work", "console-dark-minutes": "/console/figures/work?what=dark",
    "console-models": "/console/models",
}  # fmt: skip


def console(opened: Callable[..., Page], place: Place, look: Callable[[Page, str], None]) -> None:
    """Page after page, as privacy and as an integrator; a question is opened, a member looked at."""
    console_world.fill(place, weeks=22)
    console_world.models(place)
    page = opened("wide", "/console", member=None, staff=Role.PRIVACY)
    for name, path in WIDE.items():
        page.goto(path)
        look(page, name)
    page.goto("/console/questions")
    page.get_by_role("button", name="something else").click()
    page.wait_for_url("**/console/looks/*")
    look(page, "console-question")
    for name in ("Choices", "History", "Receipts", "Profile with values"):
        page.get_by_role("link", name=name, exact=True).click()
        page.get_by_role("heading", name=name, level=1).wait_for()
        look(page, f"console-look-{name.split()[0].lower()}")
    page.set_viewport_size({"width": 834, "height": 1112})
    for name in ("console-stores", "console-figures"):
        page.goto(WIDE[name])
        look(page, f"{name}-tablet")
    page = opened("wide", "/console/refused", member=None, staff=Role.INTEGRATOR)
    look(page, "console-refused")
    console_world.call(place)
    page.goto("/console/hooks")
    page.get_by_role("heading", name="Dead letters").wait_for()
    fits = "[...document.querySelectorAll('.table-wrap')].every(one => one.scrollWidth <= one.clientWidth)"
    assert page.evaluate(fits), "at 1,280 px nobody moves a table sideways"
    look(page, "console-hooks")
