"""Sample documents and mails, for whoever changes the design: no server, no settings needed."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from services.notifier.documents.reader import languages_with
from services.notifier.documents.typeset import Typesetter
from services.notifier.documents.words import BadWords
from services.notifier.mail.compose import Composer
from services.notifier.samples import KINDS, sample_shop, samples
from services.notifier.tryout import BadTemplates, written


def main(arguments: Sequence[str]) -> None:
    """Writes the samples of the wanted kinds into a folder: HTML and text, and a PDF for documents."""
    parser = argparse.ArgumentParser(prog="python -m services.notifier preview", description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"one of {', '.join(KINDS)} (default: all)")
    parser.add_argument("--out", type=Path, default=Path("preview"), help="the folder (default: preview)")
    parser.add_argument("--templates", type=Path, help="your own templates and texts, used before ours")
    parser.add_argument("--fonts", type=Path, help="a folder with further fonts")
    parser.add_argument("--locale", default="", help="for all samples, such as fr-FR (default: each its own)")
    asked = parser.parse_args(arguments)
    for kind in asked.kinds:
        if kind not in KINDS:
            parser.error(f"{kind!r} is not one of {', '.join(KINDS)}")
    for folder in (asked.templates, asked.fonts):
        if folder is not None and not folder.is_dir():
            parser.error(f"{folder} is not a folder")
    out: Path = asked.out
    out.mkdir(parents=True, exist_ok=True)
    try:
        typesetter = Typesetter(asked.fonts, asked.templates)
        composer = Composer("Paystream <receipts@paystream.example>", templates=asked.templates)
        shop = sample_shop(languages_with(asked.templates), asked.locale or "en-IN")
        for sample in samples(shop, asked.kinds or KINDS, asked.locale):
            text, html, pdf = written(sample, composer, typesetter)
            (out / f"{sample.name}.html").write_text(html)
            (out / f"{sample.name}.txt").write_text(f"Subject: {sample.letter.subject}\n\n{text}")
            if pdf is not None:
                (out / f"{sample.name}.pdf").write_bytes(pdf)
            print(f"{out / sample.name}: {sample.letter.subject}")  # noqa: T201 - a command's answer
    except (BadWords, BadTemplates) as error:
        parser.exit(2, f"{error}\n")
