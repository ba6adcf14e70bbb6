"""Security events of the console: an operator's actions on imports and tokens."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterable

from importer.domain.audit_event import OPERATOR, AuditAction, AuditActor, AuditOutcome
from importer.service.access.audit import record_event, record_import_event
from importer.service.deps import Deps
from providers.text import Text


def operator() -> AuditActor:
    """The user at this console: with sudo, the user who called it, otherwise the user of the process."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a container may have no entry for its user
        name = str(os.getuid())
    return AuditActor(f"{OPERATOR}{name}")


def record_operator(
    deps: Deps,
    action: AuditAction,
    targets: Iterable[str],
    outcome: AuditOutcome = AuditOutcome.DONE,
    *,
    detail: Text | None = None,
) -> None:
    """Add one event for each target: ids of imports, or of tokens."""
    about_imports = action in AuditAction.about_imports()
    for target in targets:
        if about_imports:
            record_import_event(deps, action, outcome, operator(), target, detail=detail)
        else:
            record_event(deps, action, outcome, operator(), target=target, detail=detail)
