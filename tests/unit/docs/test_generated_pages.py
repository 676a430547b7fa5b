"""Pages that come from the code say what the code says."""

import pytest

from docs.generate import HERE, PAGES


@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_page_is_what_the_code_generates(name: str) -> None:
    assert (HERE / name).read_text() == PAGES[name](), "run `python -m docs.generate`"
