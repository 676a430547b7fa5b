"""How one reader writes amounts, dates and countries; any text as a locale gives some reader."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time
from babel.numbers import format_decimal, format_percent

from services.notifier.documents.words import BadWords, Words, words_with
from shared.money import Money

_LETTER_PAPER = {"US", "CA", "MX", "CO", "CL", "PH", "VE"}  # the rest of the world prints on A4
_PERCENT = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,8})?")
_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}")


@dataclass(frozen=True, slots=True)
class Reader:
    """A language that we have words for, with the formats of its territory."""

    locale: str
    words: Words

    @property
    def language(self) -> str:
        return self.locale.partition("_")[0]

    @property
    def paper(self) -> str:
        return "us-letter" if self.locale.rpartition("_")[2] in _LETTER_PAPER else "a4"

    def money(self, amount: int, currency: str) -> str:
        return Money(amount, currency).text(self.locale)

    def date(self, at: datetime, zone: tzinfo) -> str:
        return str(format_date(at.astimezone(zone).date(), format="long", locale=self.locale))

    def moment(self, at: datetime, zone: tzinfo) -> str:
        """Date and time with the zone's name: a deadline means nothing without it."""
        there = at.astimezone(zone)
        time = format_time(there.time(), format="short", locale=self.locale)
        return f"{self.date(at, zone)}, {time} {there.tzname()}"

    def count(self, quantity: int) -> str:
        return str(format_decimal(quantity, locale=self.locale))

    def rate(self, percent: str) -> str:
        """A percentage as this reader writes it; what is no number is left as it was given."""
        if not _PERCENT.fullmatch(percent):
            return percent
        return str(format_percent(Decimal(percent) / 100, locale=self.locale, decimal_quantization=False))

    def country(self, code: str) -> str:
        return str(Locale.parse(self.locale).territories.get(code.upper(), code)) if code else ""


@dataclass(frozen=True, slots=True)
class Languages:
    """The languages that documents and mails can speak."""

    words: Mapping[str, Words]

    def reader_of(self, tag: str) -> Reader:
        """The reader that a tag such as `de-CH` means; English of its territory when we lack the words."""
        english = self.words["en"]
        if not _TAG.fullmatch(tag):
            return Reader("en", english)
        language, *rest = tag.replace("-", "_").split("_")
        territory = next((part.upper() for part in rest if len(part) == 2), "")
        known = language.lower() if language.lower() in self.words else "en"
        words = self.words[known]
        try:
            locale = Locale.parse(f"{known}_{territory}") if territory else Locale.parse(known)
        except (UnknownLocaleError, ValueError):
            return Reader(known, words)
        return Reader(str(locale), words)


def languages_with(folder: Path | None = None) -> Languages:
    """Ours, and what the shop's folder changes or adds. Raises BadWords."""
    words = words_with(folder)
    for language in words:
        try:
            Locale.parse(language)
        except (UnknownLocaleError, ValueError):
            raise BadWords(f"words.{language}.json: there is no language {language!r}") from None
    return Languages(words)
