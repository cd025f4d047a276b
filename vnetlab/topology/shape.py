"""From a document to the model: every key known, every value of its type (pure).

How it works: pydantic says all that is wrong at once. What is wrong is noted, taken out, and the
rest becomes the model, so that the checks which follow can tell the user about the rest as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from vnetlab.topology.model_file import TopologyFile
from vnetlab.topology.model_paths import keys_of, part_at
from vnetlab.topology.rule_text import EXPECTED_RULE
from vnetlab.topology.wording import InvalidValueError, did_you_mean, got, show

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from vnetlab.topology.document import Document, Path
    from vnetlab.topology.findings import Findings
    from vnetlab.topology.model import File

_EXPECTED = {"model_type": "a mapping", "dict_type": "a mapping", "tuple_type": "a list"}
_EXPECTED_PART = {
    "Expectation": "'A -> B' or a mapping",
    "HypervisorNic": "a network's name or a mapping",
    "HostNic": "a network's name or a mapping",
    "Nic": "a network's name or a mapping",
    "PortGroup": "a network's name or a mapping",
    "Route": "'TO via ADDRESS' or a mapping",
    "RouterNetwork": "a network's name or a mapping",
    "RouterRoute": "'TO via ADDRESS' or a mapping",
    "Tagged": "a network's name or a mapping",
    "Pnic": "a physical switch's name or a mapping",
    "Stp": "true, false or a mapping",
    "SwitchLink": "a physical switch's name or a mapping",
    "Vxlan": "a VNI or a mapping",
    "Rule": EXPECTED_RULE,
    "Service": "a command or a mapping",
}
_ROUNDS = 4
_KEY = "[key]"
"""What pydantic writes behind the path to a key of a mapping that it means, not its value."""


def read_model(document: Document, findings: Findings) -> File:
    """The model of the document, without what is wrong in it. Adds that to `findings`."""
    if not isinstance(document.value, dict):
        error = got(document.value, "a mapping")
        text = "the file is empty" if document.value is None else error.text
        findings.add((), text, fix="begin with 'vms: {a: {}, b: {}}'")
        return TopologyFile()
    for tried in range(_ROUNDS):
        try:
            return TopologyFile.model_validate(document.value)
        except ValidationError as invalid:
            details = invalid.errors(include_url=False)
        for detail in details:
            _note(detail, findings)
        for detail in details:
            _take_out(document.value, detail, entirely=tried)
    return TopologyFile()


def _note(detail: ErrorDetails, findings: Findings) -> None:
    path = detail["loc"]
    if detail["type"] == "extra_forbidden":
        key = str(path[-1])
        part = part_at(path[:-1])
        known = keys_of(part) if part else ()
        findings.add_to_key(path, f"unknown key {show(key)}", fix=did_you_mean(key, known))
        return
    context = detail.get("ctx", {})
    error = context.get("error")
    if path[-1] == _KEY and isinstance(error, InvalidValueError):
        findings.add_to_key(path[:-1], error.text, fix=error.fix)
        return
    if detail["type"] == "missing":
        findings.add(path, "missing")
        return
    while not findings.has(path):  # a form of a value, or a list of one without brackets
        path = path[:-1]
    if not isinstance(error, InvalidValueError):
        expected = _EXPECTED_PART.get(context.get("class_name", ""))
        error = got(detail["input"], expected or _EXPECTED.get(detail["type"], "another value"))
    findings.add(path, error.text, fix=error.fix)


def _take_out(value: dict[str, Any], detail: ErrorDetails, *, entirely: int) -> None:
    """Remove what `detail` is about, or what it is in, or nothing where that is gone already.

    The content of an object, an item of a list, or else a key with its value. What is still wrong
    then is removed `entirely`, with so many of the keys that lead to it.
    """
    steps = _steps(value, detail["loc"])
    container, key = steps.pop()
    if not entirely and (detail["type"] == "model_type" or isinstance(container, list)):
        container[key] = None
        return
    for _ in range(min(entirely, len(steps))):
        container, key = steps.pop()
    while steps and not isinstance(container, dict):
        container, key = steps.pop()
    container.pop(key, None)


def _steps(value: dict[str, Any], path: Path) -> list[tuple[Any, Any]]:
    """The containers on the way along `path` with the key in each, as far as there are any."""
    steps: list[tuple[Any, Any]] = []
    inner: Any = value
    for key in path:
        is_there = key in inner if isinstance(inner, dict) else isinstance(inner, list)
        if not is_there or (isinstance(inner, list) and not isinstance(key, int)):
            break
        steps.append((inner, key))
        inner = inner[key]
    return steps or [(value, path[0])]
