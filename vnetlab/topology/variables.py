"""The variables of a topology's template, as the command line gives them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vnetlab.errors import UsageError


def read_variables(settings: Iterable[str], files: Iterable[Path]) -> dict[str, object]:
    """Return the variables of `files` (YAML mappings), then those of `settings` (`key=value`).

    A value is YAML: `--set vms=3` gives a number, `--set vlans=[10,20]` a list. Raises UsageError.
    """
    variables: dict[str, object] = {}
    for file in files:
        variables |= _read_file(file)
    for setting in settings:
        key, sign, value = setting.partition("=")
        if not sign or not key.isidentifier():
            raise UsageError(f"--set: got '{setting}', expected KEY=VALUE")
        variables[key] = _read_yaml(value, f"--set {key}")
    return variables


def _read_file(file: Path) -> dict[str, object]:
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"--vars {file}: cannot read it: {reason}") from None
    content = _read_yaml(text, f"--vars {file}")
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise UsageError(f"--vars {file}: expected a mapping of names to values")
    return content


def _read_yaml(text: str, where: str) -> object:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{where}: not YAML: {reason}") from None
