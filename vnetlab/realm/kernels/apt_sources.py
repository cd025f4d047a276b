"""Debian mirrors in the texts of apt's own sources (pure).

Both formats of sources.list(5) are read: one line per source (`deb [options] URI suite ...`)
and deb822 stanzas (`Types:`, `URIs:`, ...).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Mirror(Struct, frozen=True, kw_only=True):
    """An archive of packages: where it is, and the keys that must have signed it.

    `signed_by` is the value of `Signed-By`: file names, fingerprints, or a key itself over many
    lines; empty if the machine's common keyrings are meant.
    """

    uri: str
    signed_by: str = ""


_ONE_LINE: Final = re.compile(r"deb(?:\s+\[(?P<options>[^]]*)])?\s+(?P<uri>\S+)\s+\S")


def parse_one_line_sources(text: str) -> tuple[Mirror, ...]:
    """The binary package sources of a `.list` file, in its order."""
    mirrors = []
    for line in text.splitlines():
        match = _ONE_LINE.match(line.partition("#")[0].strip())
        if match:
            options = dict(
                part.split("=", 1) for part in (match["options"] or "").split() if "=" in part
            )
            signed_by = options.get("signed-by", "").replace(",", " ")
            mirrors.append(Mirror(uri=match["uri"], signed_by=signed_by))
    return tuple(mirrors)


def parse_deb822_sources(text: str) -> tuple[Mirror, ...]:
    """The enabled binary package sources of a `.sources` file, one for each of its URIs."""
    return tuple(
        Mirror(uri=uri, signed_by=fields.get("signed-by", ""))
        for fields in _stanzas(text)
        if "deb" in fields.get("types", "").split()
        and fields.get("enabled", "yes").strip().lower() not in {"no", "false", "off", "0"}
        for uri in fields.get("uris", "").split()
    )


def debian_mirrors(mirrors: Iterable[Mirror]) -> tuple[Mirror, ...]:
    """Those of `mirrors` that may carry all of Debian, without repetition, the likely first.

    A mirror of Debian is known by its path; where no path says so, every source may be one.
    """
    remote = dict.fromkeys(mirror for mirror in mirrors if not mirror.uri.startswith("cdrom:"))
    likely = [mirror for mirror in remote if _names_debian(mirror.uri)]
    return tuple(likely or [mirror for mirror in remote if "security" not in mirror.uri])


def sources_stanza(mirror: Mirror, suite: str) -> str:
    """A deb822 source with the packages of `suite` on `mirror`, as apt reads it."""
    lines = ["Types: deb", f"URIs: {mirror.uri}", f"Suites: {suite}", "Components: main"]
    if mirror.signed_by:
        lines.append(f"Signed-By: {mirror.signed_by}")
    return "\n".join(lines) + "\n"


def _names_debian(uri: str) -> bool:
    last = uri.rstrip("/").rpartition("/")[2]
    return last in {"debian", "debian.list"}


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    """The stanzas of a deb822 text; field names in lower case, comments left out."""
    kept = (line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", "\n".join(kept)):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1] in {" ", "\t"}:
                fields[name] = f"{fields.get(name, '')}\n{line}"
            else:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        yield fields
