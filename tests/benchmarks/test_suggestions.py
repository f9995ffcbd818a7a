"""The measurements of suggestions measure what they say: on histories small enough to reckon by hand."""

import csv
import gzip
import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import suggestions_made, suggestions_measures, suggestions_retail, suggestions_rivals
from benchmarks.suggestions_baskets import Baskets, BasketsError, read, split, write
from benchmarks.suggestions_matrices import Lines
from benchmarks.suggestions_ours import histories
from benchmarks.suggestions_rivals import Reading, Tifu, TifuScores, UpCf, UpCfScores, said

TOP = Path(__file__).parents[2]
SMALL = Baskets(
    history={
        "ann": [["milk", "bread"], ["milk"], ["milk", "tea"]],
        "ben": [["bread"], ["tea", "milk"]],
        "cleo": [["nuts"], ["nuts", "tea"]],
        "dora": [["bread", "jam"], ["jam"]],
    },
    future={"ann": ["milk", "jam"], "ben": ["tea"], "cleo": ["nuts"], "dora": ["bread"]},
    train=("ann", "ben"),
    validate=("cleo",),
    test=("dora",),
    days={"ann": [0, 7, 14, 21], "ben": [3, 9, 20], "cleo": [1, 5, 6], "dora": [2, 4, 30]},
)


def told(text: str) -> None:
    """Nobody listens."""


def test_a_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """Plain or packed, with days or without."""
    for name, baskets in (("a.json", SMALL), ("b.json.gz", replace(SMALL, days=None))):
        write(tmp_path / name, baskets)
        assert read(tmp_path / name) == baskets


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"history": None}, "history is null; write an object"),
        ({"test": []}, "test is empty; put about 20 of 100 there"),
        ({"test": ["eve"]}, "'eve', who has no history; add it or take the shopper out"),
        ({"test": ["ann"]}, "'ann' is in train and in test; leave each in one part"),
        ({"test": ["dora", "dora"]}, "'dora' twice; name each shopper once"),
        ({"val": ["cleo"]}, "unknown key 'val'; remove it"),
        ({"history": {"ann": []}}, "history['ann'] has no basket; leave out shoppers without any"),
        ({"history": {"ann": [[]]}}, "history['ann'][0] is empty; leave out baskets that hold nothing"),
        ({"history": {"ann": [[1.5]]}}, "is 1.5; name items and shoppers by a text or a whole number"),
        ({"future": {"ann": "milk"}}, "future['ann'] is a text; write a list of items"),
        ({"days": {"ann": [0, 7, 14]}}, "days lacks 'ben'; tell the days of every shopper of history"),
        ({"days": {**dict(SMALL.days or {}), "ben": [3]}}, "has 1 for 2 baskets; tell one a basket"),
        ({"days": {**dict(SMALL.days or {}), "ben": [9, 3]}}, "never fall; sort the baskets by day"),
    ],
)
def test_a_faulty_file_is_refused_with_the_remedy(tmp_path: Path, changed: dict, says: str) -> None:
    """The message names the place, and what to do."""
    write(tmp_path / "good.json", SMALL)
    (tmp_path / "bad.json").write_text(json.dumps(json.loads((tmp_path / "good.json").read_text()) | changed))
    with pytest.raises(BasketsError) as refused:
        read(tmp_path / "bad.json")
    assert says in str(refused.value)
    assert "bad.json" in str(refused.value)


def test_whole_numbers_may_name_shoppers_and_items(tmp_path: Path) -> None:
    """As in other people's files."""
    whole = {"history": {"1": [[5, 5, 6]]}, "future": {"1": [6]}, "train": [1], "validate": [], "test": []}
    whole |= {part: [number] for number, part in enumerate(("train", "validate", "test"), 1)}
    whole["history"] |= {"2": [[5]], "3": [[6]]}
    whole["future"] |= {"2": [5], "3": [5]}
    (tmp_path / "whole.json").write_text(json.dumps(whole))
    assert read(tmp_path / "whole.json").history["1"] == [["5", "6"]]


def test_a_split_depends_on_the_seed_and_on_nothing_else() -> None:
    """Whatever the order of the shoppers; each is in one part."""
    shoppers = [f"s{number}" for number in range(1_000)]
    parts = split(shoppers, 7)
    assert parts == split(reversed(shoppers), 7)
    assert parts != split(shoppers, 8)
    assert [len(part) for part in parts] == [720, 80, 200]
    assert len({shopper for part in parts for shopper in part}) == 1_000


