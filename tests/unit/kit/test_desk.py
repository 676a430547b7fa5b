"""What an operator's terminal is sent."""

import io

import pytest
from rich.table import Table

from shared.desk import at_desk, gone, printable, terminal
from shared.errors import Rejected
from shared.service import Kit


@pytest.mark.parametrize(
    ("outside", "shown"),
    [
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        (b"\xff{}", "\\xff{}"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("two\nlines\tand é ₹", "two\nlines\tand é ₹"),
    ],
)
def test_no_word_from_outside_steers_a_terminal(outside: str | bytes, shown: str) -> None:
    assert printable(outside) == shown


def test_brackets_in_a_providers_words_are_no_markup() -> None:
    console = terminal()
    console.file = io.StringIO()
    table = Table("said")
    table.add_row("[/] [bold]declined[/bold]")
    console.print(table)
    assert "[/] [bold]declined[/bold]" in console.file.getvalue()


def test_an_end_says_why_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def build() -> Kit:
        raise Rejected("no-order", "there is none\x1b[1m")

    async def work(_kit: Kit) -> None:
        return None

    with pytest.raises(SystemExit) as end:
        at_desk(build, work)
    assert end.value.code == 1
    assert capsys.readouterr().err == "no-order: there is none\\x1b[1m\n"
    assert gone("x", 3).code == 3
