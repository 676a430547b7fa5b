"""What a task says when there is nobody to ask, or nobody to write to."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from pydantic import SecretStr

from devstack.ports import free_ports
from services.notifier.documents.typeset import Typesetter
from services.notifier.domain.mailing import on_mail_refused
from services.notifier.domain.results import MailRefused
from services.notifier.links import Links
from services.notifier.mail.compose import Composer
from services.notifier.mail.smtp import Server
from services.notifier.performers import SendMail, SetDocument
from services.notifier.reads import Posting
from shared.database import new_engine
from shared.settings import DatabaseSettings
from shared.tasks import Answered, ClaimedTask, Later
from tests.unit.notifier.examples import EMPTY, NOW, SHOP, dispute_opened, play, rendered, the_mail

(NOBODY_THERE,) = free_ports(1)
ENGINE = new_engine(
    DatabaseSettings(url=SecretStr(f"postgresql+asyncpg://notifier_app@127.0.0.1:{NOBODY_THERE}/x")),
    "notifier",
)
THREADS = ThreadPoolExecutor(1)
MAILS = SendMail(
    ENGINE,
    SHOP,
    Composer("receipts@shop.test"),
    Server("127.0.0.1", NOBODY_THERE),
    Links("https://pay.test", ["k" * 32], timedelta(days=1)),
    THREADS,
)
DOCUMENTS = SetDocument(ENGINE, SHOP, Typesetter(), THREADS)


async def test_a_try_that_the_database_kept_from_beginning_is_none() -> None:
    """However long it is away, no mail is given up and no document is called impossible."""
    for performer in (MAILS, DOCUMENTS):
        said = await performer(ClaimedTask(1, "any", "any", "order-1", b"any", claims=20))
        assert isinstance(said, Later)
        assert said.unbegun


async def test_a_mail_whose_customer_was_erased_while_it_waited_goes_to_nobody() -> None:
    """A try that was under way may have put it back into the queue after it was taken out."""
    before = rendered()
    mail = replace(the_mail(before), recipient="", state="deferred")
    said = await MAILS.send(Posting("order-1", mail))
    assert isinstance(said, Answered)
    assert isinstance(said.message, MailRefused)
    decision = on_mail_refused(before.with_mail(mail), said.message, NOW)
    assert (the_mail(decision.state).state, decision.tasks) == ("parked", ())


async def test_a_server_that_is_away_is_no_fault_of_the_mail() -> None:
    order, _ = play(dispute_opened(), order=EMPTY)
    (dispute,) = order.disputes.values()
    said = await MAILS.send(Posting("order-1", the_mail(order, "dispute"), dispute=dispute))
    assert isinstance(said, Answered)
    assert not isinstance(said.message, MailRefused)
