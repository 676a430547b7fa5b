"""What each way in which a mail server can behave means for a mail: over real sockets."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devstack.ports import free_ports
from services.notifier.mail.smtp import Outcome, Server, hand_over
from tests.integration.notifier.sink import Sink

SENDER, RECIPIENT = "receipts@shop.test", "asha@buyer.test"
MESSAGE = b"Subject: hello\r\nMessage-ID: <1@shop.test>\r\n\r\n.a line that begins with a dot\r\n"


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    sink = Sink(free_ports(1)[0])
    await sink.open()
    yield sink
    await sink.close()


async def send(sink: Sink, **settings: Any) -> Outcome:
    quick = Server("127.0.0.1", sink.port, connect_timeout_s=2, step_timeout_s=0.5, total_timeout_s=3)
    return await hand_over(replace(quick, **settings), SENDER, RECIPIENT, MESSAGE)


async def test_a_mail_is_taken_as_it_was_written(sink: Sink) -> None:
    outcome = await send(sink)
    assert outcome == Outcome("taken", "250 taken as number 1")
    (mail,) = sink.taken
    assert (mail.sender, mail.recipient) == (SENDER, RECIPIENT)
    assert mail.message.get_content() == ".a line that begins with a dot\r\n"


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("550 5.1.1 no such user", "refused"),
        ("450 4.2.0 greylisted", "later"),
        ("421 closing", "away"),
        ("530 5.7.0 authentication required", "away"),
        ("554 5.7.1 Relay access denied", "later"),
        ("550 5.7.1 Unable to relay", "later"),
        ("550 5.1.1 <relay@buyer.test> unknown at relay-1.buyer.test", "refused"),
    ],
)
async def test_an_answer_to_the_recipient_concerns_this_mail(sink: Sink, answer: str, verdict: str) -> None:
    sink.rcpt_answers[RECIPIENT] = [answer]
    assert (await send(sink)).verdict == verdict
    assert (await send(sink)).verdict == "taken"


@pytest.mark.parametrize(("answer", "verdict"), [("554 5.7.1 spam", "refused"), ("452 4.3.1 full", "later")])
async def test_an_answer_to_the_text_concerns_this_mail(sink: Sink, answer: str, verdict: str) -> None:
    sink.data_answers = [answer]
    assert (await send(sink)).verdict == verdict
    assert sink.taken == []


@pytest.mark.parametrize("answer", ["550 5.7.1 sender not allowed", "451 4.3.0 try later"])
async def test_an_answer_to_the_sender_concerns_every_mail(sink: Sink, answer: str) -> None:
    sink.sender_answers = [answer]
    assert (await send(sink)).verdict == "away"


async def test_a_server_that_is_not_there_is_away(sink: Sink) -> None:
    await sink.close()
    assert (await send(sink)).verdict == "away"


async def test_a_connection_that_ends_before_the_answer_is_unclear(sink: Sink) -> None:
    sink.cut_after_data = 1
    assert (await send(sink)).verdict == "unclear"
    assert len(sink.taken) == 1


async def test_an_answer_that_does_not_come_is_unclear(sink: Sink) -> None:
    sink.silent = True
    assert (await send(sink)).verdict == "unclear"


async def test_the_answer_is_kept_without_the_address(sink: Sink) -> None:
    sink.rcpt_answers[RECIPIENT] = [f"550 <{RECIPIENT.upper()}> is unknown, as is {RECIPIENT}"]
    assert (await send(sink)).answer == "550 <<address>> is unknown, as is <address>"


async def test_authorities_that_cannot_be_read_any_more_are_our_fault(sink: Sink) -> None:
    outcome = await send(sink, security="starttls", ca_file="/nowhere/ca.pem")
    assert outcome.verdict == "away"


async def test_log_in_that_the_server_does_not_offer_is_away(sink: Sink) -> None:
    outcome = await send(sink, username="shop", password="secret of the test")
    assert outcome.verdict == "away"
    assert "secret" not in outcome.answer


async def test_starttls_is_never_skipped(sink: Sink) -> None:
    assert (await send(sink, security="starttls")).verdict == "away"
    assert sink.tries == 0


async def test_mail_travels_inside_tls_to_a_server_that_is_known(certificate: tuple[Path, Path]) -> None:
    chain, key = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    sink = Sink(free_ports(1)[0], options={"tls_context": context, "require_starttls": True})
    await sink.open()
    try:
        known = await send(sink, host="localhost", security="starttls", ca_file=str(chain))
        stranger = await send(sink, host="localhost", security="starttls")
    finally:
        await sink.close()
    assert known.verdict == "taken"
    assert stranger.verdict == "away"
    assert len(sink.taken) == 1
