"""Error texts that are kept and shown: bounded, without control characters, saying where it happened."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.inbox import ERROR_LENGTH_MAX, cleaned, described


@given(st.text(st.characters(exclude_categories=()), max_size=3000))
def test_a_kept_text_can_be_stored_and_shown(text: str) -> None:
    kept = cleaned(text)
    assert len(kept.encode()) <= ERROR_LENGTH_MAX
    assert all(c.isprintable() or c == "\n" for c in kept)


def test_the_error_comes_first_and_then_where_it_happened() -> None:
    def decide() -> None:
        raise ValueError("no rule " * 1000)

    with pytest.raises(ValueError, match="no rule") as raised:
        decide()
    text = described(raised.value)
    assert text.startswith("ValueError: no rule")
    assert "in decide" in text
    assert len(text) <= ERROR_LENGTH_MAX + 100
