"""A configuration becomes a frozen dataclass, or one line that names file, key and form."""

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.config import Form, credential, load
from runtime.errors import EXIT_CONFIG, ConfigError, CredentialError


class Colour(StrEnum):
    """A closed set."""

    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass(frozen=True, slots=True)
class Broker:
    """A table."""

    host: str
    port: Annotated[int, Form(low=1, high=65535)] = 8883


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """Every form there is."""

    store: Annotated[str, Form("1 to 40 of a to z, 0 to 9 and -", pattern="[a-z0-9-]{1,40}")]
    state_dir: Path
    broker: Broker
    lease_s: int = 120
    ratio: float = 0.5
    loud: bool = False
    names: tuple[str, ...] = ("root",)
    colour: Colour = Colour.RED
    adapter: str | None = None
    brokers: tuple[Broker, ...] = ()


GOOD = 'store = "berlin-1"\nstate_dir = "/var/lib/x"\n[broker]\nhost = "hq.example"\n'


def written(folder: Path, text: str) -> Path:
    """The configuration file with that text."""
    file = folder / "gateway.toml"
    file.write_text(text, encoding="utf-8")
    return file


def refused(folder: Path, text: str) -> ConfigError:
    """The refusal of that text."""
    with pytest.raises(ConfigError) as caught:
        load(written(folder, text), Shape)
    return caught.value


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    """A file with the required keys alone gives the defaults for the rest."""
    assert load(written(tmp_path, GOOD), Shape) == Shape("berlin-1", Path("/var/lib/x"), Broker("hq.example", 8883))


def test_every_form_is_read(tmp_path: Path) -> None:
    """Lists, sets, tables, fractions, hexadecimal numbers and lists of tables are understood."""
    text = 'lease_s = 0x10\nratio = 1\nloud = true\nnames = ["a", "b"]\ncolour = "blue"\nadapter = "hci0"\n' + GOOD
    got = load(written(tmp_path, text + '[[brokers]]\nhost = "b"\nport = 1\n'), Shape)
    assert (got.lease_s, got.ratio, got.loud, got.names) == (16, 1.0, True, ("a", "b"))
    assert (got.colour, got.adapter, got.brokers) == (Colour.BLUE, "hci0", (Broker("b", 1),))


@pytest.mark.parametrize(
    ("line", "named", "form"),
    [
        ("lease_s = '2 minutes'", "lease_s", "a whole number of seconds"),
        ("lease_s = true", "lease_s", "a whole number of seconds"),
        ("loud = 1", "loud", "true or false"),
        ("colour = 'green'", "colour", "one of 'red', 'blue'"),
        ("names = 'a'", "names", "a list, each a text"),
        ("names = ['a', 7]", "names[1]", "a text"),
        ("adapter = 0", "adapter", "a text"),
        ("ratio = 'half'", "ratio", "a number"),
        ("broker_host = 'x'", "broker_host", "no such key; known are adapter, broker"),
        ("brokers = [{host = 'x', port = 0}]", "brokers[0].port", "a whole number from 1 to 65535"),
        ("brokers = [{port = 1}]", "brokers[0].host", "is missing: a text is expected"),
        ("brokers = [{host = 'x', tls = true}]", "brokers[0].tls", "no such key"),
    ],
)
def test_a_wrong_key_is_named_with_its_form(tmp_path: Path, line: str, named: str, form: str) -> None:
    """One line names the file, the key and the form expected."""
    error = refused(tmp_path, line + "\n" + GOOD)
    assert error.key == named
    assert form in str(error)
    assert str(tmp_path / "gateway.toml") in str(error)
    assert "\n" not in str(error)
    assert error.exit_code == EXIT_CONFIG


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "store: is missing: 1 to 40 of a to z"),
        (GOOD.replace("berlin-1", "Berlin 1"), "store: 1 to 40 of a to z, 0 to 9 and - is expected"),
        (GOOD.replace('host = "hq.example"', ""), "broker.host: is missing"),
        ('broker = "hq.example"\n' + GOOD.split("[")[0], "broker: a table is expected"),
        ("store = = 1", "is not TOML at line 1"),
        ("store = 'a\0b'", "is not TOML"),
        ("#" * 300_000, "at most 262144 bytes"),
    ],
)
def test_a_broken_file_says_where(tmp_path: Path, text: str, part: str) -> None:
    """A file that is no configuration at all is told apart from one with a wrong key."""
    assert part in str(refused(tmp_path, text))


def test_a_refusal_never_repeats_the_value(tmp_path: Path) -> None:
    """What was written by mistake, perhaps a secret, is not copied into a log."""
    assert "hunter2" not in str(refused(tmp_path, "lease_s = 'hunter2'\n" + GOOD))


def test_a_missing_file_and_a_folder_are_one_line_each(tmp_path: Path) -> None:
    """The operator sees the path and why."""
    with pytest.raises(ConfigError, match=r"gateway.toml: cannot be read: No such file"):
        load(tmp_path / "gateway.toml", Shape)
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, Shape)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are no configuration."""
    file = tmp_path / "x.toml"
    file.write_bytes(b'store = "\xff"')
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load(file, Shape)


def test_a_rule_over_several_keys_is_refused_like_a_key(tmp_path: Path) -> None:
    """A ValueError of the dataclass itself becomes a ConfigError of that table."""

    @dataclasses.dataclass(frozen=True)
    class Pair:
        low: int
        high: int

        def __post_init__(self) -> None:
            if self.low > self.high:
                raise ValueError("low is at most high")

    with pytest.raises(ConfigError, match="low is at most high"):
        load(written(tmp_path, "low = 2\nhigh = 1"), Pair)


@given(st.binary(max_size=200))
def test_noise_raises_only_config_errors(tmp_path_factory: pytest.TempPathFactory, noise: bytes) -> None:
    """Whatever stands in the file, the answer is a ConfigError."""
    file = tmp_path_factory.mktemp("noise") / "x.toml"
    file.write_bytes(noise)
    with pytest.raises(ConfigError):
        load(file, Shape)


def test_a_credential_is_read_whole(tmp_path: Path) -> None:
    """Bytes are bytes: nothing is stripped."""
    (tmp_path / "box-secret").write_bytes(b"\n" * 32)
    assert credential("box-secret", tmp_path, length=32) == b"\n" * 32


def test_systemd_names_the_credentials_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a directory in the configuration the environment of the unit tells it."""
    (tmp_path / "box-secret").write_bytes(b"x")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert credential("box-secret") == b"x"


def test_without_systemd_a_credential_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither directory known: the refusal names both ways."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(CredentialError, match="set credentials_dir") as caught:
        credential("box-secret")
    assert caught.value.exit_code == EXIT_CONFIG


@pytest.mark.parametrize("content", [b"", b"seven77", b"x" * 33])
def test_a_credential_of_another_length_is_refused_unseen(tmp_path: Path, content: bytes) -> None:
    """The refusal names the file and the length, not the secret."""
    (tmp_path / "box-secret").write_bytes(content)
    with pytest.raises(CredentialError) as caught:
        credential("box-secret", tmp_path, length=32)
    assert "box-secret" in str(caught.value)
    assert "seven77" not in str(caught.value)


def test_a_missing_credential_is_named(tmp_path: Path) -> None:
    """The path that was looked for stands in the line."""
    with pytest.raises(CredentialError, match="broker-key: cannot be read"):
        credential("broker-key", tmp_path)
