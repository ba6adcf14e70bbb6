"""The question before many imports are changed."""

from __future__ import annotations

from importer.domain.bulk_action import BulkAction
from importer.i18n.translations import CatalogTranslator


def bulk_question(texts: CatalogTranslator, action: BulkAction, number: int) -> str:
    """The question whether to change that number of imports."""
    match action:
        case BulkAction.PAUSE:
            return texts.ngettext("Pause %(num)s import?", "Pause %(num)s imports?", number)
        case BulkAction.RESUME:
            return texts.ngettext("Resume %(num)s import?", "Resume %(num)s imports?", number)
        case BulkAction.RETRY:
            return texts.ngettext("Retry %(num)s import?", "Retry %(num)s imports?", number)
        case BulkAction.RETRY_FAILED:
            return texts.ngettext(
                "Try the failed messages of %(num)s import again?",
                "Try the failed messages of %(num)s imports again?",
                number,
            )
        case BulkAction.CANCEL:
            return texts.ngettext(
                "Cancel %(num)s import and erase its passwords?",
                "Cancel %(num)s imports and erase their passwords?",
                number,
            )
