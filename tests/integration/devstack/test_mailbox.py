"""The mailbox: keeps what it took byte for byte, shows it safely, misbehaves as told."""

import json
import smtplib
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from http.client import HTTPConnection
from pathlib import Path

import pytest

from devstack.ports import HOST, free_ports
from devstack.process import Process, wait_until
from devstack.readiness import get
from devstack.services import ROOT, inherited_env

PDF = b"%PDF-1.7\n\x00\xff receipt"


class Box:
    """A running mailbox, as a client sees it."""

    def __init__(self, folder: Path) -> None:
        self.page, self.smtp = free_ports(2)
        command = [sys.executable, "-m", "devstack.mailbox", "--port", str(self.page)]
        command += ["--smtp-port", str(self.smtp), "--data-dir", str(folder)]
        self.process = Process("mailbox", command, folder.parent / "mailbox.log", inherited_env(), ROOT)

    def start(self) -> None:
        self.process.start()
        wait_until(
            lambda: get(self.page, "/health")[0] == 200, what="mailbox", timeout_s=60, process=self.process
        )

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, str, bytes]:
        connection = HTTPConnection(HOST, self.page, timeout=10)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Security-Policy", ""), answer.read()
        finally:
            connection.close()

    def messages(self, query: str = "") -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(self.ask("GET", f"/api/messages{query}")[2])
        return found

    def behave(self, **behaviour: object) -> None:
        status, _, body = self.ask("PUT", "/api/behaviour", behaviour)
        assert status == 200, body

    def shown(self) -> dict[str, int]:
        shown: dict[str, int] = json.loads(self.ask("GET", "/api/behaviour")[2])["shown"]
        return shown

    def send(self, recipient: str = "asha@example.com", subject: str = "Your receipt") -> EmailMessage:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "shop@example.com", recipient, subject
        message.set_content("Thank you – ₹499.00")
        message.add_alternative("<p>Thank you</p><script>alert(1)</script>", subtype="html")
        message.add_attachment(PDF, maintype="application", subtype="pdf", filename="receipt.pdf")
        with smtplib.SMTP(HOST, self.smtp, timeout=10) as client:
            client.send_message(message)
        return message


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    box = Box(tmp_path_factory.mktemp("mailbox") / "mail")
    box.start()
    yield box
    box.process.kill()


@pytest.fixture
def box(running: Box) -> Box:
    running.behave()
    running.ask("DELETE", "/api/messages")
    return running


def test_a_mail_is_listed_with_its_parts(box: Box) -> None:
    box.send()
    (entry,) = box.messages()
    assert entry["recipients"] == ["asha@example.com"]
    assert entry["subject"] == "Your receipt"
    (attachment,) = json.loads(box.ask("GET", f"/api/messages/{entry['id']}")[2])["attachments"]
    status, _, content = box.ask("GET", f"/messages/{entry['id']}/parts/{attachment['part']}")
    assert (status, content) == (200, PDF)
    assert box.messages("?to=someone@example.com") == []


def test_pages_show_a_mail_and_run_none_of_it(box: Box) -> None:
    box.send(subject="<b>bold</b>")
    (entry,) = box.messages()
    listing = box.ask("GET", "/")[2]
    assert b"&lt;b&gt;bold&lt;/b&gt;" in listing
    page = box.ask("GET", f"/messages/{entry['id']}")[2]
    assert b"<iframe sandbox" in page
    _, policy, _ = box.ask("GET", f"/messages/{entry['id']}/html")
    assert policy.startswith("sandbox; default-src 'none'")


def test_mail_is_still_there_after_sigkill(box: Box) -> None:
    box.send()
    before = box.messages()
    box.process.kill()
    box.start()
    assert box.messages() == before
    box.send()
    assert len(box.messages()) == 2


@pytest.mark.parametrize("code", [451, 550])
@pytest.mark.parametrize("stage", ["rcpt", "data"])
def test_one_address_is_refused_and_others_are_not(box: Box, code: int, stage: str) -> None:
    box.behave(refuse=[{"address": "bad@example.com", "code": code, "stage": stage}])
    with pytest.raises((smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError), match=str(code)):
        box.send("bad@example.com")
    box.send("good@example.com")
    assert [entry["recipients"] for entry in box.messages()] == [["good@example.com"]]
    assert box.shown()["refused"] == 1


def test_a_refusal_may_end_after_some_times(box: Box) -> None:
    box.behave(refuse=[{"code": 421, "times": 2}])
    for _ in range(2):
        with pytest.raises(smtplib.SMTPException):
            box.send()
    box.send()
    assert len(box.messages()) == 1


def test_a_connection_is_cut_after_so_many_bytes(box: Box) -> None:
    box.behave(cut_after_bytes=300)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        box.send()
    assert box.messages() == []
    assert box.shown()["cut"] == 1


def test_an_answer_is_lost_after_the_mail_was_kept(box: Box) -> None:
    box.behave(lose_answers=True)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        box.send()
    assert len(box.messages()) == 1
    assert box.shown()["answers_lost"] == 1


def test_a_slow_server_answers_late(box: Box) -> None:
    box.behave(delay_s=30)
    with (
        pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"),
        smtplib.SMTP(HOST, box.smtp, timeout=1) as client,
    ):
        client.sendmail("shop@example.com", ["asha@example.com"], b"Subject: slow\r\n\r\nhello")
    assert box.shown()["delayed"] == 1


def test_a_behaviour_that_does_not_exist_is_refused(box: Box) -> None:
    assert box.ask("PUT", "/api/behaviour", {"refuse": [{"code": 250}]})[0] == 400
    assert box.ask("PUT", "/api/behaviour", {"be_nasty": True})[0] == 400
