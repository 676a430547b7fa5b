"""What a run does, step by step: which window of which list it reads, and which of our records it takes in.

Windows overlap with the one before: a list may show what was made at its edge a moment late.
"""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

Leg = Literal["charges", "refunds", "disputes", "lines"]


class Step(msgspec.Struct, frozen=True):
    """`list`: the provider's records of [since, until). `take`: our own, `unsettled` those alone that no
    settlement has paid out.
    """

    what: Literal["list", "take"]
    leg: Leg
    since: datetime
    until: datetime
    unsettled: bool = False
    slice_s: int = 3600  # the first part that is listed; where it goes quickly the next ones are longer


class Plan(msgspec.Struct, frozen=True):
    """How a provider's windows are read. `due_s`: by then a settlement must have paid out."""

    settles: bool
    due_s: float
    overlap_s: float


def steps(since: datetime, until: datetime, plan: Plan) -> list[Step]:
    """All steps of a run, in order; they follow from the window alone, so that a run can go on anywhere.

    The lines of what must be settled by now are read again: only now do some of them name the settlement that
    paid them out, or are there at all, under the time at which they began (PayPal: what was pending).
    """
    since = since - timedelta(seconds=plan.overlap_s)
    legs: tuple[Leg, ...] = ("charges", "refunds", "disputes")
    found = [Step("list", leg, since, until) for leg in legs]
    found.append(Step("list", "lines", since, until, slice_s=86_400))
    found += [Step("take", leg, since, until) for leg in legs]
    earlier, then = (at - timedelta(seconds=plan.due_s) for at in (since, until))
    found.append(Step("list", "lines", earlier, then, slice_s=86_400))
    if plan.settles:
        found += [Step("take", leg, earlier, then, unsettled=True) for leg in legs]
    return found
