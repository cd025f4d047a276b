"""Topology files with something wrong in them: good ones and golden ones, damaged at random.

The same seed makes the same files. Half of the damage is to the text, as a slip of the hand is; the
other half to what the text says, so that it stays YAML and comes as far as the checks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from vnetlab.errors import TopologyError
from vnetlab.topology.document import read_document
from vnetlab.topology.template import render

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("topologies/*.yaml"), *ROOT.glob("tests/golden/*/topology.yaml")])
SIGNS: tuple[str, ...] = (
    *"{}[]:,&*!|>'\"%@`#-? \n\t\r\0\\",
    "{{",
    "}}",
    "{%",
    "%}",
    "- ",
    ": ",
    "*a",
    "&a ",
    "->",
)
TEXTS: tuple[str, ...] = (
    *(
        "null",
        "4095",
        "-1",
        "1e99",
        "0x" + "f" * 5000,
        "9" * 5000,
        ".nan",
        "true",
        "''",
        "[]",
        "{}",
    ),
    *(
        "vlan",
        "vms",
        "hv1",
        "10.0.0.0/24",
        "fd00::/64",
        "~",
        "\u2028",
        "\x85",
        "\ud7ff",
        "count: 3",
    ),
)
VALUES: tuple[object, ...] = (
    *(None, True, False, 0, -1, 1, 2, 10, 4095, 2**31, 10**40, 0.5, "", " ", "x", "no", [], {}),
    *([[]], [None], {"": None}, {"x": {}}, [{}], [1, "a", None], "a" * 300, "10.0.0.5", "fd00::5"),
    *(
        "10.0.0.0/8",
        "fd00::/64",
        "0.0.0.0/0",
        "1gbit",
        "200us",
        "1%",
        "tcp/80",
        "any",
        "all",
        "-x-",
    ),
    *("web1 -> db1", "hv1", "tor1", "gw", "web", "lan", "eno1", "vs0", "eth0", "02:00:00:00:00:01"),
    *("{{ x }}", "\u00e4", "\u2028", "default via 10.0.0.1", "802.3ad", "include", "topology.yaml"),
)


def broken_files(seed: int, number: int) -> Iterator[tuple[Path, str]]:
    """Damaged texts, each with the file that it was; not all of them have become wrong by it."""
    random = Random(seed)
    originals = {path: path.read_text(encoding="utf-8") for path in FILES}
    contents = {path: content for path in FILES if (content := _content(path, originals[path]))}
    keys = sorted({key for content in contents.values() for key in _keys(content)})
    good = [path for path in contents if not (path.parent / "error.txt").exists()]
    for _ in range(number):
        if random.random() < 0.5:
            path = random.choice(random.choice((FILES, good)))
            text = originals[path]
            for _ in range(random.randint(1, 3)):
                text = random.choice(_TEXT_DAMAGE)(random, text)
            yield path, text
        else:
            path = random.choice(random.choice((list(contents), good)))
            content = json.loads(json.dumps(contents[path]))
            for _ in range(random.randint(1, 3)):
                _damage_content(random, content, keys)
            yield path, json.dumps(content, indent=1)


def _content(path: Path, text: str) -> object:
    """What the file says, if it can be said in JSON."""
    try:
        document, _ = read_document(render(str(path), text, {}))
        json.dumps(document.value, allow_nan=False)
    except (TopologyError, ValueError):
        return None
    return document.value


def _keys(content: object) -> Iterator[str]:
    if isinstance(content, dict):
        yield from content
    for inner in _inner(content):
        yield from _keys(inner)


def _inner(content: object) -> list[Any]:
    if isinstance(content, dict):
        return list(content.values())
    return content if isinstance(content, list) else []


def _damage_content(random: Random, content: Any, keys: list[str]) -> None:
    """Change one thing anywhere below."""
    containers = list(_containers(content))
    if not containers:
        return
    where = random.choice(containers)
    places = list(where) if isinstance(where, dict) else list(range(len(where)))
    if not places or random.random() < 0.2:
        _put(where, random.choice(keys), random.choice(VALUES))
        return
    at = random.choice(places)
    match random.randint(0, 4):
        case 0:
            where[at] = random.choice(VALUES)
        case 1:
            where[at] = json.loads(json.dumps(random.choice(containers)))
        case 2:
            del where[at]
        case 3:
            _put(where, random.choice(keys), where[at])
        case 4:
            where[at] = [where[at]] if random.random() < 0.5 else {random.choice(keys): where[at]}


def _put(where: Any, key: str, value: object) -> None:
    value = json.loads(json.dumps(value))
    if isinstance(where, dict):
        where[key] = value
    else:
        where.append(value)


def _containers(content: object) -> Iterator[Any]:
    if isinstance(content, dict | list):
        yield content
    for inner in _inner(content):
        yield from _containers(inner)


def _replace(random: Random, text: str) -> str:
    start = random.randint(0, len(text))
    new = random.choice(SIGNS + TEXTS)
    return text[:start] + new + text[start + random.randint(0, 12) :]


def _cut(random: Random, text: str) -> str:
    return text[: random.randint(0, len(text))]


def _swap_words(random: Random, text: str) -> str:
    words = text.split(" ")
    one, two = random.randrange(len(words)), random.randrange(len(words))
    words[one], words[two] = words[two], words[one]
    return " ".join(words)


def _change_lines(random: Random, text: str) -> str:
    lines = text.split("\n")
    at = random.randrange(len(lines))
    match random.randint(0, 3):
        case 0:
            del lines[at]
        case 1:
            lines.insert(random.randrange(len(lines)), lines[at])
        case 2:
            lines[at] = " " * random.randint(1, 3) + lines[at]
        case 3:
            lines[at] = lines[at].lstrip(" ")
    return "\n".join(lines)


_TEXT_DAMAGE: tuple[Callable[[Random, str], str], ...] = (
    _replace,
    _replace,
    _cut,
    _swap_words,
    _change_lines,
)
