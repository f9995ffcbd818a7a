"""The house rules that no linter knows: docstrings, names, sizes, what stands in tracked files."""

import ast
import functools
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import LONGEST
from tests.programs import Program

TOP = Path(__file__).parent.parent
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = sorted({name.split(".")[0] for name in PROJECT["tool"]["setuptools"]["packages"]})
MODULES = sorted(path for package in [*PACKAGES, "benchmarks"] for path in (TOP / package).rglob("*.py"))
OURS = [path for path in MODULES if path.name != "__init__.py"]

BANNED_PLACES = {
    "common",
    "utils",
    "util",
    "helpers",
    "helper",
    "manager",
    "managers",
    "misc",
    "shared",
    "lib",
    "core_utils",
}
BANNED_NAMES = {"user", "device", "handler", "helper", "util", "data", "info", "process", "do", "obj", "tmp"}
BANNED_IN_CLASSES = {"user", "device", "handler", "helper", "util", "utils", "data", "info", "obj", "tmp", "manager"}
# The one way a name of a library gets in: an interface that it calls us by. Path and name, with the reason.
NAMES_OF_OTHERS = {
    ("runtime/logs.py", "info"),  # the level's own name, as everywhere in Python
    ("runtime/logs.py", "process"),  # what operating systems call it; this module names it in every line
}
DOES_IO = {
    "asyncio", "bleak", "cheroot", "flask", "http", "logging", "os", "paho", "psycopg", "secrets", "select", "shutil",
    "signal", "socket", "sqlalchemy", "sqlite3", "sqlite_utils", "ssl", "subprocess", "tempfile", "threading", "time",
    "urllib",
}  # fmt: skip


def named(path: Path) -> str:
    """The path from the top, as a test's name."""
    return path.relative_to(TOP).as_posix()


@functools.cache
def parsed(path: Path) -> ast.Module:
    """The syntax of a module; nobody changes it."""
    return ast.parse(path.read_text(encoding="utf-8"), named(path))


def imported(tree: ast.Module) -> Iterator[str]:
    """The full name of every module that is imported, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            yield node.module


def tracked() -> list[Path]:
    """The files that git knows; where this is no checkout, all but what the commands made."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, check=True).stdout
        found = [TOP / name for name in listed.decode().split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        made = {".git", ".venv", ".venv-lock", ".vm", "__pycache__", "build", "dist", ".hypothesis"}
        made |= {".mypy_cache", ".ruff_cache", ".pytest_cache", ".import_linter_cache"}
        found = [path for path in TOP.rglob("*") if not made & set(path.parts) and ".egg-info" not in str(path)]
    return [path for path in found if path.is_file()]


def over(paths: list[Path]) -> Callable[[Callable[[Path], None]], Callable[[], None]]:
    """Makes of a rule for one module a test that judges all of them, and tells each that breaks it."""

    def of_all(rule: Callable[[Path], None]) -> Callable[[], None]:
        def test() -> None:
            wrong = []
            for path in paths:
                try:
                    rule(path)
                except AssertionError as error:
                    wrong.append(f"{named(path)}: {error}")
            assert not wrong, "\n".join(wrong)

        test.__name__, test.__doc__ = rule.__name__, rule.__doc__
        return test

    return of_all


@over(OURS)
def test_a_module_says_what_it_does_and_whether_it_touches_the_world(path: Path) -> None:
    """The first docstring line is one sentence; the last paragraph tells pure from I/O."""
    docstring = ast.get_docstring(parsed(path))
    assert docstring, "a docstring is missing"
    assert re.fullmatch(r".{10,}[.:]", docstring.splitlines()[0]), "the first line is one sentence"
    last = docstring.split("\n\n")[-1]
    assert last == "Pure: no I/O, no clock." or last.startswith("I/O: "), f"the last line is {last!r}"


@over(OURS)
def test_a_module_that_claims_to_be_pure_imports_no_io(path: Path) -> None:
    """`Pure` is not a wish: nothing that touches the world is imported."""
    tree = parsed(path)
    if (ast.get_docstring(tree) or "").endswith("Pure: no I/O, no clock."):
        assert not {name.split(".")[0] for name in imported(tree)} & DOES_IO


def test_an_only_importer_is_the_only_one() -> None:
    """`I/O: <library>; its only importer.` holds within the package."""
    for path in OURS:
        found = re.search(r"^I/O: ([A-Za-z_][\w.]*); its only importer", ast.get_docstring(parsed(path)) or "", re.M)
        if found is None:
            continue
        library = found.group(1).replace("-", "_").split(".")[0]
        package = path.relative_to(TOP).parts[0]
        importers = {
            named(other)
            for other in OURS
            if other.relative_to(TOP).parts[0] == package
            and library in {name.split(".")[0] for name in imported(parsed(other))}
        }
        assert importers <= {named(path)}, f"{library} is imported by {sorted(importers)}"


@over([path for path in MODULES if path.name == "__init__.py"])
def test_an_init_is_a_docstring_only(path: Path) -> None:
    """Importing a package does nothing."""
    tree = parsed(path)
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1


# A program writes them, and they are as long as the tables are.
REVISIONS = TOP / "hq" / "migrations" / "versions"


@over([path for path in MODULES if path.parent != REVISIONS])
def test_no_module_is_over_400_lines(path: Path) -> None:
    """What is longer does more than one thing."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_no_package_is_a_drawer() -> None:
    """No `common`, `utils`, `helpers`, `manager`: a place's name says what it holds."""
    places = {part.removesuffix(".py") for path in MODULES for part in path.relative_to(TOP).parts}
    assert not places & BANNED_PLACES
    assert not (TOP / "systemd" / "__init__.py").exists()


@over(MODULES)
def test_our_things_have_our_words(path: Path) -> None:
    """None of the words that say nothing names a function, a class, an argument or a variable of ours."""
    wrong = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ClassDef):
            words = {word.lower() for word in re.findall(r"[A-Z][a-z0-9]*", node.name)}
            wrong |= {node.name} if words & BANNED_IN_CLASSES else set()
        name = (
            node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            else node.arg if isinstance(node, ast.arg)
            else node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            else None
        )  # fmt: skip
        if name is not None and name.strip("_") in BANNED_NAMES and (named(path), name) not in NAMES_OF_OTHERS:
            wrong.add(name)
    assert not wrong


