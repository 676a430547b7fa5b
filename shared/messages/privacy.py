"""`privacy.commands` and `privacy.events`, key: the keyed hash of the customer's e-mail address."""

from datetime import datetime
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from shared.messages.base import Command, Event


class ErasePersonalData(Command, frozen=True, kw_only=True):
    """Blank one customer's personal data. Every service does its part and answers with an event.

    `customer` is a keyed hash of the e-mail address, so this message names nobody; `key_check` tells a
    service that it has the same key. What was said before `asked_at` and arrives later is blanked too.
    """

    TYPE: ClassVar[str] = "privacy.erase_personal_data.v1"

    request_id: Annotated[str, Meta(min_length=1, max_length=100)]
    customer: Annotated[str, Meta(min_length=64, max_length=64)]
    key_check: str
    order_ids: tuple[str, ...]
    asked_at: datetime
    person: Annotated[str, Meta(min_length=1, max_length=200)]
    reason: Annotated[str, Meta(min_length=1, max_length=500)]


class ErasedPlace(msgspec.Struct, frozen=True, kw_only=True):
    """One table: what was blanked in it, and in how many rows."""

    place: str
    what: str
    count: int


class PersonalDataErased(Event, frozen=True, kw_only=True):
    """One service has blanked all that it held."""

    TYPE: ClassVar[str] = "privacy.personal_data_erased.v1"

    request_id: str
    service: str
    places: tuple[ErasedPlace, ...]
    erased_at: datetime
