"""The imports that an `ImportFilter` selects, evaluated import by import."""

from __future__ import annotations

from importer.domain.import_filter import ImportFilter
from importer.domain.model import Batch, Import
from importer.domain.reporting.batch_overview import standing


def is_selected(chosen: ImportFilter, import_: Import, batch: Batch | None) -> bool:
    """`batch` is that of the import, None if it has none."""
    addresses = (import_.source.address, import_.destination.address)
    hosts = (import_.source.endpoint.host, import_.destination.endpoint.host)
    people = (batch.owner, batch.submitter) if batch is not None else ()
    words = (*addresses, *hosts, *people, *((batch.name,) if batch is not None else ()))
    domain, host = f"@{chosen.domain.lower().lstrip('@')}", chosen.host.lower()
    reason = "" if import_.problem is None else import_.problem.code
    before, after = chosen.created_before, chosen.created_after
    return all(
        (
            chosen.owner is None or (batch is not None and batch.owner == chosen.owner),
            not chosen.submitted_by
            or _has(chosen.submitted_by, *people)
            or (chosen.is_by_console and batch is not None and not batch.owner),
            _has(chosen.address, *addresses),
            not chosen.words or _has(chosen.words, *words) or import_.id.startswith(chosen.words.lower()),
            chosen.batch_id in (None, import_.batch_id),
            import_.id.startswith(chosen.beginning),
            not host or host in (each.lower() for each in hosts),
            not chosen.domain or any(each.lower().endswith(domain) for each in addresses),
            not chosen.states or import_.state in chosen.states,
            chosen.standing in (None, standing(import_)),
            chosen.reason in ("", reason),
            before is None or import_.created_at < before,
            after is None or import_.created_at > after,
        )
    )


def _has(part: str, *texts: str) -> bool:
    return any(part.lower() in text.lower() for text in texts)
