"""PDFs as a reader sees them: their words with places, and their pages as pictures (by poppler)."""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pytest

DPI = 100
WHITE = 250  # of 255: what no eye tells from paper


@dataclass(frozen=True)
class Word:
    """One word with its box, in points from the page's upper left corner."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Page:
    """One page: its size in points, its words in reading order, and its picture in grey."""

    width: float
    height: float
    words: tuple[Word, ...]
    picture: tuple[bytes, ...]  # rows of one byte per point: 0 black, 255 white

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def ink(self) -> float:
        """The share of the page that is not white."""
        return sum(sum(v < WHITE for v in row) for row in self.picture) / (
            len(self.picture) * len(self.picture[0])
        )

    @property
    def margins(self) -> tuple[float, float, float, float]:
        """White space left, above, right and below everything that is printed, in points."""
        inked = [n for n, row in enumerate(self.picture) if min(row) < WHITE]
        columns = [
            n for n in range(len(self.picture[0])) if any(row[n] < WHITE for row in self.picture)
        ]  # fmt: skip
        scale = 72 / DPI
        return (
            columns[0] * scale,
            inked[0] * scale,
            (len(self.picture[0]) - 1 - columns[-1]) * scale,
            (len(self.picture) - 1 - inked[-1]) * scale,
        )


def text_of(pdf: bytes) -> str:
    """All words of a PDF, line by line, as they stand side by side."""
    return _poppler("pdftotext", "-layout", "-enc", "UTF-8", "-", "-", pdf=pdf).decode()


def pages_of(pdf: bytes) -> list[Page]:
    """Every page."""
    boxes = _poppler("pdftotext", "-bbox", "-enc", "UTF-8", "-", "-", pdf=pdf).decode()
    with tempfile.TemporaryDirectory() as folder:
        _poppler("pdftoppm", "-gray", "-r", str(DPI), "-", f"{folder}/page", pdf=pdf)
        pictures = [_picture(path.read_bytes()) for path in sorted(Path(folder).iterdir())]
    found = re.findall(r'<page width="([\d.]+)" height="([\d.]+)">(.*?)</page>', boxes, re.DOTALL)
    assert len(found) == len(pictures)
    return [
        Page(float(width), float(height), tuple(_words(inside)), picture)
        for (width, height, inside), picture in zip(found, pictures, strict=True)
    ]


def _words(page: str) -> list[Word]:
    box = r'<word xMin="([-\d.]+)" yMin="([-\d.]+)" xMax="([-\d.]+)" yMax="([-\d.]+)">(.*?)</word>'
    return [
        Word(unescape(text), float(left), float(top), float(right), float(bottom))
        for left, top, right, bottom, text in re.findall(box, page)
    ]


def _picture(pgm: bytes) -> tuple[bytes, ...]:
    """The rows of a binary PGM file."""
    kind, width, height = pgm.split(maxsplit=3)[:3]
    assert kind == b"P5"
    columns = int(width)
    points = pgm[-columns * int(height) :]
    return tuple(points[n : n + columns] for n in range(0, len(points), columns))


def _poppler(program: str, *arguments: str, pdf: bytes) -> bytes:
    if shutil.which(program) is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{program} (poppler-utils) is not installed", pytrace=False)
        pytest.skip(f"{program} (poppler-utils) is not installed")
    return subprocess.run([program, *arguments], input=pdf, capture_output=True, check=True).stdout
