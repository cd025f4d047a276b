"""From a document to the model: every key known, every value of its type (pure).

How it works: pydantic says all that is wrong at once. What is wrong is noted, taken out, and the
rest becomes the model, so that the checks which follow can tell the user about the rest as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from vnetlab.topology.model import File
from vnetlab.topology.model_paths import keys_of, part_at
from vnetlab.topology.wording import InvalidValueError, did_you_mean, got, show

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from vnetlab.topology.document import Document
    from vnetlab.topology.findings import Findings

_EXPECTED = {"model_type": "a mapping", "dict_type": "a mapping", "tuple_type": "a list"}
_EXPECTED_PART = {
    "Nic": "a network's name or a mapping",
    "Pnic": "a physical switch's name or a mapping",
}


def read_model(document: Document, findings: Findings) -> File:
    """The model of the document, without what is wrong in it. Adds that to `findings`."""
    if not isinstance(document.value, dict):
        error = got(document.value, "a mapping")
        text = "the file is empty" if document.value is None else error.text
        findings.add((), text, fix="begin with 'vms: {a: {}, b: {}}'")
        return File()
    try:
        return File.model_validate(document.value)
    except ValidationError as invalid:
        details = invalid.errors(include_url=False)
    for detail in details:
        _note(detail, findings)
    for detail in details:
        _take_out(document.value, detail)
    return File.model_validate(document.value)


def _note(detail: ErrorDetails, findings: Findings) -> None:
    path = detail["loc"]
    if detail["type"] == "extra_forbidden":
        key = str(path[-1])
        part = part_at(path[:-1])
        known = keys_of(part) if part else ()
        findings.add_to_key(path, f"unknown key {show(key)}", fix=did_you_mean(key, known))
        return
    while not findings.has(path):  # a list of one that was written without brackets
        path = path[:-1]
    context = detail.get("ctx", {})
    error = context.get("error")
    if not isinstance(error, InvalidValueError):
        expected = _EXPECTED_PART.get(context.get("class_name", ""), _EXPECTED[detail["type"]])
        error = got(detail["input"], expected)
    findings.add(path, error.text, fix=error.fix)


def _take_out(value: dict[str, Any], detail: ErrorDetails) -> None:
    """Remove what `detail` is about: an object's content, or else the key whose value it is in."""
    path = detail["loc"]
    is_part = detail["type"] == "model_type"
    is_item = isinstance(path[-1], int)  # of a list of plain values
    *above, last = path[:-1] if is_item and not is_part else path
    inner: Any = value
    for key in above:
        inner = inner[key]
    if is_part:
        inner[last] = None
    else:
        inner.pop(last, None)
