"""What a shop may put into a folder of its own: templates, texts, languages, the document itself."""

import json
from pathlib import Path

import pytest

from services.notifier import preview
from services.notifier.documents.reader import languages_with
from services.notifier.documents.typeset import Typesetter
from services.notifier.documents.words import BadWords, our_words
from services.notifier.mail.compose import Composer
from services.notifier.samples import KINDS, sample_shop, samples
from services.notifier.tryout import BadTemplates, written

SENDER = "receipts@shop.test"


def first(folder: Path, kind: str, locale: str = "en-IN") -> tuple[str, str, bytes | None]:
    shop = sample_shop(languages_with(folder))
    (sample, *_) = samples(shop, [kind], locale)  # type: ignore[list-item]
    return written(sample, Composer(SENDER, templates=folder), Typesetter(templates=folder))


def test_every_language_has_every_text_and_says_all_that_english_says() -> None:
    words = our_words()
    assert set(words) == {"en", "de", "fr", "es", "hi"}
    for name in ("subject", "credit_intro", "cancels", "dispute_do", "surplus_intro"):
        assert len({getattr(w, name) for w in words.values()}) == len(words)


def test_a_template_of_one_kind_goes_before_the_common_one(tmp_path: Path) -> None:
    (tmp_path / "credit_note.txt").write_text("Refunded: {{ sheet.total }}")
    assert first(tmp_path, "credit_note")[0] == "Refunded: ₹2,478.50"
    assert "Refunded:" not in first(tmp_path, "receipt")[0]


def test_a_template_of_a_language_goes_before_all(tmp_path: Path) -> None:
    (tmp_path / "de").mkdir()
    (tmp_path / "de" / "document.txt").write_text("Hallo {{ sheet.total }}")
    (tmp_path / "document.txt").write_text("Hello {{ sheet.total }}")
    assert first(tmp_path, "receipt", "de-DE")[0] == "Hallo 2.478,50\u00a0₹"
    assert first(tmp_path, "receipt")[0] == "Hello ₹2,478.50"


def test_the_frame_of_all_mails_can_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "base.html").write_text("<main>{% block content %}{% endblock %}</main>")
    for kind in KINDS:
        assert first(tmp_path, kind)[1].startswith("<main>")


def test_a_text_can_be_changed_and_a_language_added(tmp_path: Path) -> None:
    (tmp_path / "words.en.json").write_text(json.dumps({"paid": "Settled"}))
    (tmp_path / "words.it.json").write_text(json.dumps({"receipt": "Ricevuta", "total": "Totale"}))
    languages = languages_with(tmp_path)
    assert languages.reader_of("en-GB").words.paid == "Settled"
    italian = languages.reader_of("it-IT")
    assert (italian.locale, italian.words.receipt) == ("it_IT", "Ricevuta")
    assert italian.words.order == "Order"
    assert "Ricevuta" in first(tmp_path, "receipt", "it-IT")[1]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("words.en.json", "{", "words.en.json"),
        ("words.en.json", '{"piad": "x"}', "no text named 'piad'"),
        ("words.en.json", '{"paid_on": "{date.year}"}', "can be filled with ['date'] only"),
        ("words.en.json", '{"paid_on": "{"}', "paid_on"),
        ("words.english.json", "{}", "must be like words.it.json"),
        ("words.qqq.json", "{}", "no language 'qqq'"),
    ],
)
def test_wrong_texts_are_refused_with_their_reason(
    tmp_path: Path, name: str, content: str, problem: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(BadWords) as refusal:
        languages_with(tmp_path)
    assert problem in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("document.txt", "{{ no_such_thing }}"),
        ("document.html", "{% if %}"),
        ("document.txt", "{{ ''.__class__.__mro__ }}"),
        ("document.typ", "#no-such-function()"),
        ("document.typ", '#read("/etc/passwd")'),
    ],
)
def test_a_template_that_cannot_be_used_is_found_by_trying(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(BadTemplates) as refusal:
        first(tmp_path, "receipt")
    assert "receipt" in str(refusal.value)


def test_the_document_itself_can_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "document.typ").write_text("#let sheet = json(bytes(sys.inputs.sheet))\n#sheet.number")
    ours, theirs = first(tmp_path / "nothing", "receipt")[2], first(tmp_path, "receipt")[2]
    assert ours is not None
    assert theirs is not None
    assert theirs.startswith(b"%PDF-")
    assert len(theirs) < len(ours)


def test_the_preview_writes_every_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preview.main(["--out", str(tmp_path)])
    written_files = {file.name for file in tmp_path.iterdir()}
    assert {f"{kind}.{ending}" for kind in KINDS for ending in ("html", "txt")} <= written_files
    assert {f"{kind}.pdf" for kind in KINDS[:4]} <= written_files
    assert "Your credit note from Bluebird Books" in capsys.readouterr().out


def test_the_preview_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as end:
        preview.main(["poem", "--out", str(tmp_path)])
    for folder in ("--templates", "--fonts"):
        with pytest.raises(SystemExit):
            preview.main(["receipt", folder, str(tmp_path / "misspelt"), "--out", str(tmp_path)])
    assert end.value.code == 2
