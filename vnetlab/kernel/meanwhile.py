"""EFFECT: work on many namespaces that another process does meanwhile: fork(2).

A process is in one namespace at a time, and Python runs one thread at a time. What is done in each
of a thousand namespaces, and takes long in the kernel, is therefore shared with a fork of this
process, where there is a second CPU for it. The fork has inherited the lab's lock too: whatever
happens to this process, nobody else gets the lab before the fork is through.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from vnetlab import syscalls
from vnetlab.errors import KernelRefusedError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess

_Result = TypeVar("_Result")
_Item = TypeVar("_Item")


class Meanwhile(AbstractContextManager["Meanwhile[_Result]"], Generic[_Result]):
    """`work`, which a fork does from now on; without `forked` it is done when it is asked for."""

    def __init__(self, work: Callable[[], _Result], *, forked: bool) -> None:
        self._work = work
        self._fork = _start(work) if forked and may_fork() else None

    def __exit__(self, *_: object) -> None:
        """Wait for the end of the fork."""
        if self._fork is not None:
            process, answer = self._fork
            with suppress(EOFError, OSError):
                answer.recv()  # what nobody has asked for would keep it from ending
            process.join()
            answer.close()

    def result(self) -> _Result:
        """What the work returns, once. Raises what it raises."""
        if self._fork is None:
            return self._work()
        process, answer = self._fork
        try:
            error, result = answer.recv()
        except EOFError:
            process.join()
            raise KernelRefusedError(
                f"a process of vnetlab's ended too early (exit code {process.exitcode})"
            ) from None
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return] # of the pipe nothing is known


def may_fork() -> bool:
    """Whether a fork could do work meanwhile, and this process may have one.

    Not beside other threads, whose locks it would find closed for ever, and not where it is itself
    the daemon of a caller's multiprocessing.
    """
    from multiprocessing import current_process

    has_cpu = len(os.sched_getaffinity(0)) > 1
    return has_cpu and threading.active_count() == 1 and not current_process().daemon


def in_halves(
    work: Callable[[Sequence[_Item]], None], items: Sequence[_Item], *, forked: bool
) -> None:
    """Do `work` on all `items`: if `forked`, on one half of them while a fork does the other.

    Raises what it raises.
    """
    half = len(items) // 2 if forked else len(items)
    with Meanwhile(partial(work, items[half:]), forked=forked) as other:
        work(items[:half])
        other.result()


def _start(work: Callable[[], object]) -> tuple[ForkProcess, Connection]:
    from multiprocessing import get_context

    context = get_context("fork")
    answer, asked = context.Pipe(duplex=False)
    others = os.sched_getaffinity(0) - {syscalls.current_cpu()}
    process = context.Process(target=_do, args=(work, asked, others))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        process.start()  # with Ctrl-C blocked: it is for the process that forks
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    asked.close()
    return process, answer


def _do(work: Callable[[], object], asked: Connection, others: Collection[int]) -> None:
    answer: tuple[Exception | None, object]
    try:
        os.sched_setaffinity(0, others)  # the scheduler leaves both on one for up to a second
        answer = (None, work())
    except Exception as error:  # whatever it is, the other process has to raise it
        answer = (error, None)
    with suppress(BrokenPipeError):  # the other process was killed
        asked.send(answer)
