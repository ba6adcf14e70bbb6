"""Pause, resume, retry or cancel all imports that the query parameters select, or try their failed messages
again."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Final

from fastapi import APIRouter, Query

from importer.domain.bulk_action import BulkAction
from importer.domain.model import ImportId
from importer.i18n.code_texts import render_with_advice
from importer.service.imports.bulk_control import MAX_CHANGED, carry_out, record_change, select
from importer.service.imports.control import Effect
from importer.service.imports.retry_failed import missing_passwords
from importer.service.queries import find_imports
from importer.web.api.authentication import ApiCaller, Writer
from importer.web.api.import_filters import Chosen
from importer.web.api.problem_details import ProblemAnswer
from importer.web.api.response_schemas import ActionOut, RefusedOut, import_out
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

    `retry-failed` starts imports that try failed messages again, where the mailboxes open without passwords:
    they were erased when the imports ended. `refused` gives the reason for each other one.

    Without `confirm` nothing is changed, and the answer says how many there are. With that number the first
    250 are changed, newest first, unless the number is another one by now (409). `left` is the number to
    confirm next.
    """
    selection = select(caller.deps, action, chosen.of(caller))
    number = len(selection.ids)
    now = caller.deps.clock.now()
    examples = [import_out(caller.texts, import_, now) for import_ in selection.examples]
    if confirm is None:
        return ActionOut(selected=number, changed=0, left=number, effects={}, examples=examples, refused=[])
    if confirm != number:
        raise ProblemAnswer("not_possible", Text("api.not_possible.other_number", number=number))
    ids = selection.ids[:MAX_CHANGED]
    if action is BulkAction.RETRY_FAILED:
        _count_starts(caller, ids)
    effects: Counter[str] = Counter()
    refused: list[RefusedOut] = []
    for changed in carry_out(caller.deps, action, ids, caller.actor):
        record_change(caller.deps, caller.audit_actor, action, changed)
        effects[changed.effect.value] += 1
        if changed.effect in (Effect.NOT_POSSIBLE, Effect.TOO_LATE):
            message = render_with_advice(changed.text, caller.texts)
            refused.append(RefusedOut(id=changed.import_.id, code=changed.text.public_code, message=message))
    left = number - min(number, MAX_CHANGED)
    return ActionOut(
        selected=number, changed=effects.total(), left=left, effects=effects, examples=[], refused=refused
    )


def _count_starts(caller: ApiCaller, ids: tuple[ImportId, ...]) -> None:
    """Count the imports that will start. Raises ProblemAnswer for a destination that the token does not
    permit, and StartsLimited."""
    imports = find_imports(caller.deps, ids)
    for import_ in imports:
        caller.require_destination(import_.destination)
    caller.consume_imports(
        sum(not missing_passwords(caller.deps, caller.actor, import_) for import_ in imports)
    )
