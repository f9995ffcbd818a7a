"""`consentry-hq catalog …`, `affinity …` and `tree verify`: what many stores share, and whether the trees are right.

I/O: the terminal, files that a command names.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from hq import collections, tree_check
from hq.command_line import Part, actions, command
from hq.database import writing
from hq.errors import Reason, Refused
from hq.office import Office
from wire.sync import Collection

if TYPE_CHECKING:
    from hq.command_line import Commands

_EXIT_BROKEN = 65


def _options(commands: "Commands") -> None:
    catalog = actions(command(commands, "catalog", "what stores sell"))
    lines = command(
        catalog, "publish", "publish a catalog: adds, changes, and takes out what the file lacks",
        'a line of the file:\n  {"id": "4711", "name": "Trail shoe", "path": ["Shoes", "Trail"], "themes": ["alps"],\n'
        '   "flags": ["new"], "picture": "https://…", "page": "https://…"}\n'
        'flags of all that is in a category or theme:\n  {"category": "Wine", "flags": ["adult", "only_if_bought"]}',
    )  # fmt: skip
    lines.add_argument("file", type=Path, metavar="FILE", help="one JSON object a line")
    affinity = actions(command(commands, "affinity", "what suggestions need of other shoppers' habits"))
    files = command(affinity, "publish", "publish a model: each file of a folder is a part, by its name")
    files.add_argument("file", type=Path, metavar="FOLDER")
    for one in (lines, files):
        one.add_argument("--name", default="main", help="of the shared instance (default: main)")
        one.add_argument("--store", nargs="+", action="extend", default=[], metavar="ID", help="give it to these too")
    command(actions(command(commands, "tree", "digest trees")), "verify", "compute every tree from its records anew")


def _publish_catalog(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    try:
        with chosen.file.open("rb") as lines:
            bodies = collections.catalog_lines(lines)
    except OSError as error:
        raise Refused(Reason.MALFORMED, chosen.file.name, "a file that can be read") from error
    _publish(office, chosen, Collection.CATALOG, bodies, now_ms)


def _publish_affinity(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    _publish(office, chosen, Collection.AFFINITY, collections.affinity_files(chosen.file), now_ms)


def _publish(
    office: Office, chosen: argparse.Namespace, collection: Collection, bodies: Mapping[bytes, bytes], now_ms: int
) -> None:
    word = collection.name.lower()
    with _progress(word, len(bodies)) as progress:
        changed = collections.publish(office.engine, collection, chosen.name, bodies, now_ms, progress)
    with writing(office.engine) as connection:
        for store in chosen.store:
            collections.give(connection, store, collection, chosen.name)
    print(f"{word} {chosen.name}: {len(bodies)} records, {changed} changed")


@contextmanager
def _progress(word: str, count: int) -> Iterator[Callable[[int], None]]:
    columns = ("[progress.description]{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(word, total=count)
        yield lambda done: bar.advance(task, done)


def _verify(office: Office, chosen: argparse.Namespace, now_ms: int) -> int:
    broken = list(tree_check.broken(office.engine))
    for name in broken:
        print(f"{name}: the tree is not that of the records")
    if not broken:
        print("every tree is that of its records")
    return _EXIT_BROKEN if broken else 0


PART = Part(
    _options,
    {
        ("catalog", "publish"): _publish_catalog,
        ("affinity", "publish"): _publish_affinity,
        ("tree", "verify"): _verify,
    },
)
