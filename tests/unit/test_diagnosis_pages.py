from __future__ import annotations

import re

import pytest

from vnetlab.diagnosis.codes import Area, areas_of
from vnetlab.diagnosis.pages.catalogue import CHAPTERS, PAGES
from vnetlab.diagnosis.pages.lookup import find_code, list_codes
from vnetlab.diagnosis.reference import FILE, render_reference
from vnetlab.errors import UsageError
from vnetlab.faults.catalogue import CATALOGUE
from vnetlab.trace.forwarding.reasons import Reason

_TOOLS = (
    *("ip", "bridge", "tc", "nft", "sysctl", "cat", "ping", "tcpdump", "ethtool", "arping", "ss"),
    *("nstat", "tracepath", "traceroute", "bpftool", "conntrack", "systemctl"),
)


def test_every_reason_has_one_page() -> None:
    """No cause is left without an explanation, and no chapter repeats another's."""
    assert set(PAGES) == set(Reason)
    assert sum(len(pages) for _, pages in CHAPTERS) == len(PAGES)


@pytest.mark.parametrize("reason", Reason)
def test_a_page_is_whole(reason: Reason) -> None:
    """Each says what it is, where it comes from, how to see it by commands, how to mend it."""
    page = PAGES[reason]
    assert page.what.endswith(".")
    assert page.fix.endswith(".")
    assert not page.phrase.endswith(".")
    assert page.elsewhere
    assert all(re.match(r"[A-Z][\w',/ -]*: ", text) for text in page.elsewhere)
    assert page.look
    assert all(command.split()[0] in _TOOLS for command in page.look)
    for text in (page.what, page.fix, *page.elsewhere):
        assert "`" not in text


@pytest.mark.parametrize("kind", CATALOGUE)
def test_the_code_of_every_fault_is_listed(kind: str) -> None:
    """What a fault of the catalogue is to be called is among the codes that can occur."""
    assert CATALOGUE[kind].code in [entry.code for entry in list_codes()]


def test_codes_are_where_they_can_occur() -> None:
    """A reason is listed for the places that have such a thing, and for no other."""
    assert areas_of(Reason.VLAN_NOT_ALLOWED) == (Area.VSWITCH, Area.SWITCH)
    assert areas_of(Reason.NO_ROUTE) == (Area.GUEST, Area.HYPERVISOR, Area.ROUTER)
    assert areas_of(Reason.SECURITY_GROUP) == (Area.HYPERVISOR,)
    assert areas_of(Reason.PORT_SECURITY) == (Area.VSWITCH,)
    assert areas_of(Reason.ACL) == (Area.ROUTER,)
    assert areas_of(Reason.NO_LISTENER) == (Area.APPLICATION,)
    assert Area.VSWITCH not in areas_of(Reason.PACKET_TOO_BIG)


def test_codes_are_listed_once_by_area() -> None:
    """The list goes from the application down, without a repetition."""
    codes = [entry.code for entry in list_codes()]
    assert len(codes) == len(set(codes))
    areas = list(dict.fromkeys(code.partition(".")[0] for code in codes))
    assert areas == [area.word for area in Area]


def test_a_code_that_only_work_by_hand_makes_has_its_page() -> None:
    """A bridge that somebody made in a VM is told of as well, though no lab has one."""
    assert "guest.vlan-not-allowed" not in [entry.code for entry in list_codes()]
    assert find_code("guest.vlan-not-allowed").page is PAGES[Reason.VLAN_NOT_ALLOWED]


def test_an_unknown_code_is_told_with_the_closest() -> None:
    """What is misspelt gets the right spelling."""
    with pytest.raises(UsageError, match=r"did you mean 'vswitch\.vlan-not-allowed'"):
        find_code("vswitch.vlan-not-alowed")


def test_the_reference_is_what_the_pages_say() -> None:
    """docs/verdicts.md is as new as the pages; scripts/fix renews it."""
    assert FILE.read_text(encoding="utf-8") == render_reference()


def test_every_code_is_an_anchor_of_the_reference() -> None:
    """A program can link from a verdict's code to its section."""
    page = render_reference()
    for entry in list_codes():
        assert page.count(f'<a id="{entry.code}"></a>') == 1
