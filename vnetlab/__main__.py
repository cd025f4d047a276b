"""`vnetlab` and `python -m vnetlab`: the command line's way in."""

from __future__ import annotations

import sys

from vnetlab.cli.quick_help import print_quickly


def main() -> None:
    """Run the command line with this process's arguments and exit with its code."""
    if print_quickly(sys.argv[1:]):
        return
    try:
        from vnetlab.cli.app import app

        app(prog_name="vnetlab")
    except KeyboardInterrupt:  # while the commands are still being put together
        sys.stderr.write("vnetlab: interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
