"""When each provider was last heard: a silence is how one learns that its webhooks do not come any more."""

from datetime import datetime
from time import time

from prometheus_client import Gauge
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.messages.payments import ProviderEventReceived

AGE = Gauge(
    "paystream_webhook_age_seconds", "Since the last verified webhook of an account", ["provider", "account"]
)

_MERGE = text("""
    INSERT INTO provider_last_heard AS l (provider, account, received_at)
    SELECT * FROM unnest(CAST(:providers AS text[]), CAST(:accounts AS text[]),
                         CAST(:times AS timestamptz[])) AS new (provider, account, received_at)
    ORDER BY 1, 2
    ON CONFLICT (provider, account) DO UPDATE SET received_at = excluded.received_at
    WHERE excluded.received_at > l.received_at""")
_READ = text("SELECT provider, account, received_at FROM provider_last_heard")


class Heard:
    """The newest webhook of each provider and account. Noted in memory, written down once a minute."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, str], datetime] = {}

    def note(self, message: ProviderEventReceived) -> None:
        key = message.provider, message.account
        if message.received_at > self._newest.get(
            key, datetime.min.replace(tzinfo=message.received_at.tzinfo)
        ):
            self._newest[key] = message.received_at

    async def share(self, connection: AsyncConnection) -> None:
        """Writes down what this process heard, and shows what any of them did."""
        if self._newest:
            providers, accounts = zip(*self._newest, strict=True)
            wanted = {
                "providers": list(providers),
                "accounts": list(accounts),
                "times": list(self._newest.values()),
            }
            await connection.execute(_MERGE, wanted)
        for row in await connection.execute(_READ):
            AGE.labels(row.provider, row.account).set(max(0.0, time() - row.received_at.timestamp()))
