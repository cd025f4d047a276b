from __future__ import annotations

from collections import Counter

from vnetlab.realm.kernels.configuration import (
    FRAGMENT,
    asked_symbols,
    fingerprint,
    unmet_symbols,
)

ASKED = '# links\nCONFIG_VETH=y\nCONFIG_LOCALVERSION="-vnetlab"\n'


def test_a_configuration_with_every_symbol_leaves_none_unmet() -> None:
    """Order, comments and other symbols of the finished configuration do not matter."""
    got = '#\nCONFIG_NET=y\nCONFIG_LOCALVERSION="-vnetlab"\nCONFIG_VETH=y\n'
    assert unmet_symbols(ASKED, got) == ()


def test_each_symbol_that_was_dropped_or_changed_is_named() -> None:
    """A symbol that is off, or has another value, is unmet."""
    got = '# CONFIG_VETH is not set\nCONFIG_LOCALVERSION=""\n'
    assert unmet_symbols(ASKED, got) == asked_symbols(ASKED)


def test_the_fingerprint_changes_with_the_symbols_only() -> None:
    """Rewording a comment does not make another kernel, another symbol does."""
    assert fingerprint(ASKED) == fingerprint(ASKED.replace("# links", "# other words"))
    assert fingerprint(ASKED) != fingerprint(ASKED + "CONFIG_TUN=y\n")


def test_our_configuration_asks_for_each_symbol_once() -> None:
    """No symbol stands in two groups of the file."""
    names = Counter(line.partition("=")[0] for line in asked_symbols(FRAGMENT.read_text()))
    assert [name for name, count in names.items() if count > 1] == []
