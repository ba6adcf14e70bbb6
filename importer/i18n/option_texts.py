"""Options of imports in forms and reports, in the reader's language."""

from __future__ import annotations

from typing import NamedTuple

from importer.domain.import_options import OPTIONS, ImportOptions, Option, text_of
from importer.i18n.translations import CatalogTranslator


class FormChoice(NamedTuple):
    """A word of an option with its translated name and meaning."""

    value: str
    name: str
    meaning: str


class FormOption(NamedTuple):
    """An option as a form field: with `words` a choice of one, else a tick box (`is_flag`) or a text."""

    name: str
    title: str
    meaning: str
    words: tuple[FormChoice, ...]
    is_flag: bool
    needs_labels: bool
    for_many: bool


def form_options(texts: CatalogTranslator) -> list[FormOption]:
    """All options in the order of the table."""
    return [
        FormOption(
            option.name,
            texts.gettext(option.title),
            texts.gettext(option.meaning),
            _words(texts, option),
            option.api_type is bool,
            option.needs_labels,
            option.for_many,
        )
        for option in OPTIONS.values()
    ]


def _words(texts: CatalogTranslator, option: Option) -> tuple[FormChoice, ...]:
    return tuple(FormChoice(w.value, texts.gettext(w.name), texts.gettext(w.meaning)) for w in option.words)


def word_sentences(texts: CatalogTranslator, name: str, value: object) -> str:
    """The name and the meaning of a word of an option, as two sentences."""
    [(_, title, meaning)] = [word for word in _words(texts, OPTIONS[name]) if word.value == value]
    return f"{title}. {meaning}"


def chosen_options(texts: CatalogTranslator, options: ImportOptions) -> list[tuple[str, str]]:
    """(title, value) of the options about the copy that differ from their defaults. Options about labels are
    left out: the texts about labels show them. The values may contain foreign text."""
    return [
        (texts.gettext(OPTIONS[name].title), _value(texts, OPTIONS[name], value))
        for name, value in options.chosen.items()
        if not (OPTIONS[name].needs_labels or OPTIONS[name].for_many)
    ]


def _value(texts: CatalogTranslator, option: Option, value: object) -> str:
    if isinstance(value, bool):
        return texts.gettext("yes") if value else texts.gettext("no")
    names = {word.value: word.name for word in _words(texts, option)}
    return names.get(text_of(value), text_of(value))
