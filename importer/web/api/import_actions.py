"""Pause, resume, retry or cancel all imports that the query parameters select."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Final

from fastapi import APIRouter, Query

from importer.domain.bulk_action import BulkAction
from importer.service.imports.bulk_control import AUDIT_ACTIONS, MAX_CHANGED, carry_out, select
from importer.web.api.authentication import Writer
from importer.web.api.import_filters import Chosen
from importer.web.api.problem_details import ProblemAnswer
from importer.web.api.schemas import ActionOut, import_out
from providers.text import Text

router: Final = APIRouter(tags=["do"])


@router.post("/import-actions/{action}")
def act_on_imports(
    caller: Writer,
    action: BulkAction,
    chosen: Chosen,
    confirm: Annotated[
        int | None, Query(ge=1, description="The number of imports that the request without it named.")
    ] = None,
) -> ActionOut:
    """Change the imports that match and that the action can change.

    Without `confirm` nothing is changed, and the answer says how many there are. With that number the first
    250 are changed, newest first, unless the number is another one by now (409). `left` is what to confirm
    next.
    """
    selection = select(caller.deps, action, chosen.of(caller))
    number = len(selection.ids)
    now = caller.deps.clock.now()
    examples = [import_out(caller.texts, import_, now) for import_ in selection.examples]
    if confirm is None:
        return ActionOut(selected=number, changed=0, left=number, effects={}, examples=examples)
    if confirm != number:
        raise ProblemAnswer("not_possible", Text("api.not_possible.other_number", number=number))
    changes = [*carry_out(caller.deps, action, selection.ids[:MAX_CHANGED])]
    caller.audit.action = AUDIT_ACTIONS[action]
    caller.audit.targets = [changed.import_.id for changed in changes]
    effects = Counter(changed.effect.value for changed in changes)
    left = number - min(number, MAX_CHANGED)
    return ActionOut(selected=number, changed=len(changes), left=left, effects=effects, examples=[])