def shop(folder: Path, *lines: tuple[str, str, int, int]) -> Baskets:
    """The baskets of invoice, item, quantity and day of one customer, who is joined by others to split from."""
    with gzip.open(folder / "lines.csv.gz", "wt", newline="") as into:
        rows = csv.writer(into)
        rows.writerow(["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"])
        for invoice, item, quantity, day in lines:
            rows.writerow([invoice, item, quantity, f"2011-03-{day:02}T10:00", "1.00", "12345"])
    return suggestions_retail.baskets(copy=folder / "lines.csv.gz")


def test_what_was_returned_was_not_bought(tmp_path: Path) -> None:
    """A return empties the newest basket before it, in part or whole; postage is no item; the last one is to come."""
    found = shop(
        tmp_path,
        ("500003", "10003", 1, 9), ("500003", "POST", 1, 9), ("500001", "10001", 2, 1), ("500001", "10002", 1, 1),
        ("C50001", "10002", -1, 3), ("500002", "10001", 1, 5), ("C50002", "10001", -2, 6), ("500002", "10004", 4, 5),
        ("500004", "10001", 1, 12),
    )  # fmt: skip
    assert found.history == {"12345": [["10001"], ["10004"], ["10003"]]}
    assert found.future == {"12345": ["10001"]}
    assert [day - 15_034 for day in (found.days or {})["12345"]] == [0, 4, 8, 11]


def test_nobody_knew_of_a_return_after_the_last_basket(tmp_path: Path) -> None:
    """It takes from the future, and a future of which nothing was kept is none; the history stays as it was."""
    lines = [(f"50000{day}", "10001", 1, day) for day in (1, 2, 3, 4)]
    found = shop(tmp_path, *lines, ("C50001", "10001", -3, 9))
    assert found.history == {"12345": [["10001"], ["10001"]]}
    assert found.future == {"12345": ["10001"]}


def test_the_projects_copy_is_described() -> None:
    """Source, licence and what was changed stand beside it."""
    page = (suggestions_retail.COPY.parent / "README.md").read_text(encoding="utf-8")
    assert suggestions_retail.COPY.name in page
    for named in ("Daqing Chen", "10.24432/C5BW33", "CC BY 4.0", "Changed:"):
        assert named in page


def test_the_figures_are_reckoned_as_by_hand() -> None:
    """Two of three true items at places 1 and 11 of the list; nDCG's ideal knows all three; nobody's list is no hit."""
    top = ["a", *(f"x{at}" for at in range(9)), "b"]
    found = suggestions_measures.measured({"ann": top}, {"ann": ["a", "b", "c"], "ben": ["a"]}, ["ann", "ben"]).means()
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert found["Recall@10"] == pytest.approx(1 / 3 / 2)
    assert found["Recall@20"] == pytest.approx(2 / 3 / 2)
    assert found["nDCG@10"] == pytest.approx(1 / ideal / 2)
    assert found["nDCG@20"] == pytest.approx((1 + 1 / math.log2(12)) / ideal / 2)
    assert found["PHR@10"] == found["PHR@20"] == 0.5


def test_an_ideal_of_more_items_than_the_list_is_out_of_reach() -> None:
    """Twelve of twelve would need twelve places: ten right ones are not 1."""
    true = [str(at) for at in range(12)]
    assert suggestions_measures.measured({"ann": true[:10]}, {"ann": true}, ["ann"]).means()["nDCG@10"] < 0.93


def test_an_interval_holds_its_difference_and_follows_from_its_seed() -> None:
    """The same for the same seed; a sure difference has no width."""
    chance = np.random.default_rng(1)
    lists = {f"s{at}": ["a"] if chance.random() < 0.4 else ["b"] for at in range(300)}
    true = {shopper: ["a"] for shopper in lists}
    some = suggestions_measures.measured(lists, true, list(lists))
    none = suggestions_measures.measured({}, true, list(lists))
    every = suggestions_measures.measured(true, true, list(lists))
    found = suggestions_measures.differences(some, none, 5, 300)
    assert found == suggestions_measures.differences(some, none, 5, 300)
    assert found != suggestions_measures.differences(some, none, 6, 300)
    one = found["Recall@10"]
    assert 0 < one.low < one.difference < one.high < 1
    assert one.high - one.low == pytest.approx(4 * math.sqrt(one.difference * (1 - one.difference) / 300), rel=0.25)
    sure = suggestions_measures.differences(every, none, 5, 100)["Recall@10"]
    assert (sure.low, sure.difference, sure.high) == (1.0, 1.0, 1.0)


