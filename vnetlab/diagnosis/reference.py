"""docs/verdicts.md: the reference page of verdicts' codes, made from their pages.

`python -m vnetlab.diagnosis.reference` writes it anew (scripts/fix does), and a test compares them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from vnetlab.diagnosis.pages.catalogue import CHAPTERS
from vnetlab.diagnosis.pages.lookup import entries_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vnetlab.diagnosis.pages.page import Page
    from vnetlab.trace.forwarding.reasons import Reason

FILE = Path(__file__).parents[2] / "docs" / "verdicts.md"

_INTRODUCTION = """\
<!-- Made from the pages by 'python -m vnetlab.diagnosis.reference'; scripts/fix runs it. -->

# Verdicts

`vnetlab probe`, `why` and `explain` give each cause a code: the area that the accused object
belongs to, and the reason, as in `vswitch.vlan-not-allowed`. Codes are stable: programs can rely on
them. `vnetlab codes` lists them, `vnetlab codes CODE` prints what is here.

How sure a cause is stands beside its code:

| | |
|---|---|
| confirmed | it was mended in a copy of the lab, and there the packets arrived |
| proven | the row that explains the loss, and the place where the taps saw the packet last, agree |
| likely | the row explains it, but not everything about it was seen, or is modelled |
| candidate | it may be; something else may be, too |

`unknown` as the cause says that the place of the loss is known and no row there explains it.

The commands are for the node's shell: `vnetlab exec NODE -- COMMAND`. Words in capitals stand for
your own. What comes back to a lab by itself with `vnetlab up` need not be mended by hand.
"""
_QUOTED = re.compile(r"(?<![\w'])'([^']+)'(?!\w)")
"""What is to be typed; an apostrophe within or behind a word is none of it."""


def render_reference() -> str:
    """The page, in Markdown."""
    lines = [_INTRODUCTION]
    for title, pages in CHAPTERS:
        listed = ", ".join(f"[{reason.value}](#{reason.value})" for reason in pages)
        lines += [f"- {title}: {listed}"]
    for title, pages in CHAPTERS:
        lines += [f"\n## {title}"]
        for reason, page in pages.items():
            lines += _section(reason, page)
    return "\n".join(lines) + "\n"


def _section(reason: Reason, page: Page) -> Iterator[str]:
    yield f"\n### {reason.value}\n"
    yield ", ".join(
        f'<a id="{entry.code}"></a>`{entry.code}` ({entry.layer.value})'
        for entry in entries_of(reason)
    )
    yield f"\nThe object **{page.phrase}**. {_marked(page.what)}\n"
    for text in page.elsewhere:
        yield f"- {_marked(text)}"
    yield "\n```sh"
    yield from page.look
    yield f"```\n\n{_marked(page.fix)}"


def _marked(text: str) -> str:
    return _QUOTED.sub(r"`\1`", text)


if __name__ == "__main__":
    FILE.write_text(render_reference(), encoding="utf-8")
