"""What no client library would send: the server answers within its limits and hangs up."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.http.raw import Connection, ask
from tests.integration.gateway.system import System

HOST = b"Host: 127.0.0.1\r\n"
POST = b"POST /api/orders HTTP/1.1\r\n" + HOST
WEBHOOK = b"POST /api/payments/webhook/razorpay HTTP/1.1\r\n" + HOST


def port_of(system: System) -> int:
    return system.gateway.port


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (POST + b"Content-Length: -1\r\n\r\n", 400, "malformed-http"),
        (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", 400, "malformed-http"),
        (POST + b"Content-Length: x\r\n\r\n", 400, "malformed-http"),
        (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "malformed-http"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n", 400, "malformed-http"),
        (POST + b"Transfer-Encoding: gzip, chunked, x\r\n\r\n", 400, "malformed-http"),
        (b"GET /api/payments HTTP/1.1\nHost: 127.0.0.1\n\n", 400, "malformed-http"),
        (b"GET /api/payments HTTP/1.1\r\n" + HOST + b"X-A: 1\r\n folded\r\n\r\n", 400, "malformed-http"),
        (b"GET /api/payments HTTP/1.1\r\n" + HOST + b"X A: 1\r\n\r\n", 400, "malformed-http"),
        (b"GET /api/payments HTTP/1.1\r\n" + HOST + b"X-A: a\0b\r\n\r\n", 400, "malformed-http"),
        (b"GET /api/payments HTTP/9.9\r\n" + HOST + b"\r\n", 400, "malformed-http"),
        (b"GET /\xff\xfe HTTP/1.1\r\n" + HOST + b"\r\n", 400, "malformed-http"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "malformed-http"),
        (b"GET /api/payments HTTP/1.1\r\n\r\n", 400, "bad-host"),
        (b"GET /api/payments HTTP/1.0\r\n\r\n", 400, "bad-host"),
        (b"GET /api/payments HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400, "bad-host"),
        (b"GET /api/payments HTTP/1.1\r\n" + HOST + b"Host: evil.test\r\n\r\n", 400, "bad-host"),
        (b"GET /api/payments HTTP/1.1\r\nHost: evil.test\r\n\r\n", 421, "misdirected"),
        (b"GET /api/payments HTTP/1.1\r\nHost: 127.0.0.1.evil.test\r\n\r\n", 421, "misdirected"),
        (
            b"GET /api/payments HTTP/1.1\r\nHost: evil.test\r\nX-Forwarded-Host: 127.0.0.1\r\n\r\n",
            421,
            "misdirected",
        ),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414, "uri-too-long"),
        (b"GET /?" + b"a" * 9_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414, "uri-too-long"),
        (
            b"GET / HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 100_000 + b"\r\n\r\n",
            431,
            "headers-too-large",
        ),
        (b"GET / HTTP/1.1\r\n" + HOST + b"a: b\r\n" * 2_000 + b"\r\n", 431, "headers-too-large"),
        (b"TRACE /api/orders HTTP/1.1\r\n" + HOST + b"\r\n", 405, "method-not-allowed"),
        (b"GET /api/orders HTTP/1.0\r\n" + HOST + b"\r\n", 405, "method-not-allowed"),
        (b"GET //api//payments HTTP/1.1\r\n" + HOST + b"\r\n", 404, "not-found"),
        (b"GET /api/../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n", 404, "not-found"),
        (b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n", 404, "not-found"),
        (b"GET /api/%00 HTTP/1.1\r\n" + HOST + b"\r\n", 404, "not-found"),
        (b"GET /static/..%2f..%2fsettings.py HTTP/1.1\r\n" + HOST + b"\r\n", 404, "not-found"),
        (b"POST /api/payments/webhook/..%2frazorpay HTTP/1.1\r\n" + HOST + b"\r\n", 404, "not-found"),
    ],
)
def test_bad_request_gets_its_answer_and_leaves_nothing(
    system: System, request_bytes: bytes, status: int, code: str
) -> None:
    before = system.stored()
    answer = ask(port_of(system), request_bytes)
    assert (answer.status, answer.code) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.seconds < 5.0
    assert "server" not in answer.headers
    assert system.stored() == before


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"CONNECT evil.test:443 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET http://evil.test/api/payments HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /api/payments HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"GET /api/payments HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_other_protocols_are_refused(system: System, request_bytes: bytes) -> None:
    answer = ask(port_of(system), request_bytes)
    assert 400 <= answer.status < 500, answer
    assert answer.seconds < 5.0


def test_body_longer_than_taken_is_a_413_that_the_client_can_read(system: System) -> None:
    for size in (64 * 1024 + 1, 3_000_000):
        headers = POST + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % size
        answer = ask(port_of(system), headers + b"a" * size)
        assert (answer.status, answer.code) == (413, "body-too-large")


def test_endless_body_is_cut_off(system: System) -> None:
    with Connection(port_of(system)) as connection:
        connection.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
        for _ in range(400):  # 26 MB
            connection.send(chunk)
        assert connection.answer().status in (413, 0)
        assert connection.hangs_up()


def test_chunked_body_and_http_1_0_are_understood(system: System) -> None:
    chunked = (
        POST + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    )
    assert ask(port_of(system), chunked).code == "unauthorized"
    old = b"POST /api/orders HTTP/1.0\r\n" + HOST + b"Content-Length: 2\r\n\r\n{}"
    answer = ask(port_of(system), old)
    assert answer.code == "unauthorized"


def test_expect_continue_is_answered(system: System) -> None:
    with Connection(port_of(system)) as connection:
        connection.send(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert connection.answer().status == 100
        connection.send(b"{}")
        assert connection.answer().status == 401


def test_pipelined_requests_get_their_answers_in_order(system: System) -> None:
    one = b"GET /api/payments/order-1 HTTP/1.1\r\n" + HOST + b"\r\n"
    two = b"GET /nowhere HTTP/1.1\r\n" + HOST + b"\r\n"
    with Connection(port_of(system)) as connection:
        connection.send(one + two + one)
        assert [connection.answer().status for _ in range(3)] == [401, 404, 401]


class Slowly:
    """Sends the rest of a request byte by byte, until told to stop."""

    def __init__(self, connection: Connection, data: bytes, pause_s: float = 0.5) -> None:
        self._connection, self._data, self._pause_s = connection, data, pause_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _send(self) -> None:
        for byte in self._data:
            self._connection.send(bytes([byte]))
            if self._stop.wait(self._pause_s):
                return


STALLS = {
    "silence": (b"", b"", 0),
    "half a line": (b"GE", b"", 408),
    "slow headers": (b"GET / HTTP/1.1\r\n" + HOST, b"X-A: " + b"a" * 1000, 408),
    "stalled body": (POST + b"Content-Length: 1000\r\n\r\n{", b"", 408),
    "slow body": (POST + b"Content-Length: 1000\r\n\r\n{", b" " * 1000, 408),
    "slow chunks": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n" * 200, 408),
    "slow webhook": (WEBHOOK + b"Content-Length: 1000\r\n\r\n{", b" " * 1000, 408),
    "no body for a framework's 404": (b"PUT /x HTTP/1.1\r\n" + HOST + b"Content-Length: 9\r\n\r\n", b"", 408),
}


def test_stalled_requests_are_ended_within_15_s(system: System) -> None:
    def stall(at_once: bytes, slowly: bytes, status: int) -> tuple[bool, bool]:
        with Connection(port_of(system)) as connection:
            connection.send(at_once)
            with Slowly(connection, slowly):
                return connection.answer().status == status, connection.hangs_up()

    began = time.monotonic()
    with ThreadPoolExecutor(len(STALLS)) as pool:
        ended = dict(zip(STALLS, pool.map(lambda s: stall(*s), STALLS.values()), strict=True))
    assert ended == dict.fromkeys(STALLS, (True, True))
    assert time.monotonic() - began < 15


def test_client_that_reads_nothing_is_cut_off(system: System) -> None:
    """No memory grows behind a reader that stopped."""
    request = b"GET /schema/openapi.json HTTP/1.1\r\n" + HOST + b"\r\n"
    with Connection(port_of(system), timeout_s=25, receive_buffer=4096) as connection:
        connection.socket.sendall(request * 1000)
        assert connection.is_cut_off_within(20)


def test_idle_connection_after_an_answer_is_kept_for_the_proxy(system: System) -> None:
    with Connection(port_of(system), timeout_s=3) as connection:
        connection.send(b"GET /nowhere HTTP/1.1\r\n" + HOST + b"\r\n")
        assert connection.answer().status == 404
        assert not connection.hangs_up()
