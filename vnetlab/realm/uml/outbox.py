"""EFFECT: bytes that wait until a descriptor takes them."""

from __future__ import annotations

import os


class Outbox:
    """A queue of bytes in front of a non-blocking descriptor.

    With a `window`, no more than that many bytes are on their way before `acknowledge` says that
    the other end has read them.
    """

    def __init__(self, fd: int, *, window: int | None = None) -> None:
        self._fd = fd
        self._queue = bytearray()
        self._window = window
        self._is_full = False

    def put(self, *pieces: bytes) -> None:
        """Add to the queue's end."""
        for piece in pieces:
            self._queue += piece

    def acknowledge(self, count: int) -> None:
        """Note that the other end has read so many bytes."""
        assert self._window is not None
        self._window += count

    @property
    def is_blocked(self) -> bool:
        """True if bytes wait for the descriptor (not for the window) after a `flush`."""
        return self._is_full

    def flush(self) -> None:
        """Write as much as the descriptor takes and the window allows.

        Raises OSError if the other end is gone.
        """
        self._is_full = False
        while self._queue and self._window != 0:
            count = len(self._queue) if self._window is None else self._window
            try:
                written = os.write(self._fd, memoryview(self._queue)[:count])
            except BlockingIOError:
                self._is_full = True
                return
            if self._window is not None:
                self._window -= written
            del self._queue[:written]
