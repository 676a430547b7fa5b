"""Samples written with the templates in use, so that a mistake in them is seen before a mail needs them."""

from typing import NoReturn

import typst
from jinja2 import TemplateError

from services.notifier.documents.typeset import Typesetter
from services.notifier.mail.compose import Composer
from services.notifier.samples import Sample


class BadTemplates(Exception):
    """A template that cannot be used; says which and why."""


def written(sample: Sample, composer: Composer, typesetter: Typesetter) -> tuple[str, str, bytes | None]:
    """(text, HTML, PDF if it has a document). Raises BadTemplates."""
    try:
        text, html = composer.texts(sample.letter)
        pdf = typesetter.pdf(sample.sheet) if sample.sheet else None
    except (TemplateError, UnicodeDecodeError, typst.TypstError) as error:
        _explain(sample, error)
    return text, html, pdf


def _explain(sample: Sample, error: Exception) -> NoReturn:
    where = f"{file}: " if (file := getattr(error, "name", None)) else ""
    raise BadTemplates(f"the template of {sample.name} cannot be used: {where}{error}") from error
