"""The console: who may see what, a look that the member reads, answers, lists that go on, figures; in a browser too."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from html import unescape

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page
from sqlalchemy import delete, select

from hq import looks, policy_versions, questions, suggestion_switch, systems, training_versions, webhooks
from hq.alarm_tables import alarms
from hq.alarms import Alarm, raise_
from hq.changes_tables import hooks
from hq.console_roles import MAY, Role, View
from hq.database import reading, writing
from hq.errors import HookNotTaken
from hq.figures_model import day_of
from hq.systems import EVERY_BRAND, Right
from hq.web_tables import tries
from tests.hq.web import console_world
from tests.hq.web.conftest import Open, axe
from tests.hq.web.place import Place
from wire.member import Mode
from wire.suggestions import DEFAULT, Resting

# Every address of the console, and what may be seen there.
PAGES = {
    "/console/stores": View.STORES, "/console/stores/store-2": View.STORES, "/console/alerts": View.ALERTS,
    "/console/policy": View.POLICY, "/console/policy/main/1": View.POLICY, "/console/refused": View.REFUSED,
    "/console/hooks": View.HOOKS, "/console/models": View.MODELS,
    "/console/questions": View.QUESTIONS, "/console/requests": View.REQUESTS, "/console/members": View.MEMBER,
    "/console/figures": View.FIGURES, "/console/figures/chart.svg": View.FIGURES,
    "/console/figures/figures.csv": View.FIGURES, "/console/figures/work": View.FIGURES,
    "/console/figures/work.svg": View.FIGURES, "/console/figures/work.csv": View.FIGURES,
}  # fmt: skip
POSTS = {
    "/console/members": View.MEMBER, f"/console/questions/{'0' * 16}": View.QUESTIONS,
    f"/console/looks/{'0' * 32}/answer": View.ANSWER, "/console/figures/release": View.RELEASE,
    f"/console/hooks/{'0' * 16}/retry": View.RESEND,
}  # fmt: skip
Clients = Callable[[Role], FlaskClient]


@pytest.fixture(scope="module", autouse=True)
def world(place: Place) -> None:
    """What there is to be shown."""
    console_world.fill(place, weeks=2)


@pytest.fixture
def privacy(staff_client: Clients) -> FlaskClient:
    """Somebody of privacy."""
    return staff_client(Role.PRIVACY)


def begin(place: Place, client: FlaskClient, **more: str) -> str:
    """Begins a look at Ada; the address of her page."""
    sent = {"member": "ada", "reason": "complaint", "words": "she rang us", **more}
    response = client.post("/console/members", data=sent, base_url=place.address)
    assert response.status_code == 303
    return response.headers["Location"]


@pytest.mark.parametrize("role", Role)
def test_each_role_sees_what_the_table_says_and_nothing_else(place: Place, staff_client: Clients, role: Role) -> None:
    """Every address of the console is named here; the side bar offers what may be opened, and nothing else."""
    rules = [
        one for one in place.app.url_map.iter_rules() if one.rule.startswith("/console/") and "sign-" not in one.rule
    ]
    assert len(rules) == len(PAGES) + len(POSTS) + 2, "and a look's own page, and a notice's"
    client = staff_client(role)
    for path, view in PAGES.items():
        status = client.get(path, base_url=place.address).status_code
        assert (status == 200) is (role in MAY[view]) and status in (200, 403), path
    for path, view in POSTS.items():
        status = client.post(path, base_url=place.address).status_code
        assert (status == 403) is (role not in MAY[view]), path
    menu = client.get("/console", base_url=place.address).get_data(as_text=True).split("</nav>")[0]
    offered = set(re.findall(r'href="(/console/[a-z]+)"', menu))
    assert offered == {one for one, view in PAGES.items() if role in MAY[view] and one.count("/") == 2}


def test_nobody_enters_who_is_not_of_the_staff(place: Place, client: FlaskClient, signed_in: FlaskClient) -> None:
    """Nor does a member: both are led to the console's own door."""
    for one in (client, signed_in):
        for path in (*PAGES, "/console", f"/console/looks/{'0' * 32}"):
            response = one.get(path, base_url=place.address)
            assert response.status_code == 303
            assert response.headers["Location"].startswith("/console/sign-in")


def test_a_look_shows_what_it_records(place: Place, privacy: FlaskClient) -> None:
    """Each section once it was opened stands in the member's receipt; the address holds no member."""
    address = begin(place, privacy)
    assert re.fullmatch("/console/looks/[0-9a-f]{32}", address)
    shown = {name: privacy.get(f"{address}?section={name}", base_url=place.address) for name in ("choices", "values")}
    assert all(one.status_code == 200 for one in shown.values())
    assert "Shoe" in shown["choices"].get_data(as_text=True)
    with reading(place.hq.engine) as connection:
        told = looks.of_member(connection, place.hq.keys.custody, place.reference("ada"))
    (one,) = [look for look in told if look.id.hex() in address]
    assert (one.role, one.words, one.sections) == ("privacy", "she rang us", ("choices", "values"))


