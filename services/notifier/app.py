"""The composition root: three loops, three kinds of task, one small HTTP application."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.utils import parseaddr
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import structlog
from prometheus_client import Gauge

from services.notifier.documents.reader import Languages, languages_with
from services.notifier.documents.shop import Shop
from services.notifier.documents.typeset import Typesetter
from services.notifier.documents.words import BadWords
from services.notifier.domain.issuing import Rules
from services.notifier.domain.state import Issues, Order
from services.notifier.gathering import Gatherer
from services.notifier.handlers import COMMANDS, ORDERS, PAYMENTS, decider
from services.notifier.http import DocumentsApp
from services.notifier.links import Links
from services.notifier.mail.compose import Composer
from services.notifier.mail.smtp import Server
from services.notifier.performers import SendMail, SetDocument, remind
from services.notifier.personal import MARK, PLACES, addresses
from services.notifier.reads import unsettled
from services.notifier.samples import samples
from services.notifier.settings import NotifierSettings
from services.notifier.store import OrderStore
from services.notifier.tryout import BadTemplates, written
from shared.apply import Applier
from shared.consume import Loop
from shared.database import AWAY
from shared.decision import Answer
from shared.envelope import Envelope, new_id, now_utc
from shared.inbox import Incoming
from shared.kafka import NOTIFIER_COMMANDS, ORDERS_EVENTS, PAYMENTS_EVENTS, PRIVACY_COMMANDS, Topic
from shared.messages.base import Catalogue, Message
from shared.preflight import Unfit
from shared.privacy.eraser import Eraser
from shared.service import Kit
from shared.tasks import CALL_MARGIN_S, ClaimedTask, Tasks

log = structlog.get_logger()

MIGRATIONS = Path(__file__).parent / "migrations"
COUNTED_EVERY_S = 15.0
SMTP_SHARE = 0.8  # of the time that a task's lease leaves: every end of a try is recorded by who saw it
REMINDERS_AT_ONCE = 4  # each is a moment's work
WAITING_PER_THREAD = 4  # so that a thread finds the next document while results are written
UNSETTLED = Gauge(
    "paystream_notifier_unsettled", "Orders without content, documents not made, mails not sent", ["what"]
)


def build(settings: NotifierSettings) -> Kit:
    """The whole service, from its settings."""
    kit = Kit("notifier", settings, MIGRATIONS)
    kit.uses = (ORDERS_EVENTS, PAYMENTS_EVENTS, PRIVACY_COMMANDS)
    decide = decider(_rules(settings))
    store = OrderStore()
    eraser = Eraser(kit, PLACES, MARK, addresses)

    def applier(consumer: str) -> Applier[Order]:
        return Applier(
            consumer=consumer,
            source="notifier",
            engine=kit.engine,
            store=store,
            decide=decide,
            clock=now_utc,
            committed=kit.wake,
            reply=_no_replies,
            publishes_here=lambda: kit.relay.leads,
            screen=eraser.screen,
        )

    def loop(topic: Topic, catalogue: Catalogue, *, commands: bool = False) -> Loop[Order]:
        return Loop(topic, applier(f"notifier.{topic.name}"), catalogue, kit.health, commands=commands)

    kit.loops = [
        loop(ORDERS_EVENTS, ORDERS),
        loop(PAYMENTS_EVENTS, PAYMENTS),
        loop(NOTIFIER_COMMANDS, COMMANDS, commands=True),
        eraser.loop,
    ]
    links = _links(settings)
    kit.tasks = _tasks(kit, settings, links, applier("notifier.tasks"), eraser)
    kit.apps = [(DocumentsApp(kit.engine, links), settings.http.host, settings.http.port)]
    kit.background.append(lambda: _count(kit))
    return kit


def _shop(settings: NotifierSettings) -> Shop:
    shop = settings.shop
    return Shop(
        name=shop.name,
        zone=ZoneInfo(shop.timezone),
        languages=_languages(settings.templates),
        address=shop.address,
        email=shop.email,
        website=shop.website,
        tax_id=shop.tax_id,
        accent=shop.accent,
        locale=shop.locale,
    )


def _languages(folder: Path | None) -> Languages:
    try:
        return languages_with(folder)
    except BadWords as error:
        raise Unfit(f"NOTIFIER_TEMPLATES: {error}") from error


def _rules(settings: NotifierSettings) -> Rules:
    documents = settings.documents
    month, _, day = documents.year_starts.partition("-")
    automatic: Issues = "invoice" if settings.shop.tax_id else "receipt"
    return Rules(
        zone=ZoneInfo(settings.shop.timezone),
        mail_domain=parseaddr(settings.smtp.sender)[1].rpartition("@")[2] or "localhost",
        issues=automatic if documents.issue == "auto" else documents.issue,
        series={
            "receipt": documents.series,
            "invoice": documents.series,
            "credit_note": documents.credit_series,
            "cancellation": documents.cancellation_series,
        },
        year_starts=(int(month), int(day)),
        merchant_email=settings.merchant_email,
        time_scale=settings.time_scale,
    )


def _links(settings: NotifierSettings) -> Links:
    documents = settings.documents
    return Links(
        base_url=documents.link_base or f"http://{settings.http.host}:{settings.http.port}",
        keys=[key.get_secret_value() for key in documents.signing_keys],
        valid_for=timedelta(seconds=documents.link_valid_s / settings.time_scale),
    )


def _tasks(
    kit: Kit, settings: NotifierSettings, links: Links, applier: Applier[Order], eraser: Eraser
) -> Tasks:
    smtp, documents = settings.smtp, settings.documents
    shop = _shop(settings)
    threads = ThreadPoolExecutor(documents.typesetters, "typeset")
    typesetter = Typesetter(documents.fonts, settings.templates)
    composer = Composer(smtp.sender, smtp.reply_to, settings.templates)
    if settings.templates is not None:
        _try_out(composer, typesetter, shop)
    set_document = SetDocument(kit.engine, shop, typesetter, threads)
    server = Server(
        host=smtp.host,
        port=smtp.port,
        security=smtp.security,
        username=smtp.username,
        password=smtp.password.get_secret_value(),
        ca_file=smtp.ca_file,
        total_timeout_s=SMTP_SHARE * (settings.lease_s - CALL_MARGIN_S),
    )
    send_mail = SendMail(kit.engine, shop, composer, server, links, threads)
    gather = Gatherer(applier.apply_results)
    slots = {
        "typeset": documents.typesetters * WAITING_PER_THREAD,
        "mail": smtp.connections,
        "remind": REMINDERS_AT_ONCE,
    } | eraser.slots
    return Tasks(
        kit.engine,
        kit.owner,
        {"typeset": set_document, "mail": send_mail, "remind": remind, **eraser.performers},
        eraser.applying(lambda task, message: gather(_result(task, message))),
        slots,
        settings.lease_s,
        telling_max=sum(slots.values()),
    )


def _try_out(composer: Composer, typesetter: Typesetter, shop: Shop) -> None:
    """The shop's own templates work on every kind of mail, or the service does not start."""
    try:
        for sample in samples(shop):
            written(sample, composer, typesetter)
    except BadTemplates as error:
        raise Unfit(f"NOTIFIER_TEMPLATES: {error}") from error


def _result(task: ClaimedTask, message: Message) -> Incoming:
    """The result of a task, as a message for the decider."""
    envelope = Envelope(
        id=new_id(),
        type=message.TYPE,
        source="notifier",
        subject=task.subject,
        time=now_utc(),
        data=msgspec.Raw(b"{}"),
    )
    return Incoming(envelope.id, envelope, message, b"", task_id=task.id)


def _no_replies(replies: Sequence[Answer]) -> None:
    """Nobody sends the notifier commands that are answered."""


async def _count(kit: Kit, pause_s: float = COUNTED_EVERY_S) -> None:
    """Keeps the metrics of what is not settled."""
    while True:
        try:
            async with kit.engine.connect() as connection:
                for what, number in (await unsettled(connection)).items():
                    UNSETTLED.labels(what).set(number)
        except AWAY as error:
            log.warning("what is not settled was not counted", error=repr(error)[:200])
        await asyncio.sleep(pause_s)
