"""How commands, shares of a CPU and sizes of memory may be written (pure)."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, WithJsonSchema

from vnetlab.topology.wording import got

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue

_CPUS = "a number of CPUs such as 0.5 or 2"
_THOUSANDTHS = 1000
_LOWEST_CPU, _HIGHEST_CPU = 10, 1000 * _THOUSANDTHS
"""The kernel gives a group 1 ms of each 100 ms at least (kernel/sched/core.c)."""

_MEMORY = "a size such as 256mb, 512mib or 1gb"
_UNITS = {
    "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30,
}  # fmt: skip
_LOWEST_MEMORY, _HIGHEST_MEMORY = 2**20, 2**50
_QUANTITY = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?) ?([a-z]*)", re.ASCII)


def parse_command(value: object) -> str:
    """A command for the shell."""
    if isinstance(value, str) and value.strip() and "\0" not in value:
        return value
    raise got(value, "a command such as 'python3 -m http.server 80'")


def parse_cpu(value: object) -> int:
    """A number of CPUs in thousandths, from 0.5 or 2. Raises InvalidValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise got(value, _CPUS)
    thousandths = round(value * _THOUSANDTHS) if abs(value) < _HIGHEST_CPU else 0
    if not _LOWEST_CPU <= thousandths <= _HIGHEST_CPU:
        raise got(value, "a number of CPUs from 0.01 to 1000")
    return thousandths


def parse_memory(value: object) -> int:
    """A size in bytes, from `256mb` or `512mib`. Raises InvalidValueError."""
    match = _QUANTITY.fullmatch(value.lower()) if isinstance(value, str) else None
    if not match or match[2] not in _UNITS:
        raise got(value, _MEMORY, fix=f"the units are {', '.join(_UNITS)}")
    size = int(Decimal(match[1]) * _UNITS[match[2]])
    if not _LOWEST_MEMORY <= size <= _HIGHEST_MEMORY:
        raise got(value, "a size from 1mib to 1048576gib")
    return size


COMMAND: JsonSchemaValue = {
    "title": "command",
    "description": "A command line for `sh`.",
    "examples": ["python3 -m http.server 80"],
    "type": "string",
    "pattern": r"\S",
}
_CPU: JsonSchemaValue = {
    "title": "CPUs",
    "description": "A number of CPUs, in steps of 0.001.",
    "examples": [0.5, 2],
    "type": "number",
    "minimum": 0.01,
    "maximum": 1000,
}
_SIZE: JsonSchemaValue = {
    "title": "memory",
    "description": "A number of `kb`, `mb`, `gb` (of 1000) or `kib`, `mib`, `gib` (of 1024).",
    "examples": ["256mb", "512mib", "1gb"],
    "type": "string",
    "pattern": r"^[0-9]{1,20}(\.[0-9]{1,20})? ?([kKmMgG][iI]?)?[bB]$",
}

Command = Annotated[str, BeforeValidator(parse_command), WithJsonSchema(COMMAND)]
Cpu = Annotated[int, BeforeValidator(parse_cpu), WithJsonSchema(_CPU)]
Memory = Annotated[int, BeforeValidator(parse_memory), WithJsonSchema(_SIZE)]
