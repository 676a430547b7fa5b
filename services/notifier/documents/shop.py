"""The shop as documents and mails show it."""

from dataclasses import dataclass
from datetime import tzinfo

from services.notifier.documents.reader import Languages


@dataclass(frozen=True, slots=True)
class Shop:
    """Whose documents and mails these are, and in which words."""

    name: str
    zone: tzinfo
    languages: Languages
    address: tuple[str, ...] = ()
    email: str = ""
    website: str = ""
    tax_id: str = ""
    accent: str = "#1d4ed8"
    locale: str = "en"  # what the shop itself reads: mails about disputes
