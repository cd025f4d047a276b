from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vnetlab.errors import MissingFeatureError
from vnetlab.realm.kernels.build import build
from vnetlab.realm.kernels.prebuilt import install
from vnetlab.realm.kernels.progress import ignore_progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from vnetlab.realm.kernels import LabKernel
    from vnetlab.realm.kernels.progress import Progress

NO_APT = shutil.which("apt-get") is None or os.uname().machine != "x86_64"
on_debian = pytest.mark.skipif(NO_APT, reason="needs an x86-64 machine with apt")

INSTALL = """
from vnetlab.errors import VnetlabError
from vnetlab.realm.kernels.prebuilt import install
from vnetlab.realm.kernels.progress import ignore_progress
try:
    install(ignore_progress)
except VnetlabError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache directory."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "vnetlab" / "kernels"


def kernels_in(cache: Path) -> list[str]:
    """The names of what is in the cache directory, but for work in progress."""
    return [path.name for path in cache.glob("[!.]*")]


def use_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sources: str) -> None:
    """Give apt a machine of its own, with these sources."""
    (tmp_path / "sources.d").mkdir()
    (tmp_path / "sources.d" / "debian.sources").write_text(sources)
    settings = [f'Dir::Etc::sourceparts "{tmp_path}/sources.d"', 'Dir::Etc::sourcelist "/dev/null"']
    (tmp_path / "apt.conf").write_text("".join(f"{line};\n" for line in settings))
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))


def install_under(*prefix: str) -> str:
    """What a user sees of an installation that is started by the command `prefix`."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [*prefix, sys.executable, "-c", INSTALL]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("make", [install, build])
def test_a_machine_without_apt_is_told_how_to_do_without(
    cache: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Progress], LabKernel]
) -> None:
    """Neither way to a kernel begins without apt, and the message names another."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingFeatureError, match="apt-get and dpkg-deb not found") as raised:
        make(ignore_progress)
    assert "'linux.uml' on PATH" in raised.value.fix
    assert kernels_in(cache) == []


@on_debian
def test_a_machine_of_another_type_is_refused(cache: Path) -> None:
    """User Mode Linux as we make it runs on x86-64 alone."""
    shown = install_under("setarch", "i686")
    assert shown.startswith("MissingFeatureError lab kernel: got a machine of type i686")
    assert kernels_in(cache) == []


@on_debian
def test_an_unreachable_mirror_is_said_to_be_so(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What apt complains of reaches the user in one message, and no kernel appears."""
    stanza = "Types: deb\nURIs: http://127.0.0.1:9/debian\nSuites: stable\nComponents: main\n"
    use_sources(tmp_path, monkeypatch, stanza)
    with pytest.raises(MissingFeatureError, match=r"apt-get: .*127\.0\.0\.1") as raised:
        install(ignore_progress)
    assert "\n" not in str(raised.value)
    assert "check the network" in raised.value.fix
    assert kernels_in(cache) == []


@on_debian
def test_a_machine_without_a_source_of_debian_is_told_so(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any source there is no mirror to take, so nothing is asked of the network."""
    use_sources(tmp_path, monkeypatch, "")
    with pytest.raises(MissingFeatureError, match="got no source of Debian packages"):
        install(ignore_progress)
    assert kernels_in(cache) == []


@on_debian
def test_a_small_disk_is_refused_before_anything_is_fetched(cache: Path) -> None:
    """Free space is compared with what is needed, and the directory is named."""
    cache.mkdir(parents=True)
    mount = f'mount -t tmpfs -o size=20m tmpfs {cache} && exec "$@"'
    shown = install_under("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "-")
    assert shown.startswith(f"KernelRefusedError {cache}: got 20 MB of free disk space")


def test_a_cache_directory_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says which directory, and that another one can be chosen."""
    (tmp_path / "cache").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(MissingFeatureError) as raised:
        install(ignore_progress)
    assert str(tmp_path / "cache") in raised.value.message
    assert "XDG_CACHE_HOME" in raised.value.fix
