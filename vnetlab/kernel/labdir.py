"""EFFECT: where a lab is kept: a directory with a tmpfs that holds its namespaces.

How it works::

    ROOT/NAME/                     locked (flock) by the command that works on the lab
    ROOT/NAME/live/                a tmpfs of the lab's own, private
    ROOT/NAME/live/topology.json   the resolved topology, a cache
    ROOT/NAME/live/hosts           the names of its nodes: /etc/hosts of what runs on them
    ROOT/NAME/live/run/NODE/       its services: logs and exit codes
    ROOT/NAME/live/ns/NODE         a bind mount that keeps the node's namespace alive
    ROOT/NAME/live/host            another, of the host's, where a router is connected to it
    /run/netns/NAME.NODE           a symbolic link, for `ip netns exec`

All that a lab has in the kernel hangs on this one mount: unmounting it ends every namespace at
once, and with them every link, however far `up` had come. Private propagation keeps the bind
mounts out of other mount namespaces, where they would keep the namespaces alive.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vnetlab import syscalls
from vnetlab.errors import KernelRefusedError, MissingFeatureError, UsageError
from vnetlab.kernel import namespaces
from vnetlab.state.outside import HOST

NETNS_LINKS = Path("/run/netns")
"""Where ip-netns(8) looks for named namespaces."""


class LabDir:
    """The directory of one lab, which need not exist."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        self.path = root / name
        self.live = self.path / "live"
        self.topology = self.live / "topology.json"
        self.hosts = self.live / "hosts"
        self.services = self.live / "run"
        self._namespaces = self.live / "ns"
        self._host = self.live / "host"

    @property
    def exists(self) -> bool:
        """Whether anything of the lab is there, be it half made."""
        return self.path.is_dir() or any(self._links())

    def nodes(self) -> tuple[str, ...]:
        """The names of its namespaces, sorted; none where it is not there.

        A file on which nothing is mounted yet is no namespace: `up` was killed just there.
        """
        try:
            own = self._namespaces.stat().st_dev
            paths = sorted(self._namespaces.iterdir())
            return tuple(path.name for path in paths if path.stat().st_dev != own)
        except FileNotFoundError:
            return ()

    def namespace(self, node: str) -> Path:
        """The path at which the namespace of `node` is mounted.

        HOST is that of the host: the one that `keep_host` was called in, else the present one.
        """
        if node == HOST:
            return self._host if self.knows_host else namespaces.OWN
        return self._namespaces / node

    @property
    def knows_host(self) -> bool:
        """Whether something of the lab may be in its host's namespace."""
        try:
            return self._host.stat().st_dev != self.live.stat().st_dev
        except FileNotFoundError:
            return False

    def keep_host(self) -> None:
        """Keep the present namespace as the host's, before anything comes into it."""
        if not self.knows_host:
            namespaces.keep(self._host)

    def forget_host(self) -> None:
        """Undo `keep_host`, when nothing of the lab is there any more."""
        if self._host.exists():
            namespaces.remove(self._host)

    @contextmanager
    def host_locked(self) -> Iterator[None]:
        """Be the only lab that changes the host: a lock on its namespace, freed at death."""
        fd = os.open(self.namespace(HOST), os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def create(self) -> None:
        """Mount the lab's tmpfs, if it is not mounted; call with the lock held."""
        self.live.mkdir(exist_ok=True)
        if not os.path.ismount(self.live):
            flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
            syscalls.mount("vnetlab", self.live, "tmpfs", flags, "mode=0755")
        syscalls.mount("none", self.live, None, syscalls.MS_PRIVATE)
        self._namespaces.mkdir(exist_ok=True)

    def create_namespace(self, node: str) -> None:
        """Make the namespace of `node`, anew if its file is there but holds none."""
        path = self.namespace(node)
        if path.exists():
            namespaces.remove(path)
        namespaces.create(path)
        with suppress(PermissionError):
            NETNS_LINKS.mkdir(exist_ok=True)
            link = self._link(node)
            link.unlink(missing_ok=True)
            link.symlink_to(path)

    def remove_namespace(self, node: str) -> None:
        """Undo `create_namespace`."""
        self._link(node).unlink(missing_ok=True)
        namespaces.remove(self.namespace(node))

    def remove(self) -> None:
        """Take away everything that `create` and `create_namespace` made; call with the lock held.

        The links go first: one that leads nowhere would be all that is left of the lab.
        """
        for link in self._links():
            link.unlink(missing_ok=True)
        with suppress(OSError):  # not ours, not empty, or not there
            NETNS_LINKS.rmdir()
        while os.path.ismount(self.live):
            syscalls.umount(self.live, syscalls.MNT_DETACH)
        with suppress(FileNotFoundError):
            self.live.rmdir()
        with suppress(FileNotFoundError):
            self.path.rmdir()
        with suppress(OSError):  # other labs are there
            self.path.parent.rmdir()

    @contextmanager
    def locked(
        self, *, shared: bool = False, waiting: Callable[[], None] = lambda: None
    ) -> Iterator[None]:
        """Hold the lab's lock, which the kernel frees when its holder dies.

        Makes the lab's directory, and takes it away again where nothing came to live in it.
        `waiting` is called once if another command holds the lock. Raises MissingFeatureError
        without the permission to make the directory.
        """
        fd = self._lock(fcntl.LOCK_SH if shared else fcntl.LOCK_EX, waiting)
        try:
            yield
        finally:
            if self._is_at_path(fd) and not self.live.exists():
                with suppress(OSError):
                    self.path.rmdir()
            os.close(fd)

    def _lock(self, operation: int, waiting: Callable[[], None]) -> int:
        while True:
            fd = self._open()
            try:
                fcntl.flock(fd, operation | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                waiting = _already_told
                fcntl.flock(fd, operation)
            if self._is_at_path(fd):
                return fd
            os.close(fd)  # the last holder removed the directory: its lock guards nothing now

    def _is_at_path(self, fd: int) -> bool:
        """Whether the locked directory is the lab's still: somebody may have made a new one."""
        try:
            return os.path.samestat(os.fstat(fd), self.path.stat())
        except FileNotFoundError:
            return False

    def _open(self) -> int:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            return os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except PermissionError:
            raise MissingFeatureError(
                f"no permission to write to {self.path.parent}",
                fix="run it as root, or with --realm rootless or uml, which need none",
            ) from None
        except FileNotFoundError:
            return self._open()  # removed between the two calls
        except OSError as error:
            if error.errno == errno.EEXIST and not self._is_in_the_way():
                return self._open()  # removed while `mkdir` looked what was there
            if error.errno == errno.ENAMETOOLONG:
                raise UsageError(f"no lab has the name '{self.name}'") from None
            raise KernelRefusedError(f"{self.path}: {error.strerror}") from error

    def _is_in_the_way(self) -> bool:
        """Whether something else is where the lab's directory, or one above it, is to be."""
        for path in (self.path, *self.path.parents):
            with suppress(FileNotFoundError):
                if not stat.S_ISDIR(path.lstat().st_mode):
                    return True
        return False

    def _link(self, node: str) -> Path:
        return NETNS_LINKS / f"{self.name}.{node}"

    def _links(self) -> Iterator[Path]:
        """The links in NETNS_LINKS that lead into this lab, dangling ones too."""
        if not NETNS_LINKS.is_dir():
            return
        for link in NETNS_LINKS.glob(f"{self.name}.*"):
            if link.is_symlink() and link.readlink().parent == self._namespaces:
                yield link


def list_labs(root: Path) -> tuple[str, ...]:
    """The names of the labs below `root`, half-made ones too, sorted."""
    try:
        return tuple(sorted(entry.name for entry in root.iterdir() if entry.is_dir()))
    except FileNotFoundError:
        return ()


def _already_told() -> None:
    """Stand in for `waiting` once it was called."""
