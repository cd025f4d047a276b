"""The messages between a command, the keeper and the lab kernel's agent (pure).

How it works
------------
Everything travels in frames: a header (session, kind, length) and a payload. A command's
connection to the keeper carries one session and its number there is 0; on the one serial line
between keeper and agent every session has a number of its own, and 0 stands for the line itself.

::

    command          keeper                      agent (in the lab kernel)
       │─ OPEN ───────▶│─ OPEN 7 ────────────────▶│  forks the command
       │─ STDIN ──────▶│─ STDIN 7 ───────────────▶│  writes to its pipe or terminal
       │◀─ CREDIT ─────│◀─ CREDIT 7 ──────────────│  so many bytes of input are consumed
       │◀─ STDOUT ─────│◀─ STDOUT 7 ──────────────│
       │─ CREDIT ─────▶│─ CREDIT 7 ──────────────▶│  so many bytes of output are consumed
       │◀─ EXIT ───────│◀─ EXIT 7 ────────────────│

Nobody sends more than a window of data ahead of the other end's credit. So the keeper holds at
most a window per session and direction, always reads, and a command that stops reading (a pager)
stops its own session only.

The line towards the lab kernel has a window of its own, `LINE_WINDOW`, in bytes and acknowledged
by ACK: a serial line of User Mode Linux stops for good once its terminal had to throttle it, which
happens when 4 KiB wait to be read.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

OUTPUT_WINDOW = 256 * 1024
"""Bytes of output that a session may send ahead of the command's credit."""

INPUT_WINDOW = 64 * 1024
"""Bytes of input that a command may send ahead of its session's credit."""

LINE_WINDOW = 2048
"""Bytes that the keeper may have on the serial line before the agent has acknowledged them."""

CHUNK = 16 * 1024
"""Bytes of data in one frame, at most: what another session waits for."""


class Kind(IntEnum):
    """What a frame says; the comment gives its payload."""

    # From a command, to the agent.
    OPEN = 1  # Request as JSON
    STDIN = 2  # data; none = end of file
    SIGNAL = 3  # a NUMBER
    RESIZE = 4  # two NUMBERs: rows, columns
    CLOSE = 5  # a NUMBER: nobody reads this output (1 or 2) any more
    HANGUP = 6  # sent by the keeper when the command is gone
    # From the agent, to a command.
    STDOUT = 17  # data
    STDERR = 18  # data
    EXIT = 19  # a NUMBER: exit status, or minus a signal
    # Between both.
    CREDIT = 32  # a NUMBER of bytes consumed
    # Between keeper and agent.
    READY = 48  # the agent takes sessions
    LABS = 49  # asked by the keeper, or told when the last session has ended: JSON
    ACK = 50  # a NUMBER of bytes read from the line
    POWER_OFF = 51
    # Between a command and the keeper.
    AWAIT = 64  # answered by READY once the agent is there
    STATUS = 65  # answered by STATUS: Status as JSON
    STOP = 66
    DIED = 67  # text: why there is no lab kernel any more, and the end of its log


class Frame(NamedTuple):
    """One message."""

    session: int
    kind: int
    payload: bytes


NUMBER = Struct("!i")
_HEADER = Struct("!IBI")


def encode(session: int, kind: Kind | int, payload: bytes = b"") -> bytes:
    """Return a frame as bytes."""
    return _HEADER.pack(session, kind, len(payload)) + payload


def encode_number(session: int, kind: Kind, *numbers: int) -> bytes:
    """Return a frame whose payload is one or more NUMBERs."""
    return encode(session, kind, b"".join(NUMBER.pack(number) for number in numbers))


def decode_numbers(payload: bytes) -> tuple[int, ...]:
    """Return the NUMBERs in a payload."""
    return tuple(number for (number,) in NUMBER.iter_unpack(payload))


class FrameReader:
    """Cuts a stream of bytes, fed piece by piece, into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take the next bytes of the stream; yield the frames that are complete now."""
        self._buffer += data
        while len(self._buffer) >= _HEADER.size:
            session, kind, length = _HEADER.unpack_from(self._buffer)
            end = _HEADER.size + length
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[_HEADER.size : end])
            del self._buffer[:end]
            yield Frame(session, kind, payload)
