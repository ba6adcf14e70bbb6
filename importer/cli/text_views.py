"""Output for a terminal. All foreign text passes through `plain`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Final

from rich.markup import escape
from rich.text import Text

from importer.cli.exit_codes import stderr, stdout
from importer.cli.import_list import address_lines
from importer.domain.csv_import.import_rows import Row
from importer.domain.import_options import ImportOptions
from importer.domain.model import Import
from importer.domain.reporting.formatting import printable
from importer.i18n.option_texts import chosen_options, word_sentences
from importer.i18n.translations import N_, CatalogTranslator
from importer.i18n.wait_texts import maintenance_text
from importer.ports.monitoring import Maintenance
from importer.service.access.consent_requests import Links
from importer.service.imports.submit import RowOutcome, SubmittedRow
from providers.catalog import provider_of_host
from providers.errors import Side
from providers.provider import Quirk

_UNPRINTABLE: Final = re.compile(
    # C1 controls and DEL; zero-width and direction marks, separators, other formats; lone surrogates
    "[\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)


def plain(text: str, max_chars: int = 200) -> str:
    """Foreign text, escaped for the terminal and for Rich's markup."""
    return escape(printable(text, max_chars))


def print_json(facts: object) -> None:
    """One JSON value on standard output. Characters that could steer a terminal are escaped (`\\u009b`); a
    program that reads it sees no difference."""
    print(_UNPRINTABLE.sub(_escaped, json.dumps(facts, indent=2, ensure_ascii=False)))  # noqa: T201


def _escaped(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]


_OUTCOMES: Final = {
    RowOutcome.STARTED: N_("started"),
    RowOutcome.DONE: N_("already complete: nothing to do (`--again` starts it again, to copy new mail)"),
    RowOutcome.UNDER_WAY: N_("already under way"),
    RowOutcome.PASSWORD_UPDATED: N_("under way, continues with the new password"),
}


def print_submitted_row(texts: CatalogTranslator, submitted: SubmittedRow) -> None:
    """The outcome of one submitted row, with its addresses below."""
    import_, line = submitted.import_, submitted.row.line
    head = Text(import_.id, style="bold")
    if line:
        head = Text.assemble(texts.gettext("line %(num)s", num=line), "  ", head)
    style = "green" if submitted.outcome is RowOutcome.STARTED else ""
    stdout.print(Text.assemble(head, "  ", (texts.gettext(_OUTCOMES[submitted.outcome]), style)))
    stdout.print(*address_lines(import_, stdout.width), sep="\n")


def print_maintenance(texts: CatalogTranslator, current: Maintenance | None) -> None:
    """The notice that imports are held, on standard error; nothing otherwise."""
    if current is not None:
        said = maintenance_text(texts, current.since, current.note)
        stderr.print(Text(said, style="yellow"), soft_wrap=True)


def print_choices(texts: CatalogTranslator, imports: Iterable[Import]) -> None:
    """The chosen options of each import that have an effect."""
    for import_ in imports:
        choices = list(chosen_options(texts, import_.options))
        if import_.has_labels:
            choices.insert(0, (texts.gettext("Labels"), _label_rule(texts, import_.options)))
        for title, value in choices:
            stdout.print(Text(f"{import_.id}  {title}{texts.colon} {printable(value, 400)}"))


def _label_rule(texts: CatalogTranslator, import_options: ImportOptions) -> str:
    return word_sentences(texts, "labels", import_options.labels)


def print_consent_links(texts: CatalogTranslator, links: Links) -> None:
    """The links with which owners sign in, for the operator to forward; each on one line."""
    for import_id, by_side in links.items():
        for side, link in by_side.items():
            waits = (
                texts.gettext("waits for the owner of the old mailbox to sign in:")
                if side is Side.SOURCE
                else texts.gettext("waits for the owner of the new mailbox to sign in:")
            )
            stdout.print(f"[yellow]…[/] {import_id} {waits} {plain(link)}", soft_wrap=True)


def print_label_rules(texts: CatalogTranslator, rows: Sequence[Row], import_options: ImportOptions) -> None:
    """The rule for labels, before an import from a host with labels starts."""
    providers = [provider_of_host(row.source.endpoint.host) for row in rows]
    rules = {
        import_options.choose(row.choices).labels: provider.name
        for row, provider in zip(rows, providers, strict=True)
        if provider is not None and Quirk.LABELS in provider.quirks
    }
    for rule, name in rules.items():
        at_host = texts.gettext("Labels at %(host)s:", host=name)
        choose = texts.gettext("`--labels` chooses.")
        stderr.print(f"{at_host} {word_sentences(texts, 'labels', rule)} [dim]{choose}[/]", soft_wrap=True)
