"""Runs pytest in a lab kernel of its own: `python -m tests.in_lab_kernel tests/kernel`."""

from __future__ import annotations

import os
import sys
import tempfile


def run_pytest() -> int:
    """What the lab kernel runs as its command."""
    import pytest

    return pytest.main(sys.argv[1:])


def no_labs() -> dict[str, tuple[str, ...]]:
    """The labs that keep the lab kernel running: none, it ends with the tests."""
    return {}


def main() -> int:
    """Boot the best lab kernel, hand pytest's arguments to it, and return pytest's exit status."""
    from vnetlab.realm.kernels.inventory import best_kernel
    from vnetlab.realm.uml.boot import Guest
    from vnetlab.realm.uml.client import run_in_lab_kernel
    from vnetlab.realm.uml.lifecycle import ensure_running, stop

    kernel = best_kernel()
    if kernel is None or not kernel.full:
        sys.exit("the kernel tests need the full lab kernel: vnetlab kernel build")
    with tempfile.TemporaryDirectory(prefix="vnetlab-", dir="/tmp") as run_dir:
        os.environ["VNETLAB_RUN_DIR"] = f"{run_dir}/run"
        guest = Guest(main="tests.in_lab_kernel:run_pytest", labs="tests.in_lab_kernel:no_labs")
        ensure_running(kernel, guest)
        try:
            return run_in_lab_kernel(sys.argv[1:], stdin=False)
        finally:
            stop()


if __name__ == "__main__":
    sys.exit(main())