@over(MODULES)
def test_dataclasses_are_frozen_and_slotted(path: Path) -> None:
    """A value does not change under its reader's hands."""
    for node in ast.walk(parsed(path)):
        if not isinstance(node, ast.ClassDef):
            continue
        for mark in node.decorator_list:
            called = mark.func if isinstance(mark, ast.Call) else mark
            if (getattr(called, "id", None) or getattr(called, "attr", None)) == "dataclass":
                chosen = {one.arg for one in mark.keywords} if isinstance(mark, ast.Call) else set()
                assert {"frozen", "slots"} <= chosen, f"line {node.lineno}: frozen=True, slots=True"


@over(MODULES)
def test_no_rule_is_waved_through(path: Path) -> None:
    """Clock calls and blind excepts are allowed by place, in pyproject.toml, never by a comment."""
    assert not re.search(r"noqa[^\n]*(TID251|BLE001)|# *ruff: *noqa", path.read_text(encoding="utf-8"))


def test_the_core_stands_on_wire_and_consent_alone() -> None:
    """The gateway's pure core imports nothing of the gateway around it."""
    allowed = {"wire", "consent"}
    for path in (TOP / "store_gateway" / "core").glob("*.py"):
        for name in imported(parsed(path)):
            assert name.startswith("store_gateway.core") or name.split(".")[0] not in set(PACKAGES) - allowed, name


def test_every_package_is_installed() -> None:
    """What setuptools is told is what is there."""
    there = {
        ".".join(path.parent.relative_to(TOP).parts)
        for package in PACKAGES
        for path in (TOP / package).rglob("__init__.py")
    }
    assert there == set(PROJECT["tool"]["setuptools"]["packages"])


@pytest.mark.parametrize("module", ["edge.__main__", "tablet_api.__main__"])
def test_edge_and_tablet_api_load_no_keys_no_database_no_mqtt(module: str) -> None:
    """What a running process has loaded is what a break-in finds: not even lazily is it there."""
    found = subprocess.run(
        [sys.executable, "-c", f"import sys, {module}; print(*sorted(m.split('.')[0] for m in sys.modules))"],
        cwd=TOP, capture_output=True, text=True, check=True,
    )  # fmt: skip
    forbidden = {"argon2", "consent", "cryptography", "paho", "psycopg", "sqlalchemy", "sqlite3", "sqlite_utils"}
    assert not set(found.stdout.split()) & forbidden


@pytest.mark.parametrize("program", sorted(PROJECT["project"]["scripts"]))
def test_every_program_has_help_and_a_version(program: str) -> None:
    """`--help` says what it is for and `--version` which it is."""
    module = PROJECT["project"]["scripts"][program].split(":")[0]
    own = Program(module.removesuffix(".__main__"))
    shown = [own.run(option) for option in ("--help", "--version")]
    own.close()
    assert [one.returncode for one in shown] == [0, 0]
    assert shown[0].stdout.startswith(f"usage: {program}")
    assert len(shown[0].stdout) > 200
    assert shown[1].stdout == f"{program} {importlib.metadata.version('consentry')}\n"


def test_tracked_files_hold_no_index_address_and_no_path_of_a_machine() -> None:
    """A checkout works anywhere: no package index is named, no home directory either."""
    # Put together here, so that this file does not hold what it looks for.
    hosts = ["pypi" + ".org", "files.python" + "hosted.org", "registry.npm" + "js.org", "deb.debian" + ".org"]
    words = [re.escape(host) for host in hosts] + [r"--(extra-)?index-" + "url", r"--find-" + r"links\b(?! *\\?$)"]
    places = [re.escape(str(TOP)), "/ro" + "ot/", "/ho" + r"me/[a-z]"]
    pattern = re.compile("|".join([*words, *(rf"(?<![\w.]){place}(?![\w-])" for place in places)]))
    wrong = []
    for path in tracked():
        text = path.read_bytes()
        if b"\0" in text[:4096]:
            continue
        wrong += [f"{named(path)}: {found.group()}" for found in pattern.finditer(text.decode("utf-8", "replace"))]
    assert not wrong


