"""EFFECT: namespaces and netlink; the only importer of pyroute2.

Of pyroute2 only some of its message classes are used. Its package imports all of it, asyncio and a
data base too, which takes longer than a probe: that is put off until somebody asks the package for
a name of its own.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import Any


def _put_off(package: str) -> None:
    """Let the modules of a package be imported without what its `__init__` imports."""
    spec = find_spec(package)
    if package in sys.modules or spec is None or spec.loader is None:
        return
    loader, module = spec.loader, module_from_spec(spec)

    def load(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if find_spec(f"{package}.{name}"):
            return import_module(f"{package}.{name}")
        vars(module).pop("__getattr__", None)
        loader.exec_module(module)
        return getattr(module, name)

    vars(module)["__getattr__"] = load
    sys.modules[package] = module


_put_off("pyroute2")
