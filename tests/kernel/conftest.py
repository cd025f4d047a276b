"""Real labs in a real kernel: natively where the kernel can, and all of them in the lab kernel."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from msgspec import Struct

from vnetlab import lab as verbs
from vnetlab.errors import MissingFeatureError
from vnetlab.kernel import namespaces
from vnetlab.kernel.features import missing_features
from vnetlab.kernel.labdir import NETNS_LINKS, LabDir, list_labs
from vnetlab.state.features import Feature
from vnetlab.state.plan import Plan
from vnetlab.topology.load import load
from vnetlab.topology.topology import Topology

DEADLINE_S = 90.0
INSIDE = "VNETLAB_INSIDE" in os.environ


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", "needs(feature, ...): kernel features the test needs")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose features this kernel lacks, by their names."""
    wanted = [Feature.NETWORK_NAMESPACES]
    for marker in item.iter_markers("needs"):
        wanted += [next(f for f in Feature if f.label == name) for name in marker.args]
    try:
        missing = missing_features(wanted)
    except MissingFeatureError as error:
        pytest.skip(str(error))
    if missing:
        pytest.skip(f"this kernel has no {', '.join(f.label for f in missing)}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In the lab kernel a skip is a failure: it has every feature."""
    report = yield
    if INSIDE and report.skipped:
        report.outcome = "failed"
    return report


class Bench(Struct, frozen=True, kw_only=True):
    """Where a test builds its labs: a directory for them, and one for its topology files."""

    root: Path
    files: Path

    def load(self, text: str, name: str = "bench") -> Topology:
        """The topology in `text`, as if it stood in the file `name`.yaml."""
        file = self.files / f"{name}.yaml"
        file.write_text(text)
        return load(file)

    def up(self, text: str, name: str = "bench") -> Plan:
        """Build the lab of `text`, or change the running one into it."""
        return verbs.up(self.load(text, name), self.root)

    def plan(self, text: str, name: str = "bench") -> Plan:
        """What `up` would do."""
        return verbs.plan(self.load(text, name), self.root)

    def down(self, name: str = "bench") -> None:
        """Take the lab away."""
        verbs.down(name, self.root)

    def lab(self, name: str = "bench") -> LabDir:
        """The directory of a lab."""
        return LabDir(self.root, name)

    def leftovers(self) -> list[str]:
        """Everything of any lab of this bench that the machine still has."""
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        links = NETNS_LINKS.iterdir() if NETNS_LINKS.is_dir() else ()
        return [
            *(line for line in mounts if str(self.root) in line),
            *(
                str(link)
                for link in links
                if link.is_symlink() and str(self.root) in str(link.readlink())
            ),
            *(str(path) for path in self.root.glob("**/*")),
        ]


def until(condition: Callable[[], bool], seen: Callable[[], object]) -> None:
    """Poll until a function returns true; fail with what was `seen` last."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"never: {seen()}"
        time.sleep(0.02)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """An empty bench; what the test leaves on it is taken away."""
    root, files = tmp_path / "labs", tmp_path / "files"
    files.mkdir()
    yield Bench(root=root, files=files)
    for name in list_labs(root):
        verbs.down(name, root)


@pytest.fixture
def in_node(bench: Bench) -> Callable[..., str]:
    """Run a command on a node of the lab `bench`; returns what it prints, or fails with it."""

    def run(node: str, *command: str) -> str:
        with namespaces.entered(bench.lab().namespace(node)):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    return run
