from __future__ import annotations

import pytest

from vnetlab.realm.kernels.apt_sources import (
    Mirror,
    debian_mirrors,
    parse_deb822_sources,
    parse_one_line_sources,
    sources_stanza,
)

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

ONE_LINE = f"""\
# deb http://commented.example/debian stable main
deb http://one.example/debian stable main contrib  # the first
deb-src http://source.example/debian stable main
  deb [arch=amd64,arm64 signed-by={KEYRING}] https://two.example/debian/ testing main

deb cdrom:[Debian]/ stable main
deb broken
"""

DEB822 = f"""\
# The archive, on two mirrors
Types: deb deb-src
URIs: http://one.example/debian https://two.example/debian
# which suites:
Suites: stable
  stable-updates
Components: main
Signed-By: {KEYRING}

Types: deb-src
URIs: http://source.example/debian
Suites: stable

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: stable
"""

EMBEDDED_KEY = """\
types: deb
uris: http://key.example/debian
Suites: stable
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEYCQjIxYJKwYBBAHaRw8BAQdA
 -----END PGP PUBLIC KEY BLOCK-----
"""


def test_one_line_sources_are_read_with_their_keyrings() -> None:
    """Comments, source packages and broken lines are passed over; options are understood."""
    assert parse_one_line_sources(ONE_LINE) == (
        Mirror(uri="http://one.example/debian"),
        Mirror(uri="https://two.example/debian/", signed_by=KEYRING),
        Mirror(uri="cdrom:[Debian]/"),
    )


def test_a_deb822_stanza_gives_one_mirror_for_each_uri() -> None:
    """Comments inside a stanza, source packages and disabled stanzas are passed over."""
    assert parse_deb822_sources(DEB822) == (
        Mirror(uri="http://one.example/debian", signed_by=KEYRING),
        Mirror(uri="https://two.example/debian", signed_by=KEYRING),
    )


def test_a_key_inside_a_stanza_survives_into_our_own_source() -> None:
    """A key written into the sources file is handed on to apt line by line."""
    (mirror,) = parse_deb822_sources(EMBEDDED_KEY)
    stanza = sources_stanza(mirror, "sid")
    assert parse_deb822_sources(stanza) == (mirror,)
    assert stanza.endswith(EMBEDDED_KEY.partition("Signed-By:")[2])


def test_our_source_names_the_suite_and_the_keyring() -> None:
    """The source that apt gets has the machine's mirror and keyring, and our suite."""
    mirror = Mirror(uri="http://one.example/debian", signed_by=KEYRING)
    assert sources_stanza(mirror, "sid") == (
        "Types: deb\nURIs: http://one.example/debian\nSuites: sid\nComponents: main\n"
        f"Signed-By: {KEYRING}\n"
    )


@pytest.mark.parametrize("text", ["", "\n\n\n", "# only a comment\n", "no field here\n"])
def test_a_file_without_sources_gives_none(text: str) -> None:
    """Neither format finds a mirror in a text that has none."""
    assert parse_one_line_sources(text) == ()
    assert parse_deb822_sources(text) == ()


def test_mirrors_of_debian_come_before_other_peoples_archives() -> None:
    """Where a source is a mirror of Debian by its path, others are not asked at all."""
    ours = Mirror(uri="http://one.example/debian/")
    listed = Mirror(uri="mirror+file:///etc/apt/mirrors/debian.list")
    others = (
        Mirror(uri="http://one.example/debian-security"),
        Mirror(uri="https://packages.example/node"),
    )
    assert debian_mirrors([*others, ours, listed, ours]) == (ours, listed)


def test_without_a_telling_path_every_network_source_may_be_debian() -> None:
    """A local mirror may have any path; a CD and the security archive are never it."""
    local = Mirror(uri="http://cache.example/apt")
    disc = Mirror(uri="cdrom:[Debian]/")
    security = Mirror(uri="http://cache.example/security")
    assert debian_mirrors([disc, security, local]) == (local,)
