"""What documents and mails say, per language: one JSON file each, and the shop's own over ours.

A file `words.LANGUAGE.json` in the shop's folder changes single texts of ours, or brings a new language;
what it leaves out stays ours, or English.
"""

import re
import string
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import msgspec

_OURS = Path(__file__).parent / "languages"
_LANGUAGE = re.compile(r"words\.([a-z]{2,3})\.json")


class BadWords(ValueError):
    """A file of texts that cannot be used; says which and why."""


@dataclass(frozen=True, slots=True)
class Words:
    """The fixed texts. Those with {fields} are filled by `str.format` with plain texts."""

    receipt: str
    invoice: str
    date: str
    order: str
    paid_with: str
    reference: str
    billed_to: str
    tax_id: str
    item: str
    quantity: str
    unit_price: str
    tax: str
    line_total: str
    before_tax: str
    tax_of: str
    adjustment: str
    total: str
    paid: str
    paid_on: str
    page: str
    subject: str
    greeting: str
    greeting_unnamed: str
    intro: str
    attached: str
    open_pdf: str
    questions: str
    automatic: str
    credit_note: str
    cancellation: str
    directly: str
    order_total: str
    released: str
    released_note: str
    refunded: str
    cancelled: str
    refunded_on: str
    cancelled_on: str
    refunded_with: str
    refund_reference: str
    reason: str
    refund_line: str
    amount_refunded: str
    reduces: str
    cancel_line: str
    amount_cancelled: str
    cancels: str
    credit_intro: str
    cancel_intro: str
    surplus_title: str
    surplus_subject: str
    surplus_intro: str
    surplus_failed_title: str
    surplus_failed_subject: str
    surplus_failed_intro: str
    notice_automatic: str
    dispute_title: str
    answer_by: str
    dispute_subject: str
    dispute_reminder_subject: str
    dispute_until: str
    dispute_intro: str
    inquiry_intro: str
    dispute_reminder_intro: str
    dispute_do: str
    dispute_over: str
    dispute_automatic: str


def our_words() -> dict[str, Words]:
    """The languages that come with the service."""
    return {
        file.stem: Words(**msgspec.json.decode(file.read_bytes())) for file in sorted(_OURS.glob("*.json"))
    }


def words_with(folder: Path | None) -> dict[str, Words]:
    """Ours, with what the shop's folder changes or adds. Raises BadWords."""
    words = our_words()
    for file in sorted(folder.glob("words.*.json")) if folder else ():
        match = _LANGUAGE.fullmatch(file.name)
        if match is None:
            raise BadWords(f"{file}: the name must be like words.it.json")
        language = match[1]
        base = asdict(words.get(language, words["en"]))
        words[language] = Words(**(base | _texts(file, base)))
    return words


def _texts(file: Path, base: Mapping[str, str]) -> dict[str, str]:
    try:
        given = msgspec.json.decode(file.read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError) as error:
        raise BadWords(f"{file}: {error}") from None
    known = {field.name for field in fields(Words)}
    for name, text in given.items():
        if name not in known:
            raise BadWords(f"{file}: there is no text named {name!r}")
        if not _placeholders(file, name, text) <= _placeholders(file, name, base[name]):
            allowed = sorted(_placeholders(file, name, base[name]))
            raise BadWords(f"{file}: {name!r} can be filled with {allowed} only")
    return given


def _placeholders(file: Path, name: str, text: str) -> set[str]:
    try:
        return {found for _, found, _, _ in string.Formatter().parse(text) if found is not None}
    except ValueError as error:
        raise BadWords(f"{file}: {name!r}: {error}") from None
