"""The states of imports in the reader's language."""

from __future__ import annotations

from typing import Final

from importer.domain.model import State
from importer.i18n.translations import N_, CatalogTranslator

_WORDS: Final = {
    State.QUEUED: N_("Queued"),
    State.RUNNING: N_("Copying"),
    State.WAITING: N_("Waiting"),
    State.PAUSED: N_("Paused"),
    State.COMPLETE: N_("Complete"),
    State.INCOMPLETE: N_("Finished with gaps"),
    State.STOPPED: N_("Stopped"),
    State.CANCELLED: N_("Cancelled"),
    State.UNDONE: N_("Undone"),
    State.FAILED: N_("Failed"),
}


def state_word(texts: CatalogTranslator, state: State) -> str:
    """One or a few words, with a capital."""
    return texts.gettext(_WORDS[state])
