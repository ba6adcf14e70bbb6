"""Seals everything stored anew with the newest secret key, so that older ones can be removed."""

from __future__ import annotations

from collections.abc import Mapping

from importer.domain.audit_event import AuditAction, AuditActor, AuditOutcome
from importer.domain.planning.retry_limits import KEY_ROTATION_PASSES
from importer.ports.sealed_values import Renew, Resealed, SealedValues
from importer.service.access.audit import record_event
from importer.service.deps import Deps
from providers.text import Text


def rotate_keys(
    deps: Deps, values: SealedValues, renew: Renew, actor: AuditActor
) -> tuple[int, Mapping[str, Resealed]]:
    """Reseal in passes until one finds nothing to do: the number of values sealed anew, and the numbers of
    the last pass by `table.column`.

    May be interrupted at any time and repeated: values under the newest key are left alone.
    """
    total = 0
    for _ in range(KEY_ROTATION_PASSES):
        found = values.reseal(renew)
        renewed = sum(numbers.renewed for numbers in found.values())
        total += renewed
        if not renewed:
            break
    detail = Text("audit_values", number=total)
    record_event(deps, AuditAction.KEYS_ROTATE, AuditOutcome.DONE, actor, detail=detail)
    return total, found
