"""A star in munet, up until its input ends."""

import asyncio
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from munet.native import Munet

count = int(sys.argv[1])


async def main() -> None:
    """Build it, wait, and take it away."""
    config = {
        "config_pathname": str(Path.cwd() / "munet.yaml"),
        "topology": {
            "networks": [{"name": "net0", "ip": "10.0.255.254/16"}],
            "nodes": [
                {
                    "name": f"h{number}",
                    "connections": [
                        {
                            "to": "net0",
                            "name": "eth0",
                            "ip": f"10.0.{number >> 8}.{number & 255}/16",
                        }
                    ],
                }
                for number in range(1, count + 1)
            ],
        },
    }
    unet = await _build(config)
    print("up", flush=True)  # noqa: T201
    await asyncio.to_thread(sys.stdin.read)
    await unet.async_delete()


async def _build(config: Mapping[str, object]) -> Munet:
    from munet.parser import async_build_topology

    rundir = Path(tempfile.mkdtemp())
    return await async_build_topology(config, rundir=rundir)


asyncio.run(main())
