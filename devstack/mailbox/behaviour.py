"""How the mail server treats its clients: well by default, badly on request."""

from typing import Annotated, Literal

import msgspec

EVERYONE = "*"
Code = Annotated[int, msgspec.Meta(ge=400, le=599)]


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Answers ``code`` (4xx: try later, 5xx: never) for one recipient or for everyone."""

    code: Code
    address: str = EVERYONE
    text: str = "refused on request"
    stage: Literal["rcpt", "data"] = "rcpt"
    times: Annotated[int, msgspec.Meta(ge=1)] | None = None  # None: until told otherwise


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``PUT /api/behaviour`` sets it whole; ``{}`` is good behaviour."""

    refuse: list[Refusal] = []
    delay_s: Annotated[float, msgspec.Meta(ge=0, le=600)] = 0.0  # before the answer to a message
    cut_after_bytes: Annotated[int, msgspec.Meta(ge=0)] | None = None  # of one connection
    lose_answers: bool = False  # keeps the message, then cuts instead of answering 250


class Conduct:
    """The behaviour in force, and how often each part of it was shown."""

    def __init__(self) -> None:
        self.behaviour = Behaviour()
        self.shown = {"refused": 0, "cut": 0, "delayed": 0, "answers_lost": 0}
        self._left: list[int | None] = []

    def become(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self._left = [refusal.times for refusal in behaviour.refuse]
        self.shown = dict.fromkeys(self.shown, 0)

    def refusal(self, stage: str, address: str) -> str | None:
        """The line to answer instead of 250, or None; counts one showing."""
        for place, refusal in enumerate(self.behaviour.refuse):
            meant = refusal.address in (EVERYONE, address.lower())
            left = self._left[place]
            if refusal.stage == stage and meant and left != 0:
                self._left[place] = None if left is None else left - 1
                self.shown["refused"] += 1
                return f"{refusal.code} {refusal.text}"
        return None
