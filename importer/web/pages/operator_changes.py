"""The operators' pause, resume, retry and cancel of selected imports, after a confirmation.

Invariant: exactly the imports that the confirmation listed are changed, and each change is recorded when it
is made.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from importer.domain.bulk_action import BulkAction
from importer.domain.model import Import, ImportId
from importer.domain.people.actor import Actor
from importer.domain.people.batch_right import right_of_console
from importer.i18n.bulk_texts import bulk_question
from importer.i18n.code_texts import render_with_advice
from importer.service.access.visibility import is_id
from importer.service.imports.bulk_control import MAX_CHANGED, carry_out, possible, record_change, select
from importer.service.imports.control import Effect
from importer.service.queries import find_imports
from importer.web.operator_filter import OperatorFilter, Wanted
from importer.web.operator_views import operator_rows
from importer.web.pages.operator_access import SignedInOperator, actor_of
from importer.web.rendering import page
from importer.web.request_context import Fields, Guest, field_text
from importer.web.shown_state import IDS_FIELD, PageOutdated, changes_shown, fingerprint, is_current

router: Final = APIRouter()

_TONES: Final = {"done": "good", "soon": "good", "too late": "warn", "not possible": "bad"}


@router.get("/operator/changes")
def confirm_changes(
    operator: SignedInOperator,
    wanted: Wanted,
    action: BulkAction,
    id: Annotated[list[str] | None, Query(max_length=MAX_CHANGED)] = None,
    every: str = "",
    after: str = "",
) -> Response:
    """The chosen imports that the action can change: the named ones, or with `every` those that match the
    conditions, at most MAX_CHANGED of them, which follow `after`."""
    texts, deps = operator.visitor.texts, operator.visitor.site.deps
    imports: list[Import] = []
    has_more = False
    if not every:
        named = find_imports(deps, [ImportId(each) for each in id or () if is_id(each)])
        imports = possible(action, named)
    elif not wanted.wrong:
        imports, has_more = _matching(operator, wanted, action, after)
    ids = [import_.id for import_ in imports]
    return page(
        operator,
        "operator_confirm.html",
        tab="imports",
        action=action,
        question=bulk_question(texts, action, len(ids)),
        rows=operator_rows(deps, texts, imports),
        ids=",".join(ids),
        shown=fingerprint(operator, changes_shown(action, ids)),
        has_more=has_more,
        following=_following(wanted, action, ids) if has_more else "",
        back=f"/operator/imports{wanted.query()}",
    )


@router.post("/operator/changes")
def change_imports(operator: SignedInOperator, fields: Fields) -> Response:
    texts, deps = operator.visitor.texts, operator.visitor.site.deps
    action, ids = _sealed(operator, fields)
    changes = []
    # New imports keep the recipient and the language of the earlier ones.
    rights = Actor(right=right_of_console(operator.visitor.site.settings.master), organisation=True)
    for changed in carry_out(deps, action, ids, rights):
        record_change(deps, actor_of(operator), action, changed)
        changes.append(changed)
    effects = Counter((_TONES[each.effect.value], render_with_advice(each.text, texts)) for each in changes)
    following = field_text(fields, "following")
    return page(
        operator,
        "operator_changed.html",
        tab="imports",
        effects=effects.most_common(),
        refused=[
            (each.import_, render_with_advice(each.text, texts))
            for each in changes
            if each.effect is Effect.NOT_POSSIBLE
        ],
        following=following if following.startswith("/operator/changes?") else "",
    )


def _matching(
    operator: Guest, wanted: OperatorFilter, action: BulkAction, after: str
) -> tuple[list[Import], bool]:
    """The next imports that match and permit the action, and whether more follow."""
    deps = operator.visitor.site.deps
    last = ImportId(after) if is_id(after) else None
    chosen = wanted.chosen(deps.clock.now(), operator.visitor.texts)
    selection = select(deps, action, chosen, MAX_CHANGED + 1, after=last)
    return find_imports(deps, selection.ids[:MAX_CHANGED]), len(selection.ids) > MAX_CHANGED


def _following(wanted: OperatorFilter, action: BulkAction, ids: list[ImportId]) -> str:
    return f"/operator/changes{wanted.query(action=action.value, every='yes', after=ids[-1])}"


def _sealed(operator: Guest, fields: Any) -> tuple[BulkAction, tuple[ImportId, ...]]:
    """The action and the imports that the confirmation showed. Raises PageOutdated for any other page."""
    name = field_text(fields, "action")
    ids = tuple(ImportId(each) for each in field_text(fields, IDS_FIELD).split(","))
    if name not in list(BulkAction) or not is_current(operator, fields, changes_shown(name, ids)):
        raise PageOutdated
    return BulkAction(name), ids
