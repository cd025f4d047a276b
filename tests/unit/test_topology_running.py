"""Services and limits: names, quantities, and what is no service at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from vnetlab.topology.forms_running import parse_cpu, parse_memory
from vnetlab.topology.load import load
from vnetlab.topology.running import Limits
from vnetlab.topology.wording import InvalidValueError


def names(tmp_path: Path, run: str) -> list[str]:
    """The names of the services of a VM with `run`."""
    file = tmp_path / "lab.yaml"
    file.write_text(f"vms: {{a: {{run: {run}}}}}")
    (vm,) = load(file).vms
    return [service.name for service in vm.services]


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("[]", []),
        ("['/usr/sbin/nginx -g x', python3 -m http.server]", ["nginx", "python3"]),
        ("[ping a, {command: ping b}, {name: ping, command: c}]", ["ping-2", "ping-3", "ping"]),
        ("['((:))', '...']", ["run", "run-2"]),
    ],
)
def test_a_service_is_named_after_its_program(
    tmp_path: Path, run: str, expected: list[str]
) -> None:
    """Those with a name of their own keep it, and the others get numbers."""
    assert names(tmp_path, run) == expected


def test_a_vm_without_limits_has_none(tmp_path: Path) -> None:
    """Neither where the file says nothing, nor where it says nothing of them."""
    file = tmp_path / "lab.yaml"
    file.write_text("vms: {a: , b: {limits: }, c: {limits: {cpu: 1.5}}}")
    found = [vm.limits for vm in load(file).vms]
    assert found == [Limits(), Limits(), Limits(cpu_thousandths=1500)]


def test_quantities() -> None:
    """Decimal and binary units; whole and broken CPUs."""
    assert [parse_memory(text) for text in ("1mib", "1.5 MB", "2gib")] == [
        1 << 20,
        1_500_000,
        2 << 30,
    ]
    assert [parse_cpu(value) for value in (2, 0.5, 0.01)] == [2000, 500, 10]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, -1, 0, "2"])
def test_strange_numbers_of_cpus_are_refused(value: object) -> None:
    """Whatever YAML may give."""
    with pytest.raises(InvalidValueError):
        parse_cpu(value)
