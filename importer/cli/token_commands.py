"""`token`: the credentials of programs that call the API."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import click
from rich.table import Table

from importer.bootstrap import standalone
from importer.cli import options, text_views
from importer.cli.console_language import console_texts
from importer.cli.exit_codes import Usage, stderr, stdout
from importer.cli.operator_events import record_operator
from importer.cli.options import EnumChoice
from importer.domain.audit_event import AuditAction
from importer.domain.people.api_tokens import MAX_NAME_CHARS, ApiToken, TokenScope
from importer.domain.reporting.formatting import printable, spoken_instant
from importer.i18n.translations import CatalogTranslator
from importer.service.access.api_clients import Issued, issue_token, list_tokens, revoke
from importer.settings import Settings
from providers.text import Text


@click.group
def token() -> None:
    """Create, list and revoke API tokens."""


@token.command("create")
@click.argument("name", help="Name of the program. Tokens with the same name see the same imports.")
@click.option(
    "--scope",
    "scopes",
    type=EnumChoice(TokenScope),
    multiple=True,
    help="May be repeated. batch: import into new mailboxes of its domains without their passwords; admin:"
    " access to the imports of all users. Default: read.",
)
@click.option(
    "--domain",
    "domains",
    metavar="DOMAIN",
    multiple=True,
    help="Allow only destination mailboxes of this domain; may be repeated.",
)
@click.option(
    "--days",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="Days until the token expires; never if left out.",
)
@click.option("--webhook", metavar="URL", help="URL (https) to call when imports end or need attention.")
@options.data
@options.as_json
def create(
    name: str,
    scopes: tuple[TokenScope, ...],
    domains: tuple[str, ...],
    days: int | None,
    webhook: str | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Create a token.

    The token is shown only once; only a digest of it is stored.

    \b
    Example:
      mailhaul token create panel --scope read --scope write --domain new.example
    """
    settings = Settings.load(data=data)
    words = console_texts(settings)
    _check_name(words, name)
    granted = frozenset(scopes or [TokenScope.READ])
    allowed = frozenset(domain.strip().strip("@.").lower() for domain in domains)
    _check_rights(words, granted, allowed)
    _check_webhook(words, webhook or "")
    lifetime = None if days is None else timedelta(days=days)
    with standalone(settings) as deps:
        issued = issue_token(
            deps, name, granted, domains=allowed, lifetime=lifetime, webhook_url=webhook or ""
        )
        detail = Text("audit_token.scopes", name=name, scopes=", ".join(sorted(granted)))
        record_operator(deps, AuditAction.TOKEN_CREATE, [issued.token.id], detail=detail)
    _print_issued(words, issued, as_json=as_json)


@token.command("list")
@options.data
@options.as_json
def list_(data: Path | None, as_json: bool) -> None:
    """List all tokens, newest first, including expired and revoked ones.

    \b
    Example:
      mailhaul token list
    """
    settings = Settings.load(data=data)
    words = console_texts(settings)
    with standalone(settings) as deps:
        tokens = list_tokens(deps)
    if as_json:
        text_views.print_json([_token_json(token) for token in tokens])
    elif tokens:
        stdout.print(_token_table(words, tokens))
    else:
        stdout.print(words.gettext("No tokens. Create one with `mailhaul token create NAME`."))


@token.command("revoke")
@click.argument("id_", metavar="ID", help="ID of a token, as shown by `mailhaul token list`.")
@options.data
def revoke_(id_: str, data: Path | None) -> None:
    """Revoke a token immediately and permanently.

    Imports that it started continue.

    \b
    Example:
      mailhaul token revoke k3v9m2xw7abc
    """
    settings = Settings.load(data=data)
    words = console_texts(settings)
    with standalone(settings) as deps:
        revoked = revoke(deps, id_)
        if revoked is not None:
            detail = Text("audit_token", name=revoked.name)
            record_operator(deps, AuditAction.TOKEN_REVOKE, [revoked.id], detail=detail)
    if revoked is None:
        raise Usage(
            words.gettext(
                "There is no token %(id)s; `mailhaul token list` shows all tokens.", id=printable(id_)
            )
        )
    stdout.print(
        text_views.plain(
            words.gettext("Revoked the token %(id)s of %(name)s.", id=revoked.id, name=revoked.name)
        )
    )


def _check_name(words: CatalogTranslator, name: str) -> None:
    if not re.fullmatch(rf"[\w.@+-]{{1,{MAX_NAME_CHARS}}}", name):
        raise Usage(
            words.gettext(
                "A name has up to %(num)s letters, digits and . _ - + @, and no spaces.", num=MAX_NAME_CHARS
            )
        )


def _check_rights(words: CatalogTranslator, scopes: frozenset[TokenScope], domains: frozenset[str]) -> None:
    if not all(re.fullmatch(r"[^\s@/:,]+\.[^\s@/:,]+", domain) for domain in domains):
        raise Usage(words.gettext("A domain is written like new.example."))
    if domains and TokenScope.ADMIN in scopes:
        raise Usage(
            words.gettext("The admin scope cannot be limited to domains: leave out --domain or admin.")
        )
    if (
        TokenScope.BATCH in scopes
        and TokenScope.ADMIN not in scopes
        and not (domains and TokenScope.WRITE in scopes)
    ):
        raise Usage(
            words.gettext(
                "The batch scope needs domains and the right to start imports: add --domain and"
                " --scope write."
            )
        )


def _check_webhook(words: CatalogTranslator, url: str) -> None:
    parts = urlsplit(url)
    if url and (
        parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.fragment
    ):
        raise Usage(words.gettext("A webhook is written like https://panel.example.org/mailhaul."))


def _print_issued(words: CatalogTranslator, issued: Issued, *, as_json: bool) -> None:
    signing_secret = issued.webhook_secret.reveal() if issued.webhook_secret is not None else None
    if as_json:
        secrets = {"token": issued.secret.reveal(), "webhook_secret": signing_secret}
        text_views.print_json({**_token_json(issued.token), **secrets})
        return
    stdout.print(issued.secret.reveal(), soft_wrap=True, markup=False)
    stderr.print(words.gettext("This is the token %(id)s. It is not shown again.", id=issued.token.id))
    if signing_secret is not None:
        stdout.print(signing_secret, soft_wrap=True, markup=False)
        stderr.print(
            words.gettext("This is the secret that signs the webhook requests. It is not shown again either.")
        )


def _token_table(words: CatalogTranslator, tokens: Sequence[ApiToken]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in (
        words.gettext("id"),
        words.gettext("name"),
        words.gettext("scopes"),
        words.gettext("domains"),
        words.gettext("created"),
        words.gettext("expires"),
        words.gettext("webhook"),
    ):
        table.add_column(column, overflow="fold")
    for token in tokens:
        table.add_row(
            token.id,
            text_views.plain(token.name),
            ", ".join(sorted(token.scopes)),
            text_views.plain(", ".join(sorted(token.domains)) or words.gettext("all")),
            spoken_instant(token.created_at),
            _expiry(words, token),
            text_views.plain(token.webhook_url),
        )
    return table


def _expiry(words: CatalogTranslator, token: ApiToken) -> str:
    if token.revoked_at is not None:
        return words.gettext("revoked")
    if token.expires_at is None:
        return words.gettext("never")
    return spoken_instant(token.expires_at)


def _token_json(token: ApiToken) -> dict[str, object]:
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
