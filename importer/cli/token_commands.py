"""`token`: what programs need to call the API."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.table import Table

from importer.bootstrap import standalone
from importer.cli import text_views
from importer.cli.exit_codes import Usage, stderr, stdout
from importer.cli.options import DataOption, Json
from importer.domain.people.api_tokens import MAX_NAME_CHARS, ApiToken, TokenScope
from importer.domain.reporting.formatting import spoken_instant
from importer.service.access.api_clients import issue, list_tokens
from importer.service.access.api_clients import revoke as revoke_token
from importer.settings import Settings

app = typer.Typer(
    help="Make, list and revoke the tokens with which programs call the API.", no_args_is_help=True
)


@app.command("create")
def create(
    name: Annotated[
        str, typer.Argument(help="The program that calls. Tokens with one name see the same imports.")
    ],
    scope: Annotated[
        list[TokenScope] | None,
        typer.Option(
            "--scope",
            help="read, write, batch (new mailboxes of its domains without their passwords), or admin for"
            " everybody's imports; may be repeated.",
        ),
    ] = None,
    domain: Annotated[
        list[str] | None,
        typer.Option("--domain", help="Only mailboxes of that domain as destinations; may be repeated."),
    ] = None,
    days: Annotated[int | None, typer.Option("--days", help="How long it is good for.", min=1)] = None,
    webhook: Annotated[
        str, typer.Option("--webhook", help="https address that is called when imports end or need somebody.")
    ] = "",
    data: DataOption = None,
    as_json: Json = False,
) -> None:
    """Make a token. It is shown once, and stored as a digest only.

    Example: mailhaul token create panel --scope read --scope write --domain new.example
    """
    if not re.fullmatch(rf"[\w.@+-]{{1,{MAX_NAME_CHARS}}}", name):
        raise Usage(f"A name has up to {MAX_NAME_CHARS} letters, digits and . _ - + @, and no blanks.")
    scopes = frozenset(scope or [TokenScope.READ])
    domains = frozenset(one.strip().strip("@.").lower() for one in domain or ())
    if not all(re.fullmatch(r"[^\s@/:,]+\.[^\s@/:,]+", one) for one in domains):
        raise Usage("A domain is written like new.example.")
    if domains and TokenScope.ADMIN in scopes:
        raise Usage(
            "A token for everybody's imports cannot be bound to domains: leave --domain or admin out."
        )
    if (
        TokenScope.BATCH in scopes
        and TokenScope.ADMIN not in scopes
        and not (domains and TokenScope.WRITE in scopes)
    ):
        raise Usage(
            "The batch right is for domains, and to start imports: give --domain and --scope write too."
        )
    _check_webhook(webhook)
    with standalone(Settings.load(data=data)) as deps:
        lasts = None if days is None else timedelta(days=days)
        issued = issue(deps, name, scopes, domains=domains, lasts=lasts, webhook_url=webhook)
    signing = issued.webhook_secret.reveal() if issued.webhook_secret is not None else None
    if as_json:
        text_views.print_json(
            {**_json(issued.token), "token": issued.secret.reveal(), "webhook_secret": signing}
        )
        return
    stdout.print(issued.secret.reveal(), soft_wrap=True, markup=False)
    stderr.print(f"That is the token {issued.token.id}. It is not shown again.")
    if signing is not None:
        stdout.print(signing, soft_wrap=True, markup=False)
        stderr.print("That is the secret that signs the calls to the webhook. It is not shown again either.")


@app.command("list")
def list_(data: DataOption = None, as_json: Json = False) -> None:
    """List all tokens there are and were, newest first.

    Example: mailhaul token list
    """
    with standalone(Settings.load(data=data)) as deps:
        found = list_tokens(deps)
    if as_json:
        text_views.print_json([_json(token) for token in found])
        return
    if not found:
        stdout.print("No tokens. Make one with `mailhaul token create NAME`.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("id", "name", "scopes", "domains", "made", "good until", "webhook"):
        table.add_column(column, overflow="fold")
    for token in found:
        table.add_row(
            token.id,
            text_views.plain(token.name),
            ", ".join(sorted(token.scopes)),
            text_views.plain(", ".join(sorted(token.domains)) or "all"),
            spoken_instant(token.created_at),
            _until(token),
            text_views.plain(token.webhook_url),
        )
    stdout.print(table)


@app.command("revoke")
def revoke(
    id_: Annotated[str, typer.Argument(metavar="ID", help="A token's id, as `token list` shows it.")],
    data: DataOption = None,
) -> None:
    """End a token for good, at once. Imports that it started go on.

    Example: mailhaul token revoke k3v9m2xw7abc
    """
    with standalone(Settings.load(data=data)) as deps:
        revoked = revoke_token(deps, id_)
    if revoked is None:
        raise Usage(f"There is no token {text_views.plain(id_)}; `mailhaul token list` shows what there is.")
    stdout.print(f"The token {revoked.id} of {text_views.plain(revoked.name)} opens nothing any more.")


def _check_webhook(url: str) -> None:
    parts = urlsplit(url)
    if url and (
        parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.fragment
    ):
        raise Usage("A webhook is written like https://panel.example.org/mailhaul.")


def _until(token: ApiToken) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return spoken_instant(token.expires_at) if token.expires_at is not None else "always"


def _json(token: ApiToken) -> dict[str, object]:
    return {
        "id": token.id,
        "name": token.name,
        "scopes": sorted(token.scopes),
        "domains": sorted(token.domains),
        "created_at": token.created_at.isoformat(),
        "expires_at": token.expires_at.isoformat() if token.expires_at else None,
        "revoked_at": token.revoked_at.isoformat() if token.revoked_at else None,
        "webhook_url": token.webhook_url,
    }
