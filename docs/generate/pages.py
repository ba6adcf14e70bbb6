"""Which page is rendered by which function."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from docs.generate import commands, configuration, errors, events, import_options, mail_hosts, sign_in
from importer.domain.csv_import.csv_files import template

DOCS: Final = Path(__file__).parents[1]

PAGES: Final[dict[Path, Callable[[], str]]] = {
    DOCS / "configuration.md": configuration.render,
    DOCS / "cli.md": commands.render,
    DOCS / "errors.md": errors.render,
    DOCS / "events.md": events.render,
    DOCS / "options.md": import_options.render,
    DOCS / "providers.md": mail_hosts.render,
    sign_in.PAGE: sign_in.render,
    DOCS.parent / "templates/csv/batch.csv": template,
}
