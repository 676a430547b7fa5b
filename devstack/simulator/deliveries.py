"""Webhooks on their way: signed bodies, first tries in order, retries with backoff, every try kept.

Delivery is at least once, as the providers promise: a try whose answer was not recorded is made
again after a restart.
"""

import asyncio
import time
from collections import deque
from collections.abc import Coroutine

import aiohttp
import msgspec

from devstack.simulator.agenda import Agenda
from devstack.simulator.clock import Clock
from devstack.simulator.faults import corrupted, draw
from devstack.simulator.ledger import Entry, Ledger
from devstack.simulator.misbehaviour import COMMON, Misbehaviour, WebhookPlan
from devstack.simulator.webhooks import Delivery, DeliveryState, Endpoint, Letter, Policy, Try, Webhook

SENDS_AT_ONCE_MAX = 32  # as many sockets as a small receiver still answers quickly


class Deliveries:
    """Sends what is in the ledger, in the order of each subject, until it is taken or given up."""

    def __init__(
        self, ledger: Ledger, clock: Clock, agenda: Agenda, misbehaviour: Misbehaviour, seed: int
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._misbehaviour = misbehaviour
        self._seed = seed
        self._policies: dict[str, Policy] = {}
        self.webhooks = ledger.table(COMMON, "webhook", Webhook)
        self.deliveries = ledger.table(COMMON, "delivery", Delivery)
        self.endpoints = ledger.table(COMMON, "endpoint", Endpoint)
        self._lanes: dict[str, deque[str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(SENDS_AT_ONCE_MAX)
        self._session: aiohttp.ClientSession | None = None
        agenda.watch(self.deliveries, lambda row: row.due_at, self._on_due)

    def policy(self, provider: str, policy: Policy) -> None:
        self._policies[provider] = policy

    def recount(self) -> None:
        """After a restart, draws go on where they were."""
        for webhook in self.webhooks:
            if webhook.created_at >= self._misbehaviour.set_at:
                self._misbehaviour.remember(f"webhook {webhook.event}", webhook.identity)

    async def start(self) -> None:
        # A connection for each try: a kept one may be closed by the receiver just as it is used,
        # and the try would count as failed.
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        self._session = aiohttp.ClientSession(connector=connector)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def send(self, entry: Entry, letter: Letter, *, plain: bool = False) -> None:
        """Puts a webhook on its way, with the faults that were asked for unless `plain`."""
        now = self._clock.now()
        disabled = self._disabled(letter.provider)
        plan = WebhookPlan()
        if not plain and not disabled:
            plan = self._misbehaviour.for_webhook(entry, letter.event, letter.identity, letter.subject)
        webhook = Webhook(
            id=letter.id,
            provider=letter.provider,
            event=letter.event,
            url=letter.url,
            body=letter.body,
            headers=letter.sign(plan.secret),
            subject=letter.subject,
            identity=letter.identity,
            created_at=now,
            secret=plan.secret,
        )
        entry.put(self.webhooks, webhook)
        state: DeliveryState = "pending"
        if disabled or plan.drop:
            state = "endpoint_disabled" if disabled else "dropped"
        delivery = Delivery(
            id=webhook.id,
            state=state,
            due_at=now + plan.delay_s if state == "pending" else None,
            in_lane=not plan.overtaken,
            copies=plan.copies,
            corrupt=plan.corrupt,
        )
        entry.put(self.deliveries, delivery)

    def resend(self, webhook_id: str) -> None:
        """Sends a webhook again as it was, whatever became of it before."""
        with self._ledger.entry("resend webhook") as entry:
            delivery = msgspec.structs.replace(
                self.deliveries[webhook_id],
                state="pending",
                due_at=self._clock.now(),
                in_lane=False,
                copies=1,
                corrupt=False,
            )
            entry.put(self.deliveries, delivery)

    def enable(self, provider: str) -> None:
        """What a person does in the provider's dashboard after the endpoint was disabled."""
        with self._ledger.entry("enable endpoint") as entry:
            entry.put(self.endpoints, Endpoint(id=provider))

    def _on_due(self, webhook_id: str) -> None:
        delivery = self.deliveries[webhook_id]
        if self._disabled(self.webhooks[webhook_id].provider):
            with self._ledger.entry("endpoint is disabled") as entry:
                stopped = msgspec.structs.replace(delivery, state="endpoint_disabled", due_at=None)
                entry.put(self.deliveries, stopped)
            return
        if delivery.tries or not delivery.in_lane:
            self._spawn(webhook_id)
            return
        subject = self.webhooks[webhook_id].subject
        lane = self._lanes.get(subject)
        if lane is None:
            self._lanes[subject] = deque([webhook_id])
            self._start(self._serve_lane(subject))
        else:
            lane.append(webhook_id)

    async def _serve_lane(self, subject: str) -> None:
        lane = self._lanes[subject]
        try:
            while lane:
                await self._attempt(lane.popleft())
        finally:
            del self._lanes[subject]

    def _spawn(self, webhook_id: str) -> None:
        self._start(self._attempt(webhook_id))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attempt(self, webhook_id: str) -> None:
        """One round: as many copies at once as the plan says, then the next appointment."""
        await self._ledger.durable()
        webhook = self.webhooks[webhook_id]
        delivery, body = self.deliveries[webhook_id], webhook.body.encode()
        body = corrupted(body) if delivery.corrupt else body
        async with self._slots:
            tries = await asyncio.gather(
                *(self._post(webhook, body, number + 1) for number in range(delivery.copies))
            )
        self._record(webhook, tries)

    async def _post(self, webhook: Webhook, body: bytes, copy: int) -> Try:
        assert self._session is not None  # noqa: S101  # start() ran before the first appointment
        at, began = self._clock.now(), time.monotonic()
        status: int | None = None
        error: str | None = None
        policy = self._policies[webhook.provider]
        headers = webhook.headers if policy.sign is None else policy.sign(webhook)
        deadline_s = policy.deadline_s
        # From 5 s on aiohttp rounds a deadline up to a whole second, unless told where to begin.
        deadline = aiohttp.ClientTimeout(total=deadline_s, ceil_threshold=deadline_s + 1)
        try:
            async with self._session.post(
                webhook.url,
                data=body,
                headers=headers,
                timeout=deadline,
                allow_redirects=False,
            ) as response:
                status = response.status
                await response.read()
        except TimeoutError:
            status, error = None, "no answer within the deadline"
        except aiohttp.ClientError as failure:
            status, error = None, f"{type(failure).__name__}: {failure}"[:200]
        took_ms = round((time.monotonic() - began) * 1000)
        return Try(at=at, status=status, error=error, took_ms=took_ms, copy=copy)

    def _record(self, webhook: Webhook, tries: list[Try]) -> None:
        policy = self._policies[webhook.provider]
        before = self.deliveries[webhook.id]
        known = [*before.tries, *tries]
        taken = any(t.status is not None and policy.success(t.status) for t in tries)
        with self._ledger.entry("webhook tried") as entry:
            if taken or before.state != "pending":
                after = msgspec.structs.replace(
                    before, state="delivered" if taken else before.state, due_at=None, tries=known
                )
                entry.put(self.deliveries, after)
                return
            failures = before.failures + 1
            jitter = draw(self._seed, webhook.identity, webhook.event, failures)
            wait_s = self._clock.real(policy.retry_in_s(failures, jitter))
            due_at = self._clock.now() + wait_s
            too_late = webhook.created_at + self._clock.real(policy.give_up_after_s)
            given_up = due_at > too_late
            after = msgspec.structs.replace(
                before,
                state="given_up" if given_up else "pending",
                due_at=None if given_up else due_at,
                copies=1,
                corrupt=False,  # the next try is as it was signed
                tries=known,
                failures=failures,
            )
            entry.put(self.deliveries, after)
            if given_up and policy.disables:
                self._disable(entry, webhook.provider)

    def _disabled(self, provider: str) -> bool:
        endpoint = self.endpoints.get(provider)
        return endpoint is not None and endpoint.disabled_at is not None

    def _disable(self, entry: Entry, provider: str) -> None:
        """A day of failures: the provider stops sending until a person enables it again."""
        entry.put(self.endpoints, Endpoint(id=provider, disabled_at=self._clock.now()))