@pytest.mark.parametrize(
    "lock",
    [
        "requirements.lock",
        "requirements-hq.lock",
        "requirements-demo.lock",
        "requirements-dev.lock",
        "requirements-bench.lock",
    ],
)
def test_a_lock_holds_every_dependency_with_hashes(lock: str) -> None:
    """Each entry is pinned and hashed, from the public index; none of the project's own is missing."""
    text = (TOP / lock).read_text(encoding="utf-8")
    entries = re.findall(
        r"^([a-z0-9._-]+)==(\S+?)( ;.*?)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", text, re.M
    )
    assert len(entries) == len(re.findall(r"^[^\s#]", text, re.M))
    assert not [version for _, version, *_ in entries if "+" in version]
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = {
        "requirements.lock": [],
        "requirements-hq.lock": extras["hq"],
        "requirements-demo.lock": extras["demo"] + extras["hq"],
        "requirements-bench.lock": extras["bench"],
        "requirements-dev.lock": extras["dev"] + extras["demo"] + extras["hq"],
    }[lock]
    names = {re.split(r"[^A-Za-z0-9._-]", one)[0].lower() for one in [*PROJECT["project"]["dependencies"], *wanted]}
    assert names <= {name for name, *_ in entries}


def test_the_smaller_locks_agree_with_the_large_one() -> None:
    """A demo runs the very versions that the tests ran."""
    pinned = {
        lock: set(re.findall(r"^([a-z0-9._-]+==\S+)", (TOP / lock).read_text(encoding="utf-8"), re.M))
        for lock in ("requirements.lock", "requirements-hq.lock", "requirements-demo.lock", "requirements-dev.lock")
    }
    assert all(one <= pinned["requirements-dev.lock"] for one in pinned.values())


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_the_commands_of_the_first_pages_exist(document: str) -> None:
    """Every `make …` and every program that a page tells to run is there."""
    text = (TOP / document).read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S) + re.findall(r"`([^`\n]+)`", text))
    targets = set(re.findall(r"^([a-z-]+):", (TOP / "Makefile").read_text(encoding="utf-8"), re.M))
    assert set(re.findall(r"^\s*(?:\$ )?make ([a-z-]+)", code, re.M)) <= targets
    programs = set(re.findall(r"^\s*(?:\$ )?(?:sudo )?(consentry-[a-z]+)\b(?![.\w])", code, re.M))
    assert programs <= set(PROJECT["project"]["scripts"])


def test_continuous_integration_runs_the_tests() -> None:
    """`.ci/run` is there, may be run, and ends in `make test` with CI set."""
    script = TOP / ".ci" / "run"
    assert os.access(script, os.X_OK)
    text = script.read_text(encoding="utf-8")
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in text
    assert "export CI=true" in text
    assert text.endswith("make test\n")


def test_every_program_that_tests_need_is_installed() -> None:
    """`.ci/programs` names each, or the one of the same package; Debian is never without the last ones."""
    along = {
        "mosquitto_passwd": "mosquitto", "postgres": "initdb", "pg_dump": "initdb", "epmd": "rabbitmq-server",
        "systemd-creds": "systemd-analyze", "systemd-sysusers": "systemd-analyze",
    }  # fmt: skip
    text = (TOP / ".ci" / "programs").read_text(encoding="utf-8")
    installed = {*re.findall(r"^  \[([\w-]+)\]=", text, re.M), "mount", "umount"}
    needed: set[str] = set()
    for path in (TOP / "tests").rglob("*.py"):
        for call in re.findall(r"\bneeds\(([^()]*)\)", path.read_text(encoding="utf-8")):
            needed |= set(re.findall(r'"([\w-]+)"', call))
    assert len(needed) > 10
    assert {along.get(program, program) for program in needed} - installed == set()


def test_the_files_that_begin_first_are_there() -> None:
    """Each of the longest is a file of tests and named once, and `make test` begins files in that order."""
    assert len(set(LONGEST)) == len(LONGEST)
    assert [name for name in LONGEST if not (TOP / "tests" / name).is_file()] == []
    assert "--dist loadfile --no-loadscope-reorder" in (TOP / "Makefile").read_text(encoding="utf-8")


def test_every_test_tells_a_behaviour() -> None:
    """Every test has a docstring that is a sentence of behaviour."""
    silent = []
    for path in sorted((TOP / "tests").rglob("test_*.py")):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                told = ast.get_docstring(node) or ""
                if not re.match(r".{12,}", told):
                    silent.append(f"{named(path)}::{node.name}")
    assert not silent


def test_the_mocker_only_makes_libraries_raise() -> None:
    """pytest-mock is used in the adapters' error tests and nowhere else; unittest.mock not at all."""
    for path in (TOP / "tests").rglob("*.py"):
        tree = parsed(path)
        assert "unittest.mock" not in set(imported(tree)), named(path)
        arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        assert "mocker" not in arguments or re.fullmatch(r"test_\w+_errors\.py", path.name), named(path)
