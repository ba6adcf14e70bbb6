"""View models of the operators' pages: rows of imports with their owners, and hosts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from importer.domain.model import Batch, Import, ImportId
from importer.domain.planning.pace import Rate, average_rate
from importer.i18n.translations import CatalogTranslator
from importer.service.deps import Deps
from importer.web.live_progress import Snapshot
from importer.web.view_models import ImportView, import_view


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """An import and its owner."""

    one: ImportView
    owner: str


def operator_rows(
    deps: Deps,
    texts: CatalogTranslator,
    imports: Sequence[Import],
    rates: Mapping[ImportId, Rate] | None = None,
) -> list[OperatorRow]:
    """The rows of these imports, from one query."""
    ids = [*dict.fromkeys(import_.batch_id for import_ in imports if import_.batch_id is not None)]
    batches = {batch.id: batch for batch in deps.store.batches(len(ids), ids=ids)} if ids else {}
    now, known = deps.clock.now(), rates or {}
    return [
        OperatorRow(
            import_view(texts, Snapshot(import_, known.get(import_.id) or average_rate(import_)), now),
            owner_text(texts, batches.get(import_.batch_id) if import_.batch_id is not None else None),
        )
        for import_ in imports
    ]


def owner_text(texts: CatalogTranslator, batch: Batch | None) -> str:
    """The owner of the imports of a batch: the login of a mailbox, the name of a client, or, for an account
    at an OpenID issuer, the address that receives the reports."""
    kind, _, name = ("" if batch is None else batch.owner).partition(":")
    match kind:
        case "mailbox":
            return name.partition(" ")[0]
        case "openid" if batch is not None and batch.submitter:
            return batch.submitter
        case "":
            return texts.gettext("console")
        case _:
            return f"{kind}:{name}"
