"""EFFECT: as many bytes as go through one TCP connection; standard library only.

stream.py receive            prints the bits per second of the connection that comes
stream.py send ADDRESS S     sends for S seconds
"""

import socket
import sys
import time

_PORT = 5201
_CHUNK = bytes(1 << 18)


def receive() -> float:
    """Take one connection to its end; return its bits per second."""
    with socket.create_server(("", _PORT)) as server:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        connection, _ = server.accept()
    buffer = bytearray(len(_CHUNK))
    received = 0
    start = time.perf_counter()
    while got := connection.recv_into(buffer):
        received += got
    return received * 8 / (time.perf_counter() - start)


def send(address: str, seconds: float) -> None:
    """Send to `address`."""
    with socket.create_connection((address, _PORT)) as connection:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            connection.sendall(_CHUNK)


if __name__ == "__main__":
    if sys.argv[1] == "receive":
        sys.stdout.write(f"{receive()}\n")
    else:
        send(sys.argv[2], float(sys.argv[3]))
