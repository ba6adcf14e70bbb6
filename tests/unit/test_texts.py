"""The translations of all texts of pages and mails into five languages."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest

from importer.domain.csv_import.import_rows import PAGE_ROWS
from importer.i18n.translations import LANGUAGES as SPOKEN
from importer.i18n.translations import chosen, texts
from providers.catalog import Catalog
from tests.texts import IMPORTER, LANGUAGES, catalog_of, template


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)s|%(?!\()", text))


def translations(language: str) -> list[str]:
    """Every form of every text in a language: of the catalog, and of the mail hosts."""
    found = []
    for message in catalog_of(language):
        forms = message.string if isinstance(message.string, tuple | list) else [message.string]
        found += [str(form) for form in forms if message.id]
    for provider in Catalog.load():
        found += [getattr(step.texts, language) for step in provider.steps]
        found += [getattr(provider.unavailable_text, language)] if provider.unavailable_text else []
    return found


def test_the_languages_are_english_and_those_of_the_catalogs() -> None:
    assert set(SPOKEN) == {"en", *LANGUAGES}


def test_every_marked_text_is_extracted() -> None:
    """Babel does not see a call within an f-string, and the text would stay English without a word."""
    marked = {
        argument.value
        for path in IMPORTER.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and (node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", ""))
        in ("gettext", "ngettext", "N_")
        for argument in node.args[:1]
        if isinstance(argument, ast.Constant)
    }
    known = {message.id if isinstance(message.id, str) else message.id[0] for message in template()}
    assert marked - known == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_and_no_catalog_has_obsolete_texts(language: str) -> None:
    expected = {message.id for message in template() if message.id}
    catalog = catalog_of(language)
    assert {message.id for message in catalog if message.id} == expected
    for message in catalog:
        if not message.id:
            continue
        forms = message.string if isinstance(message.string, tuple | list) else [message.string]
        assert all(forms), f"{language}: {message.id} is not translated; see tests/texts.py"
        assert not message.fuzzy, f"{language}: {message.id} is marked fuzzy, which shows it in English"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_placeholders_of_its_text(language: str) -> None:
    for message in catalog_of(language):
        originals = message.id if isinstance(message.id, tuple | list) else [message.id]
        forms = message.string if isinstance(message.string, tuple | list) else [message.string]
        for number, form in enumerate(forms):
            text = originals[min(number, len(originals) - 1)]
            assert placeholders(str(form)) == placeholders(str(text)), message.id


def test_no_sentence_is_equal_in_two_catalogs() -> None:
    """Otherwise a catalog contains a translation of another language."""
    for language, other in combinations(LANGUAGES, 2):
        other_texts = {message.id: message.string for message in catalog_of(other)}
        same = [
            m.id for m in catalog_of(language) if m.string == other_texts[m.id] and len(str(m.id).split()) > 4
        ]
        assert same == [], (language, other)


@pytest.mark.parametrize(
    ("language", "formal"),
    [
        (
            "es",
            r"usted|suya|acote|Active|Añada|[Bb]úsquel[ao]s?|Compruebe|confirme ese|Consulte|Cree|deshaga|"
            r"Deténgal[ao]s?|después ejecute|Elija|[Ee]mpiece (de|otra)|Escríbal[ao]|Escriba|"
            r"Haga|[Ii]ndíquel[ao]|Indique|[Ii]níciel[ao]|Inicie|Inténtelo|[Rr]einicie|Rellene|Revísel[ao]s?|Use"
            r"|las que puede iniciar|la reanude|Quería|No ha dado|Ya ha iniciado|le da una",
        ),
        (
            "it",
            r"Acceda|[Aa]ggiungete|Attivi|[Aa]vviatene|Compilate|Controlli (?!API)|[Cc]orreggete|Corregga|"
            r"Faccia|[Ii]ndicatene|[Ii]nviatelo|Invii|[Ll]a (indichi|riavvii)|[Ll]ei il|ottenga|restringa|"
            r"Ricominci|Riprovi|Scelga|Scriva|Trasmetta|Usi|riceverà|Lo (fermi|invii)|eseguite|riavviate"
            r"|quando preme|quando riprende l.importazione|che ha rifiutato|appena ha effettuato|Non ha dato"
            r"|Ha già effettuato",
        ),
    ],
)
def test_a_language_addresses_its_reader_in_one_way(language: str, formal: str) -> None:
    """Spanish and Italian say tú and tu; forms of usted and Lei are those that were once mixed in."""
    found = [str(message.string) for message in catalog_of(language) if message.id]
    for provider in Catalog.load():
        found += [getattr(step.texts, language) for step in provider.steps]
    assert [text for text in found if re.search(rf"\b({formal})\b", text)] == []


@pytest.mark.parametrize(("language", "formal"), [("it", r"\b(sua|suo|sue|suoi)\b"), ("es", r"\b(su|sus)\b")])
def test_your_is_no_formal_possessive(language: str, formal: str) -> None:
    """It has the form of "its" and "their", so texts with these say nothing about it."""
    for message in catalog_of(language):
        text = message.id if isinstance(message.id, str) else message.id[0]
        if re.search(r"\byour\b", text, re.IGNORECASE) and not re.search(r"\b(its|their)\b", text):
            assert not re.search(formal, str(message.string), re.IGNORECASE), message.string


@pytest.mark.parametrize(
    ("language", "others"),
    [
        (
            "de",
            r"Eigentümer(?! der Tabellen)|Besitzer|Stapel|\bNutzer|\bMailadresse|fehlgeschlagene[n]? Mails"
            r"|Stichw|Unterschrift|unterschrieben|Kennung",
        ),
        (
            "fr",
            r"propriétaires?\b(?! des tables)|Votre demande|annulez (cette|l.)importation|(?<!\()\bimports?\b"
            r"|[Ff]ournisseur|courriel|[Bb]oîte aux lettres|indicateur|opérateur|(?<![-\w])[kMGT]B\b",
        ),
        (
            "it",
            r"proprietar(?!io delle tabelle)|La tua richiesta|annulla l.importazione che|[Ff]ornitore"
            r"|[Pp]ermesso|incorporat|\bper app\b|password salvat|(?<![-\w.@/])mail\b(?!\.\w|[\w=])"
            r"|[Ff]ile di prova",
        ),
        (
            "es",
            r"propietari(?!o de las tablas)|dueño|Tu solicitud|operador|suceso|(?<!en )\borden\b|órdenes"
            r"|nuevo (buzón|servidor|proveedor)|[Aa]rchivo de pruebas?|identificador",
        ),
    ],
)
def test_a_thing_has_one_word(language: str, others: str) -> None:
    """The words that a catalog uses beside its own for owner, user, batch, undo, import, host, mail, flag
    and the like."""
    assert [text for text in translations(language) if re.search(others, text)] == []


@pytest.mark.parametrize(
    ("english", "own"),
    [
        (r"\bpaus(e|es|ed|ing)\b", {"de": "paus", "fr": "paus", "it": "paus", "es": "p[aá]us"}),
        (r"\bfetch(es|ing)? new mail", {"de": "hol", "fr": "récup", "it": "recuper", "es": r"\btrae"}),
        (
            r"mailbox(es)? complete\b",
            {"de": "vollständig", "fr": "complète", "it": "complet", "es": "complet"},
        ),
        (r"\bgaps\b", {"de": "Lücke", "fr": "lacune", "it": "lacun", "es": "hueco"}),
    ],
)
def test_a_word_has_one_translation(english: str, own: dict[str, str]) -> None:
    """Otherwise a button says what the state beside it calls something else, or fetch is translated like
    resume."""
    for language in LANGUAGES:
        for message in catalog_of(language):
            text = message.id if isinstance(message.id, str) else message.id[0]
            if re.search(english, text, re.IGNORECASE):
                forms = message.string if isinstance(message.string, tuple | list) else [message.string]
                assert all(re.search(own[language], str(form), re.IGNORECASE) for form in forms), forms


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_filter_has_the_name_of_its_column(language: str) -> None:
    for column in ("By", "About"):
        name, label = (texts(language).gettext(text) for text in (column, f"{column}, as the list shows it"))
        assert label.startswith(f"{name},")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_digits_of_its_text(language: str) -> None:
    for message in filter(lambda message: message.id, catalog_of(language)):
        originals = message.id if isinstance(message.id, tuple | list) else [message.id]
        forms = message.string if isinstance(message.string, tuple | list) else [message.string]
        digits = {"".join(sorted(re.findall(r"\d", str(text)))) for text in (*originals, *forms)}
        assert len(digits) == 1, (originals, forms)


def test_a_text_with_a_sum_has_a_form_for_one() -> None:
    """Apart from one whose sum is at least two."""
    counted = re.compile(r"(\bof|\bof about|^All) %\(\w+\)s (messages|copies|folders|mailboxes|imports)\b")
    single = [m.id for m in template() if isinstance(m.id, str) and counted.search(m.id)]
    assert [text for text in single if not text.endswith("%(new)s new, %(present)s already there.")] == []


def test_the_pages_name_the_rows_that_they_take() -> None:
    said = {
        int(number)
        for message in template()
        for number in re.findall(r"\b(\d+) (?:rows|mailboxes)\b", str(message.id))
    }
    assert said == {PAGE_ROWS}


@pytest.mark.parametrize(("language", "own"), [("de", "„“"), ("fr", "«»"), ("it", "“”"), ("es", "«»")])
def test_quote_marks_are_those_of_the_language_and_paired(language: str, own: str) -> None:
    for text in translations(language):
        assert not set(text) & (set("„“”«»") - set(own)), text
        assert text.count(own[0]) == text.count(own[1]), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_apostrophe_is_no_typewriters(language: str) -> None:
    assert [text for text in translations(language) if re.search(r"\w'\w", text)] == []


def test_spanish_questions_and_calls_are_opened() -> None:
    for text in translations("es"):
        words = re.sub(r"!\w|, !|! (delante|excluye)|# \? @", "", text)
        assert [words.count(sign) for sign in "¿¡"] == [words.count(sign) for sign in "?!"], text


def test_french_signs_have_a_space_before_them() -> None:
    """A plain one, which becomes a no-break space when the text is shown."""
    sign = re.compile(r"[^ ][;?!»](?!\S)|[^ ]:(?!\S)|«[^ ]")
    shown = (
        re.sub(r"ada@new\.example: new\.example, other\.example;", "", text) for text in translations("fr")
    )
    assert [text for text in shown if sign.search(text)] == []


@pytest.mark.parametrize(
    ("language", "bare"), [("fr", "jusqu’à|depuis|avant"), ("es", "hasta|desde"), ("it", "fino a|da|a|dopo")]
)
def test_a_time_begins_with_a_day_and_has_an_article(language: str, bare: str) -> None:
    time = re.compile(rf"(?<!\w)({bare}) %\((until|instant|time|since|day|date|end|oldest|newest)\)s")
    assert [text for text in translations(language) if time.search(text)] == []


def test_italian_has_no_infinitives_in_place_of_imperatives() -> None:
    """Questions have them, and prohibitions."""
    others = "Titolare|lettere|disfare la copia|importare in nuove"
    infinitive = re.compile(rf"(?:^|[.:;] )(?!{others})[A-Za-z]\w*[aei]r(?:e|l[aoei]|ne)\b(?![^.]*\?)")
    assert [text for text in translations("it") if infinitive.search(text)] == []


def test_numbers_sizes_durations_and_times_are_localised() -> None:
    german, english = texts("de"), texts("en")
    assert german.number(120_411) == "120.411"
    assert english.number(120_411) == "120,411"
    assert german.size(1_940_000) == "1,9\u00a0MB"
    assert english.size(1) == "1 byte"
    assert german.ngettext("%(num)s message", "%(num)s messages", 2) == "2 Nachrichten"
    assert english.span(timedelta(minutes=61)) == "61 minutes"
    assert german.span(timedelta(days=9)) == "9 Tage"
    assert german.about(18_000, 108_000) == "5\u00a0Stunden – 30\u00a0Stunden"
    assert german.instant(datetime(2026, 3, 2, 12, tzinfo=UTC)).endswith("12:00 UTC")


@pytest.mark.parametrize(
    ("asked", "accepted", "spoken"),
    [
        ("", "de-CH,de;q=0.9,en;q=0.8", "de-CH"),
        ("de", "fr, de-CH;q=0.5", "de-CH"),
        ("de-AT", "de-CH", "de-AT"),
        ("", "de-XX, en;q=0.8", "de"),
        ("", "en-gb", "en-GB"),
        ("", "pt, it;q=0.4, fr;q=0.7", "fr"),
        ("es", "de", "es"),
        ("xx", "de;q=0, en;q=0.1", "en"),
        ("", "", "en"),
        ("", "de;q=many, *", "en"),
    ],
)
def test_the_language_is_the_requested_one_or_the_best_accepted_by_the_browser(
    asked: str, accepted: str, spoken: str
) -> None:
    assert chosen(asked, accepted) == spoken
