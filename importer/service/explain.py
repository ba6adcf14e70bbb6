"""Why an import stands where it stands: what the store knows of it, put into words by the domain."""

from __future__ import annotations

from importer.domain.model import Import
from importer.domain.reporting.explanation import Explanation, ExplanationContext
from importer.domain.reporting.explanation import explain as explained
from importer.service.deps import Deps
from importer.service.finish import report_of


def explain(deps: Deps, import_: Import) -> Explanation:
    """The explanation as of now."""
    now = deps.clock.now()
    around = ExplanationContext(
        now=now,
        worker=deps.store.holder(f"import:{import_.id}", now) or "",
        writer=deps.store.holder(f"mailbox:{import_.destination.key}", now) or "",
        undone=deps.store.undo_report(import_.id),
        has_passwords=deps.store.grants(import_.id) is not None,
    )
    return explained(report_of(deps, import_), around)
