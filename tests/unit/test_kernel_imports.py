"""What is imported of pyroute2: its messages alone, until somebody asks for more."""

from __future__ import annotations

import subprocess
import sys


def _run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_the_kernel_s_messages_do_without_the_rest_of_pyroute2() -> None:
    """Its data base and its sockets for processes take longer to import than a probe to run."""
    loaded = "import sys; print([m for m in sys.modules if m.startswith('pyroute2.ndb')])"
    assert _run(f"import vnetlab.investigation; {loaded}") == "[]"


def test_pyroute2_is_whole_for_whoever_uses_it_beside_us() -> None:
    """The package is filled when a name of its own is asked for, and its modules are the same."""
    code = (
        "import vnetlab.kernel.apply, pyroute2.netlink as before\n"
        "from pyroute2 import IPRoute, NetNS\n"
        "import pyroute2\n"
        "print(pyroute2.netlink is before, IPRoute.__name__, 'NDB' in dir(pyroute2))"
    )
    assert _run(code) == "True IPRoute True"


def test_pyroute2_that_is_there_already_is_left_as_it_is() -> None:
    """Imported first by somebody else, it is whole already."""
    assert _run("import pyroute2, vnetlab.kernel; print('NDB' in vars(pyroute2))") == "True"
