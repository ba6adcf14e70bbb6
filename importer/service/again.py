"""Running an import again: a new one on the same route, which brings only what is new."""

from __future__ import annotations

from importer.domain.csv_import.import_rows import Row
from importer.domain.folder_mapping.label_rules import LabelRule
from importer.domain.model import Import
from importer.domain.people.batch_right import NO_RIGHT, BatchRight
from importer.service.deps import Deps
from importer.service.submit import Placed, submit
from providers.endpoint import Secret


def run_again(
    deps: Deps,
    import_: Import,
    source_password: Secret | None,
    destination_password: Secret | None,
    *,
    source_sign_in: str = "",
    destination_sign_in: str = "",
    labels: LabelRule | None = None,
    sync_flags: bool | None = None,
    submitter: str = "",
    language: str = "",
    organisation: bool = False,
    right: BatchRight = NO_RIGHT,
) -> Placed:
    """Submits the route of an earlier import once more, complete or not, with its choices about labels and
    flags where no others are given. When another import of the route is under way, that one is `Placed`, with
    these passwords from now on. Who may look at the earlier one may look at the new one.

    A side without a password is opened as `Row` says; `organisation` and `right` as for `submit`.
    """
    row = Row(
        0,
        import_.source,
        source_password,
        import_.destination,
        destination_password,
        source_sign_in=source_sign_in,
        destination_sign_in=destination_sign_in,
        labels=labels,
        sync_flags=sync_flags,
    ).chosen(import_.labels, sync_flags=import_.sync_flags)
    batch = deps.store.batch(import_.batch_id) if import_.batch_id is not None else None
    submission = submit(
        deps,
        [row],
        name="again",
        submitter=submitter or import_.submitter,
        owner=batch.owner if batch is not None else "",
        language=language or import_.language,
        again=True,
        organisation=organisation,
        right=right,
    )
    return submission.placed[0]
