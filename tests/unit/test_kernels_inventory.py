from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from vnetlab.errors import KernelRefusedError, UsageError
from vnetlab.realm.kernels import best_kernel, list_kernels, remove
from vnetlab.realm.kernels.inventory import DEBIAN_LACKS, METADATA, version_numbers
from vnetlab.realm.kernels.store import publish

PROGRAM = "#!/bin/sh\necho {version}\n"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache directory of kernels, on a machine without any of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    kernels = tmp_path / "vnetlab" / "kernels"
    kernels.mkdir(parents=True)
    return kernels


def write_program(path: Path, version: str) -> None:
    """A program that says its version like a kernel does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PROGRAM.format(version=version))
    path.chmod(0o755)


def add_kernel(cache: Path, name: str, *, version: str, missing: tuple[str, ...] = ()) -> Path:
    """A whole kernel in the cache directory."""
    write_program(cache / name / "linux.uml", version)
    origin = "installed" if missing else "built"
    metadata = {"origin": origin, "version": version, "modules": None, "missing": missing}
    (cache / name / METADATA).write_text(json.dumps(metadata))
    return cache / name


def test_features_count_more_than_versions(cache: Path, tmp_path: Path) -> None:
    """Ours comes first, newest first; then Debian's; then an older one on PATH."""
    add_kernel(cache, "vnetlab-7.2.9-a", version="7.2.9")
    add_kernel(cache, "vnetlab-7.2.13-a", version="7.2.13-vnetlab")
    add_kernel(cache, "debian-7.3um1", version="7.3.1", missing=DEBIAN_LACKS)
    write_program(tmp_path / "bin" / "linux.uml", "6.1.176")
    names = [kernel.name for kernel in list_kernels()]
    assert names == ["vnetlab-7.2.13-a", "vnetlab-7.2.9-a", "debian-7.3um1", "system"]
    best = best_kernel()
    assert best is not None
    assert (best.name, best.full) == ("vnetlab-7.2.13-a", True)


def test_a_newer_kernel_on_path_beats_an_older_debian_one(cache: Path, tmp_path: Path) -> None:
    """Of two kernels with the same features the higher version is the better one."""
    add_kernel(cache, "debian-7.2um1", version="7.2.7", missing=DEBIAN_LACKS)
    write_program(tmp_path / "bin" / "linux.uml", "7.10.1")
    best = best_kernel()
    assert best is not None
    assert (best.name, best.version, best.missing) == ("system", "7.10.1", DEBIAN_LACKS)


@pytest.mark.parametrize("latest", ["vnetlab-7.2.13-a", "vnetlab-7.2.13-b"])
def test_among_equals_the_latest_made_is_the_best(cache: Path, latest: str) -> None:
    """After a change of our configuration, the kernel built from it is the one to boot."""
    for name in ("vnetlab-7.2.13-a", "vnetlab-7.2.13-b"):
        made_at = 2_000_000_000 if name == latest else 1_000_000_000
        os.utime(add_kernel(cache, name, version="7.2.13"), (made_at, made_at))
    best = best_kernel()
    assert best is not None
    assert best.name == latest == list_kernels()[0].name


def test_without_kernels_there_is_no_best_one(cache: Path) -> None:
    """An empty cache directory, or none at all, is no error."""
    assert best_kernel() is None
    cache.rmdir()
    assert list_kernels() == ()


@pytest.mark.parametrize("metadata", ["", "{", "[]", "{}", '{"origin": "built"}', "null"])
def test_a_half_written_directory_is_not_a_kernel(cache: Path, metadata: str) -> None:
    """Metadata that is cut off or incomplete hides the kernel instead of breaking the list."""
    (add_kernel(cache, "vnetlab-7.2.13-a", version="7.2.13") / METADATA).write_text(metadata)
    assert list_kernels() == ()


@pytest.mark.parametrize("lost", [METADATA, "linux.uml"])
def test_a_directory_that_lost_a_file_is_not_a_kernel(cache: Path, lost: str) -> None:
    """Both the metadata and the program must be there."""
    (add_kernel(cache, "vnetlab-7.2.13-a", version="7.2.13") / lost).unlink()
    assert list_kernels() == ()


