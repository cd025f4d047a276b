"""Codes and their pages (pure)."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from vnetlab.diagnosis.codes import Area, areas_of
from vnetlab.diagnosis.pages.catalogue import PAGES
from vnetlab.diagnosis.pages.page import Page
from vnetlab.diagnosis.verdict import Layer
from vnetlab.errors import UsageError
from vnetlab.topology.wording import did_you_mean
from vnetlab.trace.forwarding.reasons import Reason


class Entry(Struct, frozen=True, kw_only=True):
    """A code, the layer of the objects that it accuses, and what is told of it."""

    code: str
    layer: Layer
    page: Page


def list_codes() -> tuple[Entry, ...]:
    """Return every code that a verdict on a lab as `up` builds it can have, by its area."""
    found = [entry for reason in Reason for entry in entries_of(reason)]
    words = [area.word for area in Area]
    return tuple(sorted(found, key=lambda entry: words.index(entry.code.partition(".")[0])))


def entries_of(reason: Reason) -> tuple[Entry, ...]:
    """Return the codes of a reason, an entry for each area that it occurs in."""
    return tuple(_entry(area, reason) for area in areas_of(reason))


def find_code(code: str) -> Entry:
    """Return what is told of a code. Where objects were made by hand, any area has any reason.

    Raises UsageError if there is no such area or reason.
    """
    for entry in _all():
        if entry.code == code:
            return entry
    raise UsageError(
        f"no code '{code}'", fix=did_you_mean(code, [entry.code for entry in list_codes()])
    )


def _all() -> Iterator[Entry]:
    return (_entry(area, reason) for area in Area for reason in Reason)


def _entry(area: Area, reason: Reason) -> Entry:
    return Entry(code=f"{area.word}.{reason.value}", layer=area.layer, page=PAGES[reason])
