"""What is said where the kernel has other values than it was told."""

from __future__ import annotations

from vnetlab.state.diff import Change
from vnetlab.state.objects import Namespace, Role, Sysctl
from vnetlab.state.refusals import untaken


def setting(value: str) -> Sysctl:
    """A timer that the kernel has in ticks."""
    return Sysctl(netns="a", key="net/ipv4/icmp_ratelimit", value=value)


def test_a_rounded_value_is_for_the_user_to_change() -> None:
    """With what was asked for, and what the kernel made of it."""
    error = untaken([Change(old=setting("10"), new=setting("9"))])
    assert error.exit_code == 3
    assert "net.ipv4.icmp_ratelimit in a: asked for value 9, it kept 10" in error.message
    assert error.fix.startswith("ask for what it keeps")


def test_anything_else_is_ours() -> None:
    """An object that is not there was not rounded."""
    node = Namespace(name="a", role=Role.VM)
    error = untaken([Change(old=setting("10"), new=setting("9")), Change(old=None, new=node)])
    assert "and 1 more" in error.message
    assert "fault of vnetlab" in error.fix
