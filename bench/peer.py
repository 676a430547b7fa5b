"""A plain payment backend as many would write it today: FastAPI and SQLAlchemy, one transaction a webhook.

It does the same database work for a webhook (verify the signature, keep the raw message, lock and update
the payment, insert an event row) and answers when that is committed. It publishes nothing, and it knows
neither dedupe across bodies, nor batches, nor unknown outcomes. `python -m bench.peer PORT WORKERS`.
"""

import hashlib
import hmac
import os
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import httpx
import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel
from sqlalchemy import BigInteger, DateTime, ForeignKey, LargeBinary, String, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Payment(Base):
    __tablename__ = "payments"

    order_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    provider_order_id: Mapped[str | None] = mapped_column(String(40), unique=True)
    payment_id: Mapped[str | None] = mapped_column(String(40))
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[str] = mapped_column(String(30))
    version: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Attempt(Base):
    __tablename__ = "payment_attempts"

    idempotency_key: Mapped[str] = mapped_column(String(40), primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("payments.order_id"), index=True)
    provider_order_id: Mapped[str | None] = mapped_column(String(40))
    status: Mapped[str] = mapped_column(String(30))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class WebhookEvent(Base):
    __tablename__ = "webhook_events"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class PaymentEvent(Base):
    __tablename__ = "payment_events"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    order_id: Mapped[str] = mapped_column(ForeignKey("payments.order_id"), index=True)
    type: Mapped[str] = mapped_column(String(60))
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class PaymentEntity(BaseModel):
    id: str
    order_id: str
    amount: int
    currency: str
    status: str


class PaymentBox(BaseModel):
    entity: PaymentEntity


class Payload(BaseModel):
    payment: PaymentBox


class Event(BaseModel):
    event: str
    account_id: str
    payload: Payload


class CreateOrder(BaseModel):
    orderId: str  # noqa: N815 - the wire's name


engine = create_async_engine(os.environ["PEER_DATABASE_URL"], pool_size=16, max_overflow=0)
sessions = async_sessionmaker(engine, expire_on_commit=False)
SECRET = os.environ["PEER_WEBHOOK_SECRET"].encode()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.http = httpx.AsyncClient(
        base_url=os.environ["PEER_PROVIDER_URL"], auth=("rzp_test_peer", "a secret"), timeout=8
    )
    yield
    await app.state.http.aclose()
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


async def new_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(new_session)]


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/api/payments/webhook/razorpay")
async def webhook(request: Request, session: Session) -> dict[str, str]:
    body = await request.body()
    expected = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("x-razorpay-signature", "")):
        raise HTTPException(400, "bad signature")
    event = Event.model_validate_json(body)
    charge = event.payload.payment.entity
    now = datetime.now(UTC)
    async with session.begin():
        kept = await session.execute(
            insert(WebhookEvent)
            .values(id=hashlib.sha256(body).hexdigest(), body=body, received_at=now)
            .on_conflict_do_nothing()
            .returning(WebhookEvent.id)
        )
        if kept.scalar_one_or_none() is None:
            return {"status": "duplicate"}
        payment = (
            await session.execute(
                select(Payment).where(Payment.provider_order_id == charge.order_id).with_for_update()
            )
        ).scalar_one_or_none()
        if payment is None or (payment.amount, payment.currency) != (charge.amount, charge.currency):
            return {"status": "ignored"}
        if payment.status != "paid" and charge.status == "captured":
            payment.status = "paid"
            payment.payment_id = charge.id
            payment.version += 1
            payment.updated_at = now
            session.add(
                PaymentEvent(order_id=payment.order_id, type="paid", payload=shown(payment), created_at=now)
            )
    return {"status": "accepted"}


@app.post("/api/payments/create-order")
async def create_order(wanted: CreateOrder, request: Request, session: Session) -> dict[str, Any]:
    attempt = Attempt(
        idempotency_key=uuid.uuid4().hex,
        order_id=wanted.orderId,
        status="opening",
        created_at=datetime.now(UTC),
    )
    async with session.begin():
        payment = await session.get(Payment, wanted.orderId, with_for_update=True)
        if payment is None:
            raise HTTPException(404, "no such order")
        session.add(attempt)
    answer = await request.app.state.http.post(
        "/v1/orders",
        json={"amount": payment.amount, "currency": payment.currency, "receipt": attempt.idempotency_key},
    )
    answer.raise_for_status()
    async with session.begin():
        attempt.provider_order_id = answer.json()["id"]
        attempt.status = "open"
        payment.provider_order_id = attempt.provider_order_id
        payment.status = "pending_payment"
        payment.version += 1
        session.add(
            PaymentEvent(
                order_id=payment.order_id,
                type="pending",
                payload=shown(payment),
                created_at=datetime.now(UTC),
            )
        )
    return {"providerOrderId": attempt.provider_order_id, **shown(payment)}


def shown(payment: Payment) -> dict[str, Any]:
    return {
        "order_id": payment.order_id,
        "provider_order_id": payment.provider_order_id,
        "payment_id": payment.payment_id,
        "amount": payment.amount,
        "currency": payment.currency,
        "status": payment.status,
        "version": payment.version,
        "updated_at": payment.updated_at.isoformat(),
    }


if __name__ == "__main__":
    uvicorn.run(
        "bench.peer:app",
        host="127.0.0.1",
        port=int(sys.argv[1]),
        workers=int(sys.argv[2]),
        access_log=False,
        log_level="warning",
        timeout_keep_alive=65,
    )
