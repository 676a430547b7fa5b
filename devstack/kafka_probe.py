"""The smallest client: asks a broker, in Kafka's own protocol, who is in the cluster."""

import socket
import struct

_METADATA = 3
_VERSION = 1  # the oldest that Kafka 4 speaks and that tells the controller
_NONE = -1


def brokers_in_service(host: str, port: int, timeout_s: float = 1.0) -> int:
    """How many brokers take requests in the cluster that this one belongs to.

    0 while it has no controller, does not listen or does not answer.
    """
    client = b"probe"
    no_topics = struct.pack(">i", 0)
    header = struct.pack(">hhih", _METADATA, _VERSION, 1, len(client)) + client
    request = header + no_topics
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(struct.pack(">i", len(request)) + request)
            (length,) = struct.unpack(">i", _read(connection, 4))
            return _count(_read(connection, length))
    except (OSError, struct.error):
        return 0


def _read(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            raise OSError("the broker closed the connection")
        data += more
    return data


def _count(answer: bytes) -> int:
    """Reads ``correlation, [node, host, port, rack], controller``."""
    position = 4
    brokers = int(struct.unpack_from(">i", answer, position)[0])
    position += 4
    for _ in range(brokers):
        position += 4
        position += _text_size(answer, position) + 4
        position += _text_size(answer, position)
    (controller,) = struct.unpack_from(">i", answer, position)
    return brokers if controller != _NONE else 0


def _text_size(answer: bytes, position: int) -> int:
    length = int(struct.unpack_from(">h", answer, position)[0])
    return 2 + max(length, 0)  # -1 stands for no text