def test_who_looks_for_nobody_is_counted_and_told_to_wait(
    place: Place, privacy: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Who finds a member uses up nothing; who has no try left learns nothing of members either."""
    for _ in range(12):
        begin(place, privacy)

    def status(member: str) -> int:
        sent = {"member": member, "reason": "complaint", "words": "she rang us"}
        return privacy.post("/console/members", data=sent, base_url=place.address).status_code

    now_ms = place.hq.now_ms
    with caplog.at_level("INFO"):
        assert [status(f"nobody-{number}") for number in range(11)] == [404] * 10 + [429]
    assert status("ada") == 429
    try:
        place.hq.now_ms += 660_000
        assert (status("ada"), status("nobody")) == (303, 404)
    finally:
        place.hq.now_ms = now_ms
        with writing(place.hq.engine) as connection:
            connection.execute(delete(tries).where(tries.c.what == "look-nobody"))
    said = [one.getMessage() for one in caplog.records]
    assert (sum("look_nobody" in one for one in said), sum("looks_throttled" in one for one in said)) == (10, 2)
    assert "nobody-1" not in " ".join(said)


def test_a_store_shows_its_own_alerts(place: Place, privacy: FlaskClient) -> None:
    """However many there are of stores whose ids begin with the same."""
    now_ms = place.hq.now_ms
    with writing(place.hq.engine) as connection:
        raise_(connection, Alarm.LOG_BROKEN, "store-2", now_ms, "its own")
        for number in range(60):
            raise_(connection, Alarm.LOG_BROKEN, f"store-2{number}", now_ms, "another's")
        raise_(connection, Alarm.MODEL_LEAVES, "store-2", now_ms, "another's")  # a brand of the same name
    try:
        every = privacy.get("/console/alerts", base_url=place.address).get_data(as_text=True)
        assert "<td>store-2</td>" in every and '<a href="/console/stores/store-259">' in every
        page = privacy.get("/console/stores/store-2", base_url=place.address).get_data(as_text=True)
        assert "its own" in page and "another&#39;s" not in page
    finally:
        with writing(place.hq.engine) as connection:
            connection.execute(delete(alarms).where(alarms.c.detail.in_(("its own", "another's"))))


def test_operations_sees_no_values_and_nobody_anothers_look(place: Place, staff_client: Clients) -> None:
    """A role that may not, a handle of somebody else, one that never was, and a look that is over: nothing."""
    address = begin(place, staff_client(Role.OPERATIONS))
    mine, other = staff_client(Role.OPERATIONS), staff_client(Role.PRIVACY)
    page = mine.get(address, base_url=place.address)
    assert page.status_code == 200 and "section=values" not in page.get_data(as_text=True)
    assert mine.get(f"{address}?section=values", base_url=place.address).status_code == 422
    gone = [
        other.get(one, base_url=place.address) for one in (address, f"/console/looks/{'0' * 32}", "/console/looks/x")
    ]
    assert {one.status_code for one in gone} == {404}
    assert len({one.get_data() for one in gone}) == 1 or len({len(one.get_data()) for one in gone}) <= 3
    place.hq.now_ms += looks.LASTS_MS
    try:
        assert mine.get(address, base_url=place.address).status_code == 404
    finally:
        place.hq.now_ms -= looks.LASTS_MS


def test_no_look_without_member_reason_and_words(place: Place, privacy: FlaskClient) -> None:
    """The form comes back and says what is missing; nothing is repeated."""
    for sent, status in (({"reason": ""}, 422), ({"words": "x"}, 422), ({"member": "nobody-cnry"}, 404)):
        whole = {"member": "ada", "reason": "complaint", "words": "she rang us", **sent}
        response = privacy.post("/console/members", data=whole, base_url=place.address)
        assert response.status_code == status
        assert "cnry" not in response.get_data(as_text=True)


def test_a_question_is_opened_answered_and_off_the_list(place: Place, privacy: FlaskClient) -> None:
    """What is overdue is marked; the list says neither who asks nor what; the member reads the answer."""
    listed = privacy.get("/console/questions", base_url=place.address).get_data(as_text=True)
    assert "late" in listed and "I was at home" not in listed
    handles = re.findall(r'action="/console/questions/([0-9a-f]{16})"', listed)
    assert "ada" not in re.sub("[0-9a-f]{16}", "", listed)
    opened = privacy.post(f"/console/questions/{handles[-1]}", base_url=place.address).headers["Location"]
    assert "I was at home" in privacy.get(opened, base_url=place.address).get_data(as_text=True)
    answered = privacy.post(
        opened.split("?")[0] + "/answer", data={"words": "A colleague\nchecked it."}, base_url=place.address
    )
    assert answered.status_code == 303
    assert privacy.post(
        opened.split("?")[0] + "/answer", data={"words": "Again."}, base_url=place.address
    ).status_code == 409  # fmt: skip
    with reading(place.hq.engine) as connection:
        told = questions.of_member(connection, place.hq.keys.custody, place.reference("ada"))
    assert {one.answer for one in told} == {"A colleague\nchecked it.", None}
    assert handles[-1] not in privacy.get("/console/questions", base_url=place.address).get_data(as_text=True)
    assert handles[-1] in privacy.get("/console/questions?done=1", base_url=place.address).get_data(as_text=True)


def test_stores_are_found_by_name_and_state(place: Place, privacy: FlaskClient) -> None:
    """What the commands know of them; wild cards are letters."""

    def found(asked: str) -> set[str]:
        page = privacy.get(f"/console/stores?{asked}", base_url=place.address).get_data(as_text=True)
        return set(re.findall(r'href="/console/stores/([a-z0-9-]+)"', page))

    assert found("state=dark") == {"store-2", "store-6"}
    assert found("find=LEIPZIG") == {"store-3"} == found("state=quarantine")
    assert found("state=locked") == {"store-5"} and "store-4" in found("state=new")
    assert found("find=%25") == set() == found("find=_")
    assert found("after=store-6") == {"store-7"}
    page = privacy.get("/console/stores/store-2", base_url=place.address).get_data(as_text=True)
    assert "store_silent" in page and "has not said hello for long" in page


def test_figures_are_a_chart_a_table_and_a_file(place: Place, privacy: FlaskClient) -> None:
    """The same numbers in the table and the file; the chart is an image without a script."""
    query = "population=asked&purpose=presence&span=week&axis=channel"
    page = privacy.get(f"/console/figures?{query}", base_url=place.address).get_data(as_text=True)
    file = privacy.get(f"/console/figures/figures.csv?{query}", base_url=place.address)
    assert file.content_type.startswith("text/csv") and "attachment" in file.headers["Content-Disposition"]
    header, first, *_ = file.get_data(as_text=True).splitlines()
    assert header.startswith("span,channel,count,given,")
    span, _, count, given, *_ = first.split(",")
    assert f">{span}<" in page and f">{count}<" in page and f">{given} · " in page
    chart = privacy.get(f"/console/figures/chart.svg?{query}&theme=dark", base_url=place.address)
    assert chart.content_type.startswith("image/svg+xml")
    assert b"<script" not in chart.data and b"href" not in chart.data
    wait = privacy.get("/console/figures?axis=wait", base_url=place.address).get_data(as_text=True)
    assert "Half of those who chose had chosen" in wait
    work = privacy.get("/console/figures/work.csv?span=day", base_url=place.address).get_data(as_text=True)
    assert work.startswith("span,withdrawals_at_least,") and len(work.splitlines()) > 20


def test_no_figure_of_an_associate_is_to_be_had(place: Place, staff_client: Clients) -> None:
    """Whatever is asked of figures and stores: nobody of the stores' staff is named, and no axis is theirs."""
    place.hq.office.add_staff("cnryassociate", "berlin-1", "Cnryname", "associate", "258013", place.hq.now_ms)
    client = staff_client(Role.PRIVACY)
    for path in (one for one in (*PAGES, "/console") if not one.endswith(".svg")):
        page = client.get(path, base_url=place.address).data.lower()
        assert b"cnryassociate" not in page and b"cnryname" not in page, path
    assert staff_client(Role.PRIVACY).get(
        "/console/figures?axis=associate", base_url=place.address
    ).status_code == 422  # fmt: skip


def test_rules_that_are_off_or_rest_are_listed(place: Place, privacy: FlaskClient) -> None:
    """With where and until when; figures of suggestions ask for no purpose."""
    resting = Resting("due", "shoes", None, place.hq.now_s // 86_400 + 28), Resting("near", None, "after")
    with writing(place.hq.engine) as connection:
        draft = policy_versions.of(connection, "main")
        assert draft is not None
        said = replace(draft.main.suggestions or DEFAULT, rules_off=("popular",), rules_resting=resting)
        suggestion_switch.publish(connection, draft, said, place.hq.now_ms)
    page = privacy.get("/console/policy", base_url=place.address).get_data(as_text=True)
    _, _, table = page.partition("Rules of suggestions")
    rows = [re.findall(r"<t[hd][^>]*>([^<]*)<", one) for one in table.split("<tr>")[2:5]]
    assert rows == [
        ["popular", "main", "all zones", "all stages", "switched off"],
        ["due", "main", "shoes", "all stages", day_of(resting[0].until_day or 0).isoformat()],
        ["near", "main", "all zones", "after", "as the policy says"],
    ]
    figures = privacy.get("/console/figures?population=suggested&axis=place", base_url=place.address)
    assert "by zone and stage" in figures.get_data(as_text=True) and b'id="purpose"' not in figures.data


@pytest.mark.browser
def test_the_console_goes_by_keys_alone(opened: Open) -> None:
    """From the door past the side bar to a row of a table; a look is begun by its labels; nothing that axe finds."""
    page = opened("wide", "/console/stores", member=None, staff=Role.PRIVACY)
    axe(page, "stores")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    for _ in range(4):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "region"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/stores/berlin-1")
    _look(page)
    axe(page, "look")
    page.goto("/console/figures")
    axe(page, "figures")
    assert page.evaluate("document.querySelector('.chart-frame img').naturalWidth") > 0


def _look(page: Page) -> None:
    page.goto("/console/members")
    page.get_by_label("Id of the member").fill("ada")
    page.get_by_label("Reason").select_option("fault")
    page.get_by_label("In a few words").fill("the app showed nothing")
    page.get_by_role("button", name="Look", exact=True).click()
    page.wait_for_url("**/console/looks/*")


@pytest.mark.parametrize(("language", "words"), [
    ("en", ("Models for suggestions", "Purchases: up to 12", "worse", "Everybody")),
    ("de", ("Modelle für Vorschläge", "Käufe: bis zu 12", "schlechter", "Alle")),
])  # fmt: skip
def test_privacy_and_operations_see_for_whom_a_model_is_worse(
    place: Place, staff_client: Clients, language: str, words: tuple[str, ...]
) -> None:
    """Of the version in force, or of one that is asked for; and which command puts an earlier one in force."""
    heading, least, worse, everybody = words

    def page(version: str = "") -> str:
        client = staff_client(Role.OPERATIONS)
        response = client.get(
            f"/console/models{version}", base_url=place.address, headers={"Accept-Language": language}
        )
        assert response.status_code == 200
        return unescape(response.get_data(as_text=True))

    with reading(place.hq.engine) as connection:
        is_filled = bool(training_versions.listed(connection))
    if not is_filled:
        assert "consentry-hq train" in page()
        console_world.models(place)
    shown, refused, kept = page(), page("?version=3"), page("?version=1")
    assert heading in shown and least in shown and everybody in shown
    assert f">{worse}<" in refused and f">{worse}<" not in shown
    assert "consentry-hq train rollback --brand main" in shown
    assert "consentry-hq train rollback 1 --brand main" in kept
    assert page("?version=77") == shown and "3550" in shown


def test_an_integrator_sees_what_a_webhook_did_not_take_and_sends_it_again(place: Place, staff_client: Clients) -> None:
    """With the last delivery, the last failure and the dead letters; of the address nothing behind a question mark."""
    integrator, operations = staff_client(Role.INTEGRATOR), staff_client(Role.OPERATIONS)
    assert "No system is called" in integrator.get("/console/hooks", base_url=place.address).get_data(as_text=True)
    hq = place.hq
    with writing(hq.engine) as connection:
        systems.add(connection, "crm", "CRM", [Right.CHANGES], [EVERY_BRAND], [], hq.now_ms)
        hook, _ = webhooks.add(connection, hq.keys.custody, "crm", "https://crm.example.com/in?key=s3cret", hq.now_ms)
        through = connection.scalar(select(hooks.c.through)) or 0

    def gone(url: str, body: bytes, headers: Mapping[str, str]) -> None:
        raise HookNotTaken("it answered 410", "see whether it is there", gone=True)

    try:
        hq.office.set_mode("ada", Mode.OPEN, hq.now_ms)
        webhooks.Hooks(hq.engine, hq.keys.custody, gone).tick(hq.now_ms)
        shown = integrator.get("/console/hooks", base_url=place.address).get_data(as_text=True)
        text = shown.replace("<wbr>", "")  # where an address may go on in the next line
        assert all(one in text for one in ("https://crm.example.com/in", "it answered 410", hook.hex()))
        assert "s3cret" not in shown
        assert "Send again to crm" in shown
        seen = operations.get("/console/hooks", base_url=place.address).get_data(as_text=True)
        assert "it answered 410" in seen
        assert "/retry" not in seen
        response = integrator.post(f"/console/hooks/{hook.hex()}/retry", base_url=place.address)
        assert response.status_code == 303
        with reading(hq.engine) as connection:
            (found,) = webhooks.listed(connection)
            assert (found.dead, connection.scalar(select(hooks.c.through))) == (0, through)
        assert integrator.post("/console/hooks/x/retry", base_url=place.address).status_code == 404
    finally:
        with writing(hq.engine) as connection:
            webhooks.remove(connection, hook, hq.now_ms)
