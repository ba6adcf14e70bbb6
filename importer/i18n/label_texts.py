"""The rules for mail with several labels, in the reader's language."""

from __future__ import annotations

from typing import Final, NamedTuple

from importer.domain.folder_mapping.label_rules import LabelRule
from importer.i18n.translations import N_, CatalogTranslator

_SAID: Final = {
    LabelRule.ONE: (
        N_("One copy"),
        N_(
            "In the folder of its most specific label: your own labels before Inbox and Sent, nested ones"
            " before the ones above them."
        ),
    ),
    LabelRule.KEYWORDS: (
        N_("One copy, with its other labels as tags"),
        N_("In the folder of its most specific label. Mail programs such as Thunderbird show the tags."),
    ),
    LabelRule.EACH: (
        N_("A copy for each label"),
        N_("Every folder has all of its mail, and each copy takes up space."),
    ),
}


class Choice(NamedTuple):
    """One of the rules: what it is called, and what it means."""

    rule: LabelRule
    name: str
    meaning: str


def label_choices(texts: CatalogTranslator) -> list[Choice]:
    """All rules, the usual one first."""
    return [Choice(rule, texts.gettext(name), texts.gettext(told)) for rule, (name, told) in _SAID.items()]


def label_rule(texts: CatalogTranslator, rule: LabelRule) -> str:
    """One rule, in two sentences."""
    name, told = _SAID[rule]
    return f"{texts.gettext(name)}. {texts.gettext(told)}"
