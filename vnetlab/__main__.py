"""`vnetlab` and `python -m vnetlab`: the command line's way in."""

from __future__ import annotations

import gc
import sys

from vnetlab.cli.quick_help import print_quickly

_YOUNG_OBJECTS = 50_000
"""A lab is very many objects that stay: to look for garbage among them takes a tenth of `up`."""


def main() -> None:
    """Run the command line with this process's arguments and exit with its code."""
    if print_quickly(sys.argv[1:]):
        return
    gc.set_threshold(_YOUNG_OBJECTS)
    try:
        from vnetlab.cli.app import app

        app(prog_name="vnetlab")
    except KeyboardInterrupt:  # while the commands are still being put together
        sys.stderr.write("vnetlab: interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
