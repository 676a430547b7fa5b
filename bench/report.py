"""The results as tables that a person reads in a minute."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.measures import Spread
from bench.webhooks import Result

PARTS = frozenset({"system", "orders", "peer", "limits"})
PROCESSES = ("gateway", "payments", "kafka", "postgres", "peer")

# docs/performance.md says where these come from.
TARGET_PER_S = 4_000
TARGET_MULTIPLE = 5
OTHERS_MAX = 0.2  # cores; with more, a run says little about this system


def show(console: Console, found: dict[str, Any]) -> None:
    """Everything that was measured."""
    machine = found["machine"]
    console.print(
        f"\n[bold]{machine['processor']}[/bold], {machine['cores']} cores, {machine['memory_gb']} GB, Python "
        f"{machine['python']}, commit {machine['commit']}; load before the run {machine['load_before']}"
    )
    systems = {
        name: found[key] for key, name in (("system", "Paystream"), ("peer", "plain peer")) if key in found
    }
    if systems:
        console.print(_throughput(systems))
        console.print(_cost(systems))
    latencies = list(_latencies(found))
    if latencies:
        console.print(_latency_table(latencies))
    if "limits" in found:
        console.print(_limits(found["limits"]))
    for line in _verdicts(found):
        console.print(line)


def _throughput(systems: dict[str, dict[str, Result]]) -> Table:
    table = Table(
        title="Webhooks, as many as it takes (64 connections, 1.7 kB, 5 % sent twice)", title_justify="left"
    )
    for column in (
        "",
        "accepted/s",
        "applied/s",
        "published/s",
        "orders",
        "backlog s",
        "our cores",
        "others' cores",
    ):
        table.add_column(column, justify="right" if column else "left")
    for name, loads in systems.items():
        full = loads["full"]
        table.add_row(
            name,
            f"{full.accepted_per_s:,.0f}",
            f"{full.applied_per_s:,.0f}",
            f"{full.published_per_s:,.0f}" if full.seen.count else "nothing",
            f"{full.accepted:,}",
            f"{full.backlog_s:.1f}",
            f"{full.busy_cores:.2f}",
            f"{full.other_cores:.2f}",
        )
    return table


def _cost(systems: dict[str, dict[str, Result]]) -> Table:
    table = Table(title="Processor time per webhook, ms", title_justify="left")
    table.add_column("")
    for column in (*PROCESSES, "together", "generator"):
        table.add_column(column, justify="right")
    for name, loads in systems.items():
        for load in ("full", "half"):
            used = loads[load].cpu_ms
            cells = [f"{used[p]:.3f}" if p in used else "" for p in PROCESSES]
            table.add_row(
                f"{name}, {load} load",
                *cells,
                f"{sum(used.values()):.3f}",
                f"{loads[load].generator_cpu_ms:.3f}",
            )
    return table


Row = tuple[str, Spread, str]


def _latencies(found: dict[str, Any]) -> Iterable[Row]:
    if "system" in found:
        loads = found["system"]
        yield "webhook → 200, half load", loads["half"].answered, ""
        yield "webhook → PaymentPaid seen, half load", loads["half"].seen, "p50 ≤ 35, p99 ≤ 80"
        yield "webhook → 200, light load", loads["light"].answered, ""
        yield "webhook → PaymentPaid seen, light load", loads["light"].seen, "p50 ≤ 15"
    if "peer" in found:
        yield "peer: webhook → 200 (committed), its half load", found["peer"]["half"].answered, ""
        yield "peer: webhook → 200 (committed), light load", found["peer"]["light"].answered, ""
    if "create_order" in found:
        yield "create-order over the provider's time, light load", found["create_order"], "p50 ≤ 15, p99 ≤ 40"
    if "peer_create_order" in found:
        yield "peer: create-order over the provider's time", found["peer_create_order"], ""


def _latency_table(rows: Iterable[Row]) -> Table:
    table = Table(title="Latency, ms", title_justify="left")
    for column in ("", "p50", "p90", "p99", "worst", "count", "target"):
        table.add_column(column, justify="right" if column not in ("", "target") else "left")
    for name, s, target in rows:
        table.add_row(name, *(f"{v:.1f}" for v in (s.p50, s.p90, s.p99, s.worst)), f"{s.count:,}", target)
    return table


def _limits(limits: dict[str, Any]) -> Table:
    table = Table(title="What this machine can do at most, each alone", title_justify="left")
    table.add_column("")
    table.add_column("per second", justify="right")
    table.add_row("bare HTTP: uvicorn, plain ASGI, the same requests", f"{limits['bare_http_per_s']:,}")
    table.add_row("bare Kafka: 2.8 kB messages, acks=all, idempotent", f"{limits['bare_produce_per_s']:,}")
    table.add_row(
        f"PostgreSQL {limits['postgresql']}: a webhook's rows, 100 a transaction, 4 connections",
        f"{limits['database_batches_per_s']:,}",
    )
    return table


def _verdicts(found: dict[str, Any]) -> Iterable[str]:
    loads = [r for key in ("system", "peer") for r in found.get(key, {}).values()]
    if any(r.other_cores > OTHERS_MAX for r in loads):
        yield "[yellow]! others used this machine meanwhile: the figures are too low[/yellow]"
    if "system" not in found:
        return
    rate = found["system"]["full"].published_per_s
    yield _verdict(rate >= TARGET_PER_S, f"{rate:,.0f} webhooks/s published, wanted {TARGET_PER_S:,}")
    if "peer" in found:
        multiple = rate / found["peer"]["full"].accepted_per_s
        yield _verdict(
            multiple >= TARGET_MULTIPLE, f"{multiple:.1f} times the plain peer, wanted {TARGET_MULTIPLE}"
        )


def _verdict(reached: bool, text: str) -> str:
    return f"[green]✓[/green] {text}" if reached else f"[red]✗[/red] {text}"
