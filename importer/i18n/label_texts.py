"""Names and descriptions of the label rules, in the reader's language."""

from __future__ import annotations

from typing import Final, NamedTuple

from importer.domain.folder_mapping.label_rules import LabelRule
from importer.i18n.translations import N_, CatalogTranslator

_RULES: Final = {
    LabelRule.ONE: (
        N_("One copy"),
        N_(
            "In the folder of its most specific label: your own labels come before Inbox and Sent,"
            " nested labels before their parents."
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
    """A label rule with its translated name and description."""

    rule: LabelRule
    name: str
    meaning: str


def label_choices(texts: CatalogTranslator) -> list[Choice]:
    """All label rules; the default comes first."""
    return [
        Choice(rule, texts.gettext(name), texts.gettext(meaning)) for rule, (name, meaning) in _RULES.items()
    ]


def label_rule(texts: CatalogTranslator, rule: LabelRule) -> str:
    """The name and the description of a label rule, as two sentences."""
    name, meaning = _RULES[rule]
    return f"{texts.gettext(name)}. {texts.gettext(meaning)}"
