"""The current phase of a leg, with its count, in the reader's language."""

from __future__ import annotations

from importer.domain.model import Import, Phase, State
from importer.domain.reporting.mailbox_check import Check
from importer.i18n.translations import N_, CatalogTranslator

_PHASES = {
    Phase.CONNECTING: (N_("Connecting."), "", ""),
    Phase.READING_FOLDERS: (
        N_("Reading folders."),
        N_("Reading folders: %(done)s."),
        N_("Reading folders: %(done)s of %(total)s."),
    ),
    Phase.MEASURING_FOLDERS: (
        N_("Measuring folders."),
        N_("Measuring folders: %(done)s."),
        N_("Measuring folders: %(done)s of %(total)s."),
    ),
    Phase.MAKING_FOLDERS: (
        N_("Creating folders."),
        N_("Creating folders: %(done)s."),
        N_("Creating folders: %(done)s of %(total)s."),
    ),
    Phase.COPYING: (N_("Copying."), "", ""),
    Phase.RECOUNTING: (
        N_("Counting again."),
        N_("Counting folders again: %(done)s."),
        N_("Counting folders again: %(done)s of %(total)s."),
    ),
}


def phase_text(texts: CatalogTranslator, import_: Import) -> str:
    """`Reading folders: 37 of 2,004.`; "" unless it is running."""
    if import_.state is not State.RUNNING:
        return ""
    progress = import_.progress
    return counted(texts, progress.phase, progress.phase_done, progress.phase_total)


def check_phase_text(texts: CatalogTranslator, check: Check) -> str:
    """The phase of a check; "" once it has ended."""
    return "" if check.phase is None else counted(texts, *check.phase)


def counted(texts: CatalogTranslator, phase: Phase, done: int, total: int) -> str:
    """The phase with its count, as far as known."""
    name, of_unknown, of_total = _PHASES[phase]
    if total and of_total:
        return texts.gettext(of_total, done=texts.number(done), total=texts.number(total))
    if done and of_unknown:
        return texts.gettext(of_unknown, done=texts.number(done))
    return texts.gettext(name)
