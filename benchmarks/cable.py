"""EFFECT: what a cable does to packets, from its two ends; standard library only.

cable.py take             one TCP connection: prints the bits per second of its frames
cable.py give ADDRESS S   its other end, for S seconds, the first quarter of which does not count
cable.py answer           sends each datagram back
cable.py ask ADDRESS N    prints the median of N round trips, in seconds
cable.py count            prints how many datagrams came before a second without any
cable.py send ADDRESS N   sends N
"""

import itertools
import socket
import statistics
import struct
import sys
import time

_PORT = 5202
_CHUNK = bytes(1 << 16)
_HEADERS = 14 + 20 + 20 + 12  # Ethernet, IPv4, TCP, its timestamps
_INFO_BYTES = 160
_RCV_MSS, _DATA_SEGMENTS_IN = 20, 152  # places in struct tcp_info: include/uapi/linux/tcp.h
_SO_RCVBUFFORCE = 33  # asm-generic/socket.h
_BUFFER = 64 << 20
_BURST, _PAUSE_S = 20, 0.001


def say(word: object) -> None:
    """Print a line, at once."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def take() -> None:
    """Count segments, in their order or not: all that came over the cable."""
    with socket.create_server(("", _PORT)) as server:
        say("ready")
        connection, _ = server.accept()
    seconds = float(connection.recv(16, socket.MSG_WAITALL))
    begin = time.perf_counter() + seconds / 4
    end = begin + seconds * 3 / 4
    while time.perf_counter() < begin:
        connection.recv(len(_CHUNK))
    first, start = segments(connection), time.perf_counter()
    while time.perf_counter() < end:
        connection.recv(len(_CHUNK))
    took = time.perf_counter() - start
    mss = field(connection, _RCV_MSS)
    say((segments(connection) - first) * (mss + _HEADERS) * 8 / took)


def field(connection: socket.socket, place: int) -> int:
    """One of the numbers that the kernel has on a connection."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    (number,) = struct.unpack_from("=I", info, place)
    return int(number)


def segments(connection: socket.socket) -> int:
    """How many with data came."""
    return field(connection, _DATA_SEGMENTS_IN)


def give(address: str, seconds: float) -> None:
    """Send until the other end has enough."""
    with socket.create_connection((address, _PORT)) as connection:
        connection.sendall(f"{seconds:<16}".encode())
        try:
            while True:
                connection.sendall(_CHUNK)
        except OSError:
            return


def answer() -> None:
    """Send datagrams back until the process is ended."""
    with datagrams() as server:
        say("ready")
        while True:
            text, sender = server.recvfrom(64)
            server.sendto(text, sender)


def ask(address: str, times: int) -> None:
    """One round trip after the other; the first, which asks for MAC addresses, does not count."""
    took = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((address, _PORT))
        for _ in range(times + 1):
            start = time.perf_counter()
            client.send(b"?")
            client.recv(64)
            took.append(time.perf_counter() - start)
    say(statistics.median(took[1:]))


def count() -> None:
    """Count datagrams."""
    with datagrams() as server:
        say("ready")
        server.recv(64)
        server.settimeout(1)
        for number in itertools.count(1):
            try:
                server.recv(64)
            except TimeoutError:
                say(number)
                return


def send(address: str, number: int) -> None:
    """Send them, a few at a time."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((address, _PORT))
        for done in range(number):
            client.send(b".")
            if done % _BURST == 0:
                time.sleep(_PAUSE_S)


def datagrams() -> socket.socket:
    """A socket with room for all."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    server.bind(("", _PORT))
    return server


if __name__ == "__main__":
    verb, *words = sys.argv[1:]
    if verb in ("take", "answer", "count"):
        {"take": take, "answer": answer, "count": count}[verb]()
    elif verb == "give":
        give(words[0], float(words[1]))
    else:
        {"ask": ask, "send": send}[verb](words[0], int(words[1]))