def scores_of(lines: Lines, scored: object, shopper: str) -> dict[str, float]:
    """One shopper's scores by item."""
    row = scored(lines.rows([shopper]))[0]  # type: ignore[operator]
    return {item: float(score) for item, score in zip(lines.items, row, strict=True)}


def test_tifu_knn_weighs_baskets_as_its_authors_say() -> None:
    """Five baskets in two groups, the newer of which holds three; and the neighbours' mean beside the own vector."""
    long = {"ann": [["a"], ["b"], ["c"], ["d"], ["e"]], "ben": [["a"], ["f"]]}
    lines = Lines.of(replace(SMALL, history=long), strict=True)
    paper = Tifu(groups=2, within=0.5, between=0.1, neighbours=1, alpha=1.0, reading=Reading.PAPER)
    assert scores_of(lines, TifuScores(lines, paper), "ann") == pytest.approx(
        {"a": 0.5 / 2 * 0.1 / 2, "b": 1 / 2 * 0.1 / 2, "c": 0.25 / 3 / 2, "d": 0.5 / 3 / 2, "e": 1 / 3 / 2, "f": 0.0}
    )
    program = replace(paper, reading=Reading.PROGRAM)
    assert said(program) == "Tifu(groups=2, within=0.5, between=0.1, neighbours=1, alpha=1.0, reading=program)"
    assert scores_of(lines, TifuScores(lines, program), "ann")["a"] == pytest.approx(0.5**4 / 2 * 0.1 / 2)
    mixed = scores_of(lines, TifuScores(lines, replace(paper, alpha=0.25)), "ann")
    assert mixed["f"] == pytest.approx(0.75 * 1.0 / 2)
    assert mixed["e"] == pytest.approx(0.25 / 3 / 2)


def test_tifu_knn_lets_the_nearest_speak() -> None:
    """Of two others the one whose vector is nearer, and never oneself."""
    near = {"ann": [["a", "b"]], "ben": [["a", "b", "c"]], "cleo": [["d"]]}
    lines = Lines.of(replace(SMALL, history=near), strict=True)
    found = scores_of(lines, TifuScores(lines, Tifu(groups=1, neighbours=1, alpha=0.0)), "ann")
    assert found == pytest.approx({"a": 1.0, "b": 1.0, "c": 1.0, "d": 0.0})


def test_what_is_kept_between_settings_changes_no_score() -> None:
    """Whatever was asked before with other parameters."""
    lines, tifu, up_cf = Lines.of(SMALL, strict=True), {}, {}
    for one in (Tifu(), Tifu(alpha=0.1), Tifu(alpha=0.1, neighbours=2), Tifu(groups=2, neighbours=2), Tifu()):
        assert scores_of(lines, TifuScores(lines, one, tifu), "ann") == scores_of(lines, TifuScores(lines, one), "ann")
    for one in (UpCf(), UpCf(alpha=0.75), UpCf(recency=1), UpCf(locality=2, neighbours=2), UpCf()):
        assert scores_of(lines, UpCfScores(lines, one, up_cf), "ann") == scores_of(lines, UpCfScores(lines, one), "ann")


def test_up_cf_weighs_shoppers_as_its_authors_say() -> None:
    """Recent shares of all alike by the asymmetric cosine of what they ever bought, oneself among them."""
    lines = Lines.of(SMALL, strict=True)
    found = scores_of(lines, UpCfScores(lines, UpCf(recency=1, locality=2, alpha=0.25)), "dora")
    bread = {"ann": 1 / (2**0.25 * 3**0.75), "ben": 1 / (2**0.25 * 3**0.75)}  # one item in common, of 2 and 3
    assert found["jam"] == pytest.approx(1.0)  # dora's own last basket
    assert found["milk"] == pytest.approx(bread["ann"] ** 2 + bread["ben"] ** 2)
    assert found["tea"] == pytest.approx(bread["ann"] ** 2 + bread["ben"] ** 2)
    assert found["nuts"] == found["bread"] == 0.0
    nearest = scores_of(lines, UpCfScores(lines, UpCf(1, 2, 0.25, neighbours=1)), "dora")
    assert nearest["jam"] == pytest.approx(1.0)
    assert nearest["milk"] == 0.0


