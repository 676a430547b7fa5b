"""Sets a sheet as a PDF: no network, no system fonts, the same bytes for the same sheet."""

import json
from dataclasses import asdict
from pathlib import Path

import typst

from services.notifier.documents.sheet import Sheet

_HERE = Path(__file__).parent
_TEMPLATE = "document.typ"


class Typesetter:
    """Turns sheets into PDFs.

    `fonts` is a folder with further fonts, for scripts that ours lack. `templates` may have a
    `document.typ` of the shop's own, which can read files beside it (a logo) and nothing else.
    """

    def __init__(self, fonts: Path | None = None, templates: Path | None = None) -> None:
        own = templates is not None and (templates / _TEMPLATE).is_file()
        self._root = templates if own and templates else _HERE / "fonts"  # our template reads nothing
        self._template = ((templates if own and templates else _HERE) / _TEMPLATE).read_bytes()
        folders = [str(_HERE / "fonts"), *([str(fonts)] if fonts else [])]
        self._fonts = typst.Fonts(
            include_system_fonts=False, include_embedded_fonts=True, font_paths=list(folders)
        )

    def pdf(self, sheet: Sheet) -> bytes:
        """The PDF. Blocks for some tens of milliseconds: call it in a thread.

        What people typed enters as data, never as source text, so no character of it can be markup. The
        creation date is the document's own, so a repetition gives the same bytes.
        """
        compiler = typst.Compiler(
            self._template,
            root=str(self._root),
            font_paths=self._fonts,
            sys_inputs={"sheet": json.dumps(_values(sheet), ensure_ascii=False)},
        )
        pdf = compiler.compile(format="pdf", timestamp=int(sheet.dated_at.timestamp()))
        if not isinstance(pdf, bytes):
            raise TypeError(f"typst gave {type(pdf).__name__} instead of one PDF")
        return pdf


def _values(sheet: Sheet) -> dict[str, object]:
    words, shop = sheet.reader.words, sheet.shop
    return {
        "language": sheet.reader.language,
        "paper": sheet.reader.paper,
        "accent": shop.accent,
        "title": sheet.title,
        "number": sheet.number,
        "shop": {
            "name": shop.name,
            "address": shop.address,
            "contact": [line for line in (shop.email, shop.website) if line],
            "tax": f"{words.tax_id}: {shop.tax_id}" if shop.tax_id else "",
        },
        "billed_to": sheet.billed_to,
        "facts": sheet.facts,
        "rows": [asdict(row) for row in sheet.rows],
        "taxed": sheet.taxed,
        "summary": sheet.summary,
        "total_label": sheet.total_label,
        "total": sheet.total,
        "date": sheet.date,
        "stamp": asdict(sheet.stamp),
        "note": sheet.note,
        "page": words.page,
        "words": {
            name: getattr(words, name)
            for name in ("billed_to", "item", "quantity", "unit_price", "tax", "line_total")
        },
    }
