"""EFFECT: the namespaces of one lab while a command works on them: entered, and spoken to."""

from __future__ import annotations

import errno
import os
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Self

from vnetlab.errors import KernelRefusedError, MissingFeatureError
from vnetlab.kernel import limits, namespaces, open_files, processes, services
from vnetlab.kernel.labdir import LabDir
from vnetlab.kernel.netfilter import open_netfilter
from vnetlab.kernel.netlink import Channel


class Nodes:
    """A lab's namespaces by name, each with its netlink sockets, opened when first used."""

    def __init__(self, lab: LabDir) -> None:
        self.lab = lab
        self._channels: dict[str, Channel] = {}
        self._netfilter: dict[str, Channel | None] = {}
        self._fds: dict[str, int] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        open_files.raise_limit()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.close()
        if isinstance(error, OSError) and error.errno == errno.EMFILE:
            raise KernelRefusedError(
                f"the lab needs more than the {open_files.limit()} files that a process may have "
                "open here",
                fix="raise the limit with 'ulimit -n', or make the lab smaller",
            ) from None

    def enter(self, node: str) -> AbstractContextManager[None]:
        """Be in the namespace of `node` as long as the context lasts."""
        return namespaces.entered(self.lab.namespace(node))

    def channel(self, node: str) -> Channel:
        """The route-netlink socket in the namespace of `node`."""
        if node not in self._channels:
            self._open_channels(node)
        return self._channels[node]

    def netfilter(self, node: str) -> Channel | None:
        """The netfilter socket there; None where the kernel has no such thing."""
        if node not in self._channels:
            self._open_channels(node)
        return self._netfilter[node]

    def fd(self, node: str) -> int:
        """A file descriptor of the namespace of `node`, for messages that place a link in it."""
        if node not in self._fds:
            fd = os.open(self.lab.namespace(node), os.O_RDONLY | os.O_CLOEXEC)
            self._open.callback(os.close, fd)
            self._fds[node] = fd
        return self._fds[node]

    def create(self, node: str) -> None:
        """Make the namespace of `node`. Raises MissingFeatureError without the permission."""
        try:
            self.lab.create_namespace(node)
        except PermissionError:
            raise MissingFeatureError(
                "no permission to make a network namespace",
                fix="run it as root, or with --realm rootless or uml, which need none",
            ) from None

    def _open_channels(self, node: str) -> None:
        with self.enter(node):
            self._channels[node] = channel = Channel()
            self._open.callback(channel.close)
            self._netfilter[node] = netfilter = open_netfilter()
        if netfilter is not None:
            self._open.callback(netfilter.close)

    def remove(self, node: str) -> None:
        """Take the namespace of `node` and all in it away, processes too: they would keep it."""
        processes.end(self.lab, (node,))
        services.forget(self.lab, node)
        limits.release(self.lab, node)
        self._channels.pop(node, None)
        self._netfilter.pop(node, None)
        self._fds.pop(node, None)
        self.lab.remove_namespace(node)
