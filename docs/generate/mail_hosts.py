"""docs/providers.md, from the catalog: only the parts between the page's markers are generated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from docs.generate.markdown import anchor, between_markers, table
from importer.i18n.discovery_texts import quirk_text
from importer.i18n.translations import texts
from providers.catalog import Catalog
from providers.endpoint import LoginForm
from providers.provider import LoginKind, PasswordKind, Provider, Quirk
from providers.sign_in_providers import SIGN_IN_PROVIDERS, name_of

PAGE: Final = Path(__file__).parents[1] / "providers.md"

_ENGLISH: Final = texts("en")
_PASSWORDS: Final = {
    PasswordKind.MAILBOX: "the mailbox's own",
    PasswordKind.APP_WITH_TWO_FACTOR: "the mailbox's own; with two factors an app password",
    PasswordKind.APP: "an app password",
    PasswordKind.NONE: "none",
}
_LOGINS: Final = {LoginForm.ADDRESS: "the address", LoginForm.LOCAL_PART: "the part before the @"}
_FIRST: Final = {
    None: "First",
    LoginKind.PASSWORD: "First, with a password",
    LoginKind.SIGN_IN: "First, with sign-in",
}


def render() -> str:
    """The whole page."""
    return written(PAGE.read_text(encoding="utf-8"), Catalog.load())


def written(page: str, catalog: Catalog) -> str:
    """The page with everything between its markers replaced. Raises ValueError if a marker is missing."""
    sections: dict[str, Callable[[Catalog], Iterator[str]]] = {
        "overview": _overview,
        "hosts": _hosts,
        "quirks": _quirks,
        "contents": _contents,
        "sign-in": _sign_in,
    }
    return between_markers(page, {name: lines(catalog) for name, lines in sections.items()})


def _overview(catalog: Catalog) -> Iterator[str]:
    yield from table(
        ("host", "server", "login", "password", "customers' domains have an MX in"),
        (
            (
                f"[{provider.name}](#{anchor(provider.name)})",
                f"`{provider.endpoint.host}`" if provider.endpoint else "not to be had",
                _LOGINS[provider.login_form] if provider.endpoint else "",
                _ways_in(provider),
                ", ".join(f"`{ending}`" for ending in provider.mx),
            )
            for provider in catalog
        ),
    )


def _contents(_catalog: Catalog) -> Iterator[str]:
    guides = [heading for provider in SIGN_IN_PROVIDERS.values() for heading, _ in provider.guides]
    for heading in ("How a host is found", "All hosts", *guides, "Host by host", "Quirks"):
        yield f"- [{heading}](#{anchor(heading)})"


def _sign_in(_catalog: Catalog) -> Iterator[str]:
    guides = (guide for provider in SIGN_IN_PROVIDERS.values() for guide in provider.guides)
    yield "\n\n".join(f"## {heading}\n\n{text.strip()}" for heading, text in guides)


def _hosts(catalog: Catalog) -> Iterator[str]:
    blocks = ("\n".join(_host(provider)) for provider in catalog)
    yield "\n\n".join(blocks)


def _host(provider: Provider) -> Iterator[str]:
    yield f"### {provider.name}"
    yield ""
    if provider.domains:
        yield f"- Addresses: {', '.join(provider.domains)}."
    if provider.unavailable_text:
        closed = "Where sign-in is not set up" if provider.sign_in else "Cannot be imported from"
        yield f"- **{closed}.** {_ENGLISH.typeset(provider.unavailable)}"
    for step in provider.steps:
        said = _ENGLISH.typeset(step.texts.en)
        yield f"- {_FIRST[step.login_kind]}: {said}" + (f" ({step.page})" if step.page else "")
    if provider.read_endpoint:
        yield f"- Mail is read at `{provider.read_endpoint.host}`."
    yield from (f"- {text}" for text in _limits(provider))
    for quirk in sorted(provider.quirks):
        yield f"- {quirk_text(_ENGLISH, quirk)}"
    told = "; ".join(f"{source.facts}: {source.page}" for source in provider.sources)
    yield f"- Sources: {told}."


def _quirks(_catalog: Catalog) -> Iterator[str]:
    yield from table(("quirk", "meaning"), ((f"`{quirk}`", quirk_text(_ENGLISH, quirk)) for quirk in Quirk))


def _limits(provider: Provider) -> Iterator[str]:
    limits = provider.limits
    if limits.connections:
        yield f"At most {limits.connections} connections to one mailbox at a time."
    if limits.download_bytes_per_day:
        yield f"Mailhaul reads at most {limits.download_bytes_per_day:,} bytes a day from one mailbox."
    if limits.upload_bytes_per_day:
        yield f"Mailhaul writes at most {limits.upload_bytes_per_day:,} bytes a day into one mailbox."
    if limits.message_bytes:
        yield f"Messages of up to {limits.message_bytes:,} bytes are taken."
    if limits.messages_per_folder:
        yield f"The usual server shows no more than {limits.messages_per_folder:,} messages of a folder."
    if limits.read_messages_per_folder:
        shown = f"{limits.read_messages_per_folder:,}"
        yield f"The server for reading shows no more than {shown}; a folder with as many is named."


def _ways_in(provider: Provider) -> str:
    if not provider.sign_in:
        return _PASSWORDS[provider.password]
    sign_in = f"sign-in with {name_of(provider.sign_in)}"
    return (
        sign_in
        if provider.password is PasswordKind.NONE
        else f"{sign_in}, or {_PASSWORDS[provider.password]}"
    )