def test_work_in_progress_is_not_a_kernel(cache: Path) -> None:
    """What lies in a hidden directory is never listed, not even when it is complete."""
    add_kernel(cache, ".build", version="7.2.13")
    assert list_kernels() == ()


def test_a_program_on_path_that_does_not_run_is_no_kernel(cache: Path, tmp_path: Path) -> None:
    """A `linux.uml` that cannot tell its version cannot be booted either."""
    del cache
    write_program(tmp_path / "bin" / "linux.uml", "7.2\nexit 1")
    assert list_kernels() == ()


def test_a_published_kernel_is_complete_and_listed(cache: Path) -> None:
    """Parts become a kernel under their name, with the modules that lie beside the program."""
    write_program(cache / ".install" / "kernel" / "linux.uml", "7.2.7")
    (cache / ".install" / "kernel" / "modules" / "7.2.7").mkdir(parents=True)
    (cache / "debian-7.2um1").mkdir()  # left by an installation that was killed
    kernel = publish(
        cache / ".install" / "kernel", "debian-7.2um1", origin="installed", missing=DEBIAN_LACKS
    )
    assert list_kernels() == (kernel,)
    assert kernel.binary == cache / "debian-7.2um1" / "linux.uml"
    assert kernel.modules == cache / "debian-7.2um1" / "modules" / "7.2.7"
    assert (kernel.version, kernel.full) == ("7.2.7", False)


def test_a_program_that_does_not_run_is_not_published(cache: Path) -> None:
    """Parts whose program fails never become a kernel, and the error names the program."""
    write_program(cache / ".install" / "linux.uml", "7.2\nexit 1")
    with pytest.raises(KernelRefusedError, match="does not run on this machine"):
        publish(cache / ".install", "debian-7.2um1", origin="installed", missing=())
    assert list_kernels() == ()


def test_removing_a_kernel_leaves_nothing_of_it(cache: Path) -> None:
    """The named kernel's directory goes, the others stay."""
    add_kernel(cache, "vnetlab-7.2.13-a", version="7.2.13")
    add_kernel(cache, "vnetlab-7.2.9-a", version="7.2.9")
    assert remove("vnetlab-7.2.13-a").version == "7.2.13"
    assert [path.name for path in cache.iterdir()] == ["vnetlab-7.2.9-a"]


def test_removing_an_unknown_kernel_says_which_there_are(cache: Path) -> None:
    """A wrong name is answered with the names there are and the one probably meant."""
    add_kernel(cache, "debian-7.2um1", version="7.2.7", missing=DEBIAN_LACKS)
    with pytest.raises(UsageError) as raised:
        remove("debian-7.2")
    assert str(raised.value) == (
        "kernel: got 'debian-7.2', expected one of debian-7.2um1; did you mean 'debian-7.2um1'?"
    )


def test_removing_from_nothing_says_so(cache: Path) -> None:
    """Without kernels there is no name to suggest."""
    del cache
    with pytest.raises(UsageError, match="and there is none"):
        remove("debian-7.2um1")


def test_the_systems_own_kernel_is_not_ours_to_remove(cache: Path, tmp_path: Path) -> None:
    """A `linux.uml` on PATH is listed, but never deleted."""
    del cache
    write_program(tmp_path / "bin" / "linux.uml", "6.1.176")
    with pytest.raises(UsageError, match="which vnetlab did not install"):
        remove("system")
    assert (tmp_path / "bin" / "linux.uml").exists()


@pytest.mark.parametrize(
    ("version", "numbers"),
    [("7.2.13-vnetlab", (7, 2, 13)), ("7.2-rc3", (7, 2)), ("6.1.176", (6, 1, 176)), ("?", ())],
)
def test_versions_are_compared_by_their_numbers(version: str, numbers: tuple[int, ...]) -> None:
    """What follows a dash, and what is no number, does not count."""
    assert version_numbers(version) == numbers
