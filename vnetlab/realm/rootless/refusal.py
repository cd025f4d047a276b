"""Why there is no user namespace to be had, and what to do (pure)."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from enum import Enum

from msgspec import Struct

DEBIAN = "kernel.unprivileged_userns_clone"
UBUNTU = "kernel.apparmor_restrict_unprivileged_userns"
LIMIT = "user.max_user_namespaces"
SETTINGS = (DEBIAN, UBUNTU, LIMIT)
"""The kernel settings that may be the reason."""

_NAMESPACE_LIMITS = "user.max_mnt_namespaces, user.max_net_namespaces"


class Step(Enum):
    """What the realm needs, in the order in which it is tried."""

    NAMESPACE = ("user-namespaces", "being root in a realm of one's own")
    CAPABILITIES = ("capabilities", "root's rights in a user namespace")
    OTHER_NAMESPACES = ("mount-and-net-namespaces", "mounts and a network of the realm's own")
    JOINING = ("joining", "commands that enter the realm, and go from node to node")
    MOUNTS = ("mounts", "keeping a lab's namespaces")
    SETTINGS = ("writable-settings", "forwarding and IPv6 settings of a lab's nodes")

    def __init__(self, label: str, needed_for: str) -> None:
        self.label = label
        self.needed_for = needed_for


class Refusal(Struct, frozen=True, kw_only=True):
    """The step at which it failed, why, and what to do about it."""

    step: Step
    reason: str
    remedy: str


class Surroundings(Struct, frozen=True, kw_only=True):
    """What may explain a failure: the values of SETTINGS that this kernel has, and seccomp(2)."""

    settings: Mapping[str, int]
    has_filter: bool


def explain(step: Step, number: int, around: Surroundings) -> Refusal:
    """Return why `step` failed with the error `number` (errno)."""
    reason, remedy = _explain(step, number, around)
    return Refusal(step=step, reason=reason, remedy=remedy)


def _explain(step: Step, number: int, around: Surroundings) -> tuple[str, str]:
    told = errno.errorcode.get(number, str(number))
    match step:
        case Step.NAMESPACE:
            return _no_namespace(number, told, around.settings, has_filter=around.has_filter)
        case Step.OTHER_NAMESPACES if number == errno.ENOSPC:
            return "no more namespaces are allowed", f"raise {_NAMESPACE_LIMITS}, as root"
        case Step.CAPABILITIES | Step.OTHER_NAMESPACES:
            return _no_capabilities(told, around.settings)
        case Step.JOINING:
            who = "a seccomp filter" if around.has_filter else "a security module"
            return (
                f"{who} forbids to join namespaces ({told})",
                "allow setns in its profile, or run it outside of the container",
            )
        case Step.MOUNTS:
            return (
                f"nothing may be mounted in a user namespace ({told})",
                "allow it in the security module's or the container's profile",
            )
        case Step.SETTINGS:
            return (
                f"/proc/sys cannot be written ({told})",
                "run it outside of the container, which mounts it read-only",
            )


def _no_namespace(
    number: int, told: str, settings: Mapping[str, int], *, has_filter: bool
) -> tuple[str, str]:
    if number in (errno.EINVAL, errno.ENOSYS):
        return "this kernel has no user namespaces", "a kernel with CONFIG_USER_NS"
    if number == errno.ENOSPC and settings.get(LIMIT) == 0:
        return f"user namespaces are off: {LIMIT} is 0", f"sysctl -w {LIMIT}=10000, as root"
    if number in (errno.ENOSPC, errno.EUSERS):
        return (
            f"no more user namespaces are allowed: {LIMIT} is {settings.get(LIMIT, 'unknown')}",
            f"raise {LIMIT}, as root; one in another can be 32 levels deep",
        )
    if settings.get(DEBIAN) == 0:
        return f"user namespaces are for root only: {DEBIAN} is 0", f"sysctl -w {DEBIAN}=1, as root"
    if settings.get(UBUNTU):
        return _apparmor()
    if has_filter:
        return (
            f"a seccomp filter, a container's as a rule, forbids user namespaces ({told})",
            "run it outside of the container, or allow unshare, setns and mount in its profile",
        )
    return (
        f"user namespaces are forbidden ({told})",
        "ask who made the rule of the security module, or the chroot, that it runs in",
    )


def _no_capabilities(told: str, settings: Mapping[str, int]) -> tuple[str, str]:
    if settings.get(UBUNTU):
        return _apparmor()
    return (
        f"a user namespace comes without root's rights ({told})",
        "allow them in the security module's profile",
    )


def _apparmor() -> tuple[str, str]:
    return (
        f"AppArmor takes root's rights away in user namespaces: {UBUNTU} is 1",
        f"sysctl -w {UBUNTU}=0, as root, or an AppArmor profile with 'userns,' for this Python",
    )
