"""The result of checking an evidence file, in plain sentences."""

from __future__ import annotations

from importer.domain.evidence.evidence_check import EvidenceCheck, Fault
from importer.i18n.translations import CatalogTranslator


def fault_text(texts: CatalogTranslator, fault: Fault) -> str:
    """The fault, and the line of the file."""
    match fault.code:
        case "line_altered":
            said = texts.gettext("altered, or a line before it was added or removed")
        case "line_unreadable":
            said = texts.gettext("not in the form of an evidence file")
        case "sum":
            said = texts.gettext(
                "the messages of the folder %(folder)s do not add up to its numbers", folder=fault.where
            )
        case "seal_missing":
            said = texts.gettext("the seal is missing: the file was cut off, or lines were added behind it")
        case "seal_lines":
            said = texts.gettext("the seal states another number of lines")
        case "seal_digest":
            said = texts.gettext("the seal states another SHA-256 than that of the lines before it")
        case _:
            said = texts.gettext("the signature does not belong to these lines")
    return texts.gettext("Line %(line)s: %(fault)s.", line=str(fault.line), fault=said)


def counted_text(texts: CatalogTranslator, check: EvidenceCheck) -> str:
    """The number of messages in the file."""
    return texts.ngettext(
        "The file accounts for %(num)s message.",
        "The file accounts for %(num)s messages.",
        check.outcomes.total(),
    )


def signed_text(texts: CatalogTranslator, check: EvidenceCheck, *, known: bool) -> str:
    """Whether the file is unaltered, and its signer; `known`: the expected key signed it."""
    key = check.public_key
    if not key:
        return texts.gettext("The file has no signature.")
    if any(fault.code != "sum" for fault in check.faults):
        return texts.gettext("The file is not what was signed.")
    if known:
        return texts.gettext("Unaltered, and signed with the key %(key)s.", key=key)
    return texts.gettext(
        "Unaltered since it was signed with the key %(key)s, which is not the expected one.", key=key
    )
