"""The page of faults names tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "faults.md").read_text()
NAMED = sorted(set(re.findall(r"`(test_\w+)::(\w+)`", PAGE)))
SCENARIOS = [*(ROOT / "tests/contract/providers/contract").glob("*_scenarios.py")]


def test_the_page_names_tests() -> None:
    assert len(NAMED) > 50


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_named_test_exists(file: str, name: str) -> None:
    found = [*ROOT.glob(f"tests/**/{file}.py")]
    if file == "test_every_provider":
        found += SCENARIOS
    assert any(re.search(rf"def {name}\(", path.read_text()) for path in found), f"{file}::{name}"
