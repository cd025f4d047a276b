from __future__ import annotations

from vnetlab.cli.quick_help import FILE, make_help


def test_the_ready_help_text_is_the_real_one() -> None:
    """`vnetlab --help` prints what Typer would; scripts/fix renews the file."""
    assert FILE.read_text(encoding="utf-8") == make_help()
