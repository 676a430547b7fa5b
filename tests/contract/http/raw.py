"""HTTP spoken by hand over a socket, to say what no client library would."""

import contextlib
import json
import socket
import time
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Answer:
    """One answer as it came, and how long it took until the connection ended or the answer was whole."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float
    closed: bool

    @property
    def code(self) -> Any:
        return json.loads(self.body)["code"] if self.body else None


class Connection:
    """A TCP connection to the server under test."""

    def __init__(self, port: int, timeout_s: float = 20.0, receive_buffer: int = 0) -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout_s)
        self.socket.connect(("127.0.0.1", port))
        self._began = time.monotonic()
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Sends; a server that has hung up already is no error of the test."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def answer(self) -> Answer:
        """The next answer, whole; status 0 when the server hung up without one."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._more():
                return Answer(0, {}, b"", time.monotonic() - self._began, closed=True)
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (f.partition(":") for f in fields)}
        length = int(headers.get("content-length", "0"))
        while len(self._buffer) < length and self._more():
            pass
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        seconds = time.monotonic() - self._began
        return Answer(int(line.split()[1]), headers, body, seconds, closed=False)

    def hangs_up(self) -> bool:
        """Whether the server ends the connection within the time-out."""
        try:
            while self._more():
                pass
        except TimeoutError:
            return False
        return True

    def is_cut_off_within(self, timeout_s: float) -> bool:
        """Whether sending fails within the time, though we read nothing."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            try:
                self.socket.sendall(b"GET")
            except (BrokenPipeError, ConnectionResetError):
                return True
            time.sleep(0.2)
        return False

    def _more(self) -> bool:
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        self._buffer += data
        return bool(data)


def ask(port: int, request: bytes) -> Answer:
    """One request on a connection of its own."""
    with Connection(port) as connection:
        connection.send(request)
        return connection.answer()
