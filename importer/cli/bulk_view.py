"""Actions on many imports at the console: the selected imports, the question, and the results."""

from __future__ import annotations

import sys
from collections import Counter

from rich.text import Text

from importer.cli import text_views
from importer.cli.control_view import SYMBOLS, change_json, print_change
from importer.cli.exit_codes import Usage, exit_with, stderr, stdout
from importer.cli.filter_options import Many
from importer.cli.import_list import ImportList
from importer.cli.operator_events import operator
from importer.cli.yes_or_no import is_confirmed
from importer.domain.bulk_action import BulkAction
from importer.domain.people.actor import Actor
from importer.domain.reporting.report import ExitCode
from importer.i18n.bulk_texts import bulk_question
from importer.i18n.code_texts import render_with_advice
from importer.i18n.translations import CatalogTranslator
from importer.service.deps import Deps
from importer.service.imports.bulk_control import Selection, carry_out, record_change, select
from importer.service.imports.control import Changed, Effect


def change_many(
    deps: Deps,
    words: CatalogTranslator,
    action: BulkAction,
    many: Many,
    *,
    actor: Actor,
    as_json: bool,
) -> None:
    """Select, show, ask, change, and print the effects. Raises Usage without a terminal and without --yes."""
    selection = select(deps, action, many.wanted.chosen(deps, words))
    if not selection.ids:
        if as_json:
            text_views.print_json([])
        else:
            stdout.print(Text(words.gettext("No import matches.")))
        return
    if not many.yes:
        confirm(deps, words, selection)
    changes = []
    with stderr.status(words.gettext("%(done)s of %(total)s", done=0, total=len(selection.ids))) as status:
        for changed in carry_out(deps, action, selection.ids, actor):
            record_change(deps, operator(), action, changed)
            changes.append(changed)
            status.update(words.gettext("%(done)s of %(total)s", done=len(changes), total=len(selection.ids)))
    if as_json:
        text_views.print_json([change_json(words, changed) for changed in changes])
    else:
        _print_effects(words, changes)
    impossible = any(changed.effect is Effect.NOT_POSSIBLE for changed in changes)
    raise exit_with(ExitCode.WAITING if impossible else ExitCode.COMPLETE)


def confirm(deps: Deps, words: CatalogTranslator, selection: Selection) -> None:
    """Show the affected imports, and ask. Ends the command unless the answer is yes.

    Raises Usage without a terminal.
    """
    number = len(selection.ids)
    question = bulk_question(words, selection.action, number)
    stderr.print(ImportList(words, selection.examples, deps.clock.now(), with_batch=True))
    if number > len(selection.examples):
        more = number - len(selection.examples)
        stderr.print(Text(words.ngettext("… and %(num)s more", "… and %(num)s more", more), style="dim"))
    if not sys.stdin.isatty():
        how = words.gettext("There is no terminal to confirm on: add --yes to go ahead.")
        raise Usage(f"{question} {how}")
    if not is_confirmed(words, question):
        raise exit_with(ExitCode.WAITING)


def _print_effects(words: CatalogTranslator, changes: list[Changed]) -> None:
    """The number of imports by effect, then each import that could not be changed."""
    effects: Counter[tuple[Effect, str]] = Counter()
    for changed in changes:
        if changed.effect is Effect.NOT_POSSIBLE:
            print_change(words, changed)
        else:
            effects[changed.effect, render_with_advice(changed.text, words)] += 1
    for (effect, text), number in effects.most_common():
        stdout.print(f"{SYMBOLS[effect]} {words.number(number)}  {text_views.plain(text)}", soft_wrap=True)
