"""`token`: who may use the API."""

from __future__ import annotations

from typing import Annotated

import typer

from importer.bootstrap import reading
from importer.cli import show
from importer.cli.exits import Usage, stderr, stdout
from importer.cli.options import Data, Json
from importer.domain.access import Scope
from importer.service.tokens import NameTaken
from importer.service.tokens import create as create_token
from importer.settings import Settings

app = typer.Typer(help="Make, list and end tokens of the API.", no_args_is_help=True)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Who will use it, such as control-panel.")],
    scope: Annotated[
        list[Scope] | None, typer.Option(help="What it may do; both when left out.", case_sensitive=False)
    ] = None,
    data: Data = None,
) -> None:
    """Make a token and show it once.

    Example: mailferry token create control-panel --scope imports:read
    """
    with reading(Settings.load(data=data)) as deps:
        try:
            text = create_token(deps, name, scope or tuple(Scope))
        except NameTaken:
            raise Usage(f"There is a token called {name}; end it first, or take another name.") from None
    stderr.print("Keep it now: it is not shown again.")
    print(text)  # noqa: T201 - the one thing on standard output


@app.command("list")
def list_(data: Data = None, as_json: Json = False) -> None:
    """List the tokens, without what opens anything.

    Example: mailferry token list
    """
    with reading(Settings.load(data=data)) as deps:
        found = deps.store.tokens()
    if as_json:
        show.print_json(
            [
                {"name": t.name, "scopes": sorted(t.scopes), "created_at": t.created_at.isoformat()}
                for t in found
            ]
        )
    else:
        for token in found:
            stdout.print(f"[bold]{show.plain(token.name)}[/]  {', '.join(sorted(token.scopes))}")


@app.command("end")
def end(name: Annotated[str, typer.Argument(help="Its name.")], data: Data = None) -> None:
    """End a token; what it started goes on.

    Example: mailferry token end control-panel
    """
    with reading(Settings.load(data=data)) as deps:
        if not deps.store.end_token(name):
            raise Usage(f"There is no token called {name}.")
