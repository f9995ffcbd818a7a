"""The rules that `docs/protocol.md` states, and whether bytes fit them by the word of a CDDL tool that is not ours."""

import re
from functools import cache
from pathlib import Path

import pycddl

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
TEXT = "\n".join(re.findall(r"^```cddl\n(.*?)^```", PAGE, re.M | re.S))


def plain(text: str) -> str:
    """CDDL without comments, line breaks and commas at ends."""
    text = re.sub(r";.*", "", text)
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r",? ([\]})])", r" \1", text)
    return re.sub(r"\{ \}|\{\}", "{ }", text)


def stated() -> dict[str, str]:
    """Every rule of the page: name to right-hand side."""
    found: dict[str, str] = {}
    for name, right in re.findall(r"^([a-z][a-z0-9-]*) =(.*?)(?=^[a-z][a-z0-9-]* =|\Z)", TEXT, re.M | re.S):
        assert name not in found, f"{name} is stated twice"
        found[name] = plain(right)
    return found


STATED = stated()


@cache
def schema_of(rule: str) -> pycddl.Schema:
    """A validator for one rule of the page, by a CDDL tool that is not ours."""
    return pycddl.Schema(
        f"what-is-sent = {rule}\n" + "\n".join(f"{name} = {for_the_tool(STATED[name])}" for name in STATED)
    )


def for_the_tool(right: str) -> str:
    """A rule in the words that pycddl 0.6 understands.

    It knows no range that begins below zero, takes the name of an array's element for the rule of that name where there
    is one, and looks at the first choice alone where an array's elements are a choice of numbers or words.
    """
    right = re.sub(r"(?<![\w.])(-\d+)\.\.(\d+)", r"(int .ge \1) .and (int .le \2)", right)
    numbers = [int(number) for number in re.findall(r"[\w-]+: (\d+)", right)] if right.startswith("&(") else []
    if numbers and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]}..{numbers[-1]}"
    if re.fullmatch(r'"[\w-]+"( / "[\w-]+")+', right):
        return f'tstr .regexp "{right.replace(chr(34), "").replace(" / ", "|")}"'
    return re.sub(r"\b([a-z][a-z-]*): ", r"the-\1: ", right)


def fits(rule: str, encoded: bytes) -> bool:
    """Whether these bytes are of that rule."""
    try:
        schema_of(rule).validate_cbor(encoded)
    except pycddl.ValidationError:
        return False
    return True
