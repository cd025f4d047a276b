"""Why there is no user namespace: each reason by the name of what to change."""

from __future__ import annotations

import errno

import pytest

from vnetlab.realm.rootless.refusal import DEBIAN, LIMIT, UBUNTU, Step, Surroundings, explain

OTHERS = {LIMIT: 96_364}


@pytest.mark.parametrize(
    ("step", "number", "settings", "reason", "remedy"),
    [
        (Step.NAMESPACE, errno.EPERM, {DEBIAN: 0}, f"{DEBIAN} is 0", f"sysctl -w {DEBIAN}=1"),
        (Step.NAMESPACE, errno.ENOSPC, {LIMIT: 0}, f"{LIMIT} is 0", f"sysctl -w {LIMIT}=10000"),
        (Step.NAMESPACE, errno.ENOSPC, {LIMIT: 9}, f"{LIMIT} is 9", f"raise {LIMIT}"),
        (Step.NAMESPACE, errno.EUSERS, {}, "no more user namespaces", "32 levels"),
        (Step.NAMESPACE, errno.EINVAL, {}, "has no user namespaces", "CONFIG_USER_NS"),
        (Step.NAMESPACE, errno.ENOSYS, {}, "has no user namespaces", "CONFIG_USER_NS"),
        (Step.NAMESPACE, errno.EACCES, {UBUNTU: 1}, f"{UBUNTU} is 1", f"sysctl -w {UBUNTU}=0"),
        (Step.NAMESPACE, errno.EPERM, {UBUNTU: 0}, "forbidden (EPERM)", "security module"),
        (Step.CAPABILITIES, errno.EACCES, {UBUNTU: 1}, f"{UBUNTU} is 1", "'userns,'"),
        (Step.CAPABILITIES, errno.EPERM, {}, "without root's rights (EPERM)", "profile"),
        (Step.OTHER_NAMESPACES, errno.EPERM, {UBUNTU: 1}, f"{UBUNTU} is 1", "AppArmor profile"),
        (Step.OTHER_NAMESPACES, errno.ENOSPC, {UBUNTU: 1}, "no more", "max_net_namespaces"),
        (Step.JOINING, errno.EACCES, {}, "module forbids to join namespaces (EACCES)", "setns"),
        (Step.MOUNTS, errno.EACCES, {}, "nothing may be mounted", "profile"),
        (Step.SETTINGS, errno.EROFS, {}, "/proc/sys cannot be written (EROFS)", "container"),
    ],
)
def test_the_reason_is_named(
    step: Step, number: int, settings: dict[str, int], reason: str, remedy: str
) -> None:
    """The reason holds the setting with its value, the remedy what to set it to."""
    around = Surroundings(settings=OTHERS | settings, has_filter=False)
    refusal = explain(step, number, around)
    assert refusal.step is step
    assert reason in refusal.reason
    assert remedy in refusal.remedy


def test_a_filter_is_the_reason_if_no_setting_is() -> None:
    """In a container it is seccomp that says no; a setting that says no is told first."""
    filtered = Surroundings(settings=OTHERS, has_filter=True)
    assert "seccomp" in explain(Step.NAMESPACE, errno.EPERM, filtered).reason
    both = Surroundings(settings={DEBIAN: 0}, has_filter=True)
    assert DEBIAN in explain(Step.NAMESPACE, errno.EPERM, both).reason
