"""What is logged holds no customer's data, however deep it is and however it got into a text."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.observability import redacted

EMAIL, NAME = "asha.rao@buyer.test", "Asha Rao"
_HIDDEN_FIELDS = (
    "email",
    "customer",
    "recipient",
    "billing_name",
    "contact",
    "phone",
    "vpa",
    "body",
    "headers",
)

_texts = st.text(max_size=10).map(lambda text: f"{text} {EMAIL}, {text}")
_values = st.recursive(
    st.one_of(st.integers(), st.none(), _texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=8), _values, max_size=4))
def test_no_address_gets_into_a_log_line(event: dict[str, Any]) -> None:
    assert EMAIL not in repr(redacted(None, "info", event))


@given(st.sampled_from(_HIDDEN_FIELDS), st.sampled_from(["", "their_", "old"]))
def test_fields_that_hold_people_are_hidden_at_any_depth(name: str, before: str) -> None:
    event: dict[str, Any] = {"reply": [{"deep": {before + name: NAME}}], before + name: {"x": NAME}}
    assert NAME not in repr(redacted(None, "info", event))


def test_what_is_no_address_stays_readable() -> None:
    line = {
        "server": "postgresql://app:***@127.0.0.1:5432/paystream",
        "error": "550 5.1.1 <<address>> unknown",
    }
    assert redacted(None, "info", dict(line)) == line