def test_frequencies_are_what_their_names_say() -> None:
    """Everybody's, one's own and nothing else, one's own and then everybody's; equal ones by everybody's."""
    assert suggestions_rivals.global_frequency(SMALL, True, told)[0]["dora"] == ["milk", "bread", "tea", "jam", "nuts"]
    assert suggestions_rivals.personal_frequency(SMALL, True, told)[0]["dora"] == ["jam", "bread"]
    assert suggestions_rivals.combined_frequency(SMALL, True, told)[0]["dora"] == [
        "jam",
        "bread",
        "milk",
        "tea",
        "nuts",
    ]


def test_strict_means_that_no_future_basket_enters() -> None:
    """Other futures of train and test change nothing, in no method; without strict those of train count."""
    kind = replace(suggestions_made.KINDS["undated"], shoppers=50, items=40, habits=4, baskets=4.0)
    true = suggestions_made.baskets(kind)
    odd = ["i1", "i2", "i3", "i4"]
    others = {shopper: odd if shopper not in true.validate else items for shopper, items in true.future.items()}
    false = replace(true, future=others)
    for method in (
        suggestions_rivals.global_frequency,
        suggestions_rivals.combined_frequency,
        suggestions_rivals.tifu_knn,
        suggestions_rivals.up_cf,
    ):
        assert method(true, True, told) == method(false, True, told)
    assert suggestions_rivals.global_frequency(true, False, told) != suggestions_rivals.global_frequency(
        false, False, told
    )
    assert histories(true, strict=True) == histories(false, strict=True)
    assert histories(true, strict=False) != histories(false, strict=False)
    assert sum(len(one.baskets) for one in histories(true, strict=True)) == sum(map(len, true.history.values()))


def program(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The program as others run it: by its path."""
    command = [sys.executable, TOP / "benchmarks" / "suggestions.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd="/")


def test_the_program_measures_a_file_by_its_path(tmp_path: Path) -> None:
    """From any folder; figures for programs on standard output, progress on standard error."""
    write(tmp_path / "small.json", SMALL)
    ran = program(tmp_path / "small.json", "--strict", "--json", "--only", "personal frequency,TIFU-KNN")
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["strict"] is True
    assert found["methods"]["personal frequency"]["Recall@10"] == 1.0
    assert found["methods"]["TIFU-KNN"]["seconds"] > 0
    assert "TIFU-KNN: done" in ran.stderr


def test_the_program_refuses_a_faulty_file_in_one_line(tmp_path: Path) -> None:
    """With exit 1; no traceback."""
    (tmp_path / "bad.json").write_text('{"history": {}}')
    ran = program(tmp_path / "bad.json")
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert "lacks future, train, validate, test; there must be" in ran.stderr


@pytest.mark.long
def test_everything_is_measured_on_a_twelfth_of_the_shop() -> None:
    """Six methods, both intervals, the guard without a flagged item shown, the membership test."""
    ran = program("--quick", "--strict", "--json", "--guard", "--membership")
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert list(found["methods"]) == [
        "global frequency", "personal frequency", "combined frequency", "TIFU-KNN", "UP-CF", "ours",
    ]  # fmt: skip
    assert set(found["ours minus"]) == {"TIFU-KNN", "UP-CF"}
    assert found["guard"]["flagged shown"]["behind the flags"] == 0
    assert found["guard"]["flagged shown"]["behind the whole guard"] == 0
    assert 0.3 < found["membership"]["AUC of the membership test"] < 1.0
    assert found["membership"]["people in the smallest"] >= 20


@pytest.mark.long
def test_what_suggestions_cost_the_box_is_measured() -> None:
    """A small shop in a sealed cache, its tables read and requests answered."""
    command = [sys.executable, "-m", "benchmarks", "suggestions-box", "--quick"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=TOP)
    assert ran.returncode == 0, ran.stderr
    assert "a request, p99" in ran.stdout
