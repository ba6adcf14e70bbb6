"""The options that select many imports, shared by `list` and the commands that act on imports."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, NamedTuple

import click

from importer.cli import options
from importer.cli.argument_texts import argument_texts
from importer.cli.found_ids import batch_id_of
from importer.cli.options import EnumChoice, Function, packed
from importer.domain.import_filter import ImportFilter, age_of
from importer.domain.model import State
from importer.i18n.translations import CatalogTranslator
from importer.service.deps import Deps


class Age(click.ParamType[timedelta]):
    """A time span such as 30m, 12h or 3d."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            return age_of(value)
        except ValueError:
            no_age = argument_texts().gettext("“%(value)s” is no age such as 30m, 12h or 3d.", value=value)
            self.fail(no_age, param, ctx)


class FilterOptions(NamedTuple):
    """The options as typed."""

    states: tuple[State, ...]
    batch_id: str | None
    address: str
    owner: str
    host: str
    domain: str
    reason: str
    words: str
    older: timedelta | None
    newer: timedelta | None

    @property
    def any(self) -> bool:
        """Whether any option was given."""
        return any(self)

    def chosen(self, deps: Deps, words: CatalogTranslator) -> ImportFilter:
        """The filter. Raises Usage for an unknown batch."""
        now = deps.clock.now()
        return ImportFilter(
            states=self.states,
            batch_id=batch_id_of(deps, self.batch_id, words) if self.batch_id else None,
            address=self.address,
            submitted_by=self.owner,
            host=self.host,
            domain=self.domain,
            reason=self.reason,
            words=self.words,
            created_before=None if self.older is None else now - self.older,
            created_after=None if self.newer is None else now - self.newer,
        )


_OPTIONS: Final[tuple[Callable[[Function], Function], ...]] = (
    click.option(
        "--state",
        "states",
        type=EnumChoice(State),
        multiple=True,
        metavar="STATE",
        help=f"Only imports in this state; may be repeated. [{', '.join(State)}]",
    ),
    click.option(
        "--batch",
        "batch_id",
        metavar="ID",
        help="Only the imports of this batch.",
        shell_complete=options.complete("complete_batch"),
    ),
    click.option("--address", default="", help="Only imports with this text in one of their two addresses."),
    click.option(
        "--owner",
        default="",
        help="Only imports of batches with this text in their owner (the login of a mailbox, client:NAME of"
        " a token) or in the address of their submitter; `console`: those of the console, too.",
    ),
    click.option("--host", default="", metavar="NAME", help="Only imports from or to this server."),
    click.option("--domain", default="", metavar="NAME", help="Only imports with an address in this domain."),
    click.option(
        "--reason",
        default="",
        metavar="CODE",
        help="Only imports that wait or have stopped for this reason; docs/errors.md lists the codes.",
    ),
    click.option(
        "--search",
        "words",
        default="",
        metavar="TEXT",
        help="Only imports with this text in an address, a server, the name, owner or submitter of their"
        " batch, or at the beginning of their id.",
    ),
    click.option("--older", type=Age(), metavar="AGE", help="Only imports submitted before 30m, 12h or 3d."),
    click.option("--newer", type=Age(), metavar="AGE", help="Only imports submitted since then."),
)


def filter_options(function: Function) -> Function:
    """Passes the options as `wanted: FilterOptions`."""
    function = packed(function, "wanted", FilterOptions, FilterOptions._fields)
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


class Many(NamedTuple):
    """The imports that a command acts on, and whether it skips the question."""

    wanted: FilterOptions
    yes: bool


def many_options(function: Function) -> Function:
    """Passes the options that select imports, and --yes, as `many: Many`."""
    function = packed(function, "many", Many, Many._fields)
    function = click.option("--yes", is_flag=True, help="Go ahead without asking for confirmation.")(function)
    return filter_options(function)
