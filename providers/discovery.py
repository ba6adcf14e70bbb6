"""Discover the provider of an address: catalog, MX, autoconfig, ISPDB, SRV, common host names.

The order is that of draft-ietf-mailmaint-autoconfig-04 (2025-11), preceded by the catalog. Each step adds a
line of evidence. This module does no network I/O itself: resolver, fetcher and prober are passed in and
enforce their own limits of time and size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Final, Protocol
from unicodedata import normalize
from urllib.parse import quote

from providers.autoconfig import AutoconfigUnusable, is_host_name, parse
from providers.catalog import Catalog
from providers.endpoint import Endpoint, Security, server_url
from providers.provider import MEANINGS, LoginKind, Provider

# The default of Thunderbird's setting mailnews.auto_config_url.
_ISPDB: Final = "https://autoconfig.thunderbird.net/v1.1"


class LookupFailed(Exception):
    """A look-up failed; the text completes a sentence, such as “the name server does not answer”."""


class Resolver(Protocol):
    """DNS look-ups. Every method raises LookupFailed; nonexistent records yield an empty sequence."""

    def mail_exchangers(self, domain: str) -> Sequence[str]:
        """Host names, the preferred one first (RFC 5321 section 5.1)."""
        ...

    def services(self, name: str) -> Sequence[tuple[str, int]]:
        """(host, port) of SRV records, the preferred one first (RFC 2782); host "." means not offered."""
        ...


class HttpsFetcher(Protocol):
    """Fetches small files over HTTPS."""

    def fetch(self, url: str) -> bytes | None:
        """Fetch an https URL; None if it does not exist. Raises LookupFailed."""
        ...


class Prober(Protocol):
    """Tries guessed servers."""

    def answers(self, endpoint: Endpoint) -> bool:
        """Whether an IMAP server with a valid certificate answers there. Never raises."""
        ...


class FoundBy(StrEnum):
    """The step that found the provider."""

    DOMAIN = "domain"  # the catalog lists the domain
    EXCHANGER = "mx"  # the catalog lists the domain's mail exchanger
    AUTOCONFIG = "autoconfig"  # the domain publishes an autoconfig file
    ISPDB = "ispdb"  # Thunderbird's ISP database lists the domain
    SERVICE = "srv"  # the domain has SRV records (RFC 6186)
    PROBE = "probe"  # a common host name answered
    NOTHING = "nothing"  # unknown: ask the user


@dataclass(frozen=True, slots=True)
class Discovery:
    """The provider of an address and the evidence for it.

    If `provider` is None, ask the user for the server and propose `guess`. `offline` is set if no look-up
    succeeded at all. Each line of `evidence` is a sentence.
    """

    domain: str
    found_by: FoundBy
    provider: Provider | None
    evidence: tuple[str, ...]
    guess: Endpoint | None = None
    offline: bool = False

    def as_json(
        self, address: str, language: str = "en", *, login: LoginKind = LoginKind.PASSWORD
    ) -> dict[str, object]:
        """The discovery as plain values, for the console's --json, the API and forms.

        Texts for the owner are in `language` and apply to that kind of login; evidence is in English.
        `server` is the server to read mail from: None if it is unknown or if IMAP is unavailable.
        """
        facts: dict[str, object] = {
            "address": address,
            "domain": self.domain,
            "found_by": self.found_by.value,
            "evidence": list(self.evidence),
            "offline": self.offline,
            "guess": str(self.guess) if self.guess else None,
            "provider": None,
        }
        provider = self.provider
        if provider is None:
            return facts
        endpoint = provider.source_endpoint
        login_name = provider.login_name(address)
        return facts | {
            "provider": {"id": provider.id, "name": provider.name},
            "server": str(endpoint) if endpoint else None,
            "login": login_name,
            "url": server_url(endpoint, login_name) if endpoint else None,
            "password": provider.password.value,
            "sign_in": provider.sign_in,
            "first": [
                {"step": step.texts.in_language(language), "page": step.page_in(language) or None}
                for step in provider.steps_for(login)
            ],
            "way": login.value,
            "unavailable": provider.login_unavailable_in(language, login) or None,
            "limits": {name: value for name, value in asdict(provider.limits).items() if value is not None},
            "quirks": {quirk.value: MEANINGS[quirk] for quirk in sorted(provider.quirks)},
        }


def discover(
    address: str, *, catalog: Catalog, resolver: Resolver, web: HttpsFetcher, prober: Prober | None
) -> Discovery:
    """Discover the provider of an address. Never raises.

    Without a prober, common host names are proposed but not tried.
    """
    local, _, entered_domain = address.strip().rpartition("@")
    known = catalog.for_domain(entered_domain)
    if known is not None:
        return Discovery(
            entered_domain.lower(),
            FoundBy.DOMAIN,
            known,
            (f"{entered_domain.lower()} is a domain of {known.name}.",),
        )
    domain = ascii_domain(entered_domain)
    if domain is None or not local:
        return Discovery(
            entered_domain, FoundBy.NOTHING, None, ("The part after the @ is not an internet domain.",)
        )
    return _Search(f"{local}@{domain}", domain, catalog, resolver, web, prober).run()


def ascii_domain(domain: str) -> str | None:
    """The domain in its DNS form (RFC 5891), lower case; None if it is no domain with at least two labels.

    Python's `idna` codec is not used: it implements IDNA 2003, which turns “ß” into “ss” and thus names a
    different domain.
    """
    plain = normalize("NFKC", normalize("NFKC", domain.replace("\u3002", ".")).lower()).rstrip(".")
    labels = (
        label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in plain.split(".")
    )
    name = ".".join(labels)
    return name if is_host_name(name) else None


class _Search:
    """One discovery: runs the steps in order and collects their evidence."""

    def __init__(
        self,
        address: str,
        domain: str,
        catalog: Catalog,
        resolver: Resolver,
        web: HttpsFetcher,
        prober: Prober | None,
    ) -> None:
        self._address = address
        self._domain = domain
        self._catalog = catalog
        self._resolver = resolver
        self._web = web
        self._prober = prober
        self._evidence: list[str] = []
        self._any_reply = False  # whether any look-up got a reply

    def run(self) -> Discovery:
        exchangers = self._exchangers()
        for exchanger in exchangers:
            hosted = self._catalog.for_mx(exchanger)
            if hosted is not None:
                provider, ending = hosted
                self._evidence.append(f"MX {exchanger} ends in {ending}, which is {provider.name}.")
                return self._discovery(FoundBy.EXCHANGER, provider)
        if exchangers:
            self._evidence.append(f"MX {exchangers[0]} belongs to no provider that Mailhaul knows.")
        pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="discovery")
        try:
            for found_by, future in [(how, pool.submit(step)) for how, step in self._steps(exchangers)]:
                found = self._record(future)
                if found is not None:
                    return self._discovery(found_by, found)
            return self._guess(pool)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # each look-up times out within seconds

    def _exchangers(self) -> Sequence[str]:
        try:
            exchangers = [name.lower().rstrip(".") for name in self._resolver.mail_exchangers(self._domain)]
        except LookupFailed as error:
            self._evidence.append(f"The MX records of {self._domain} could not be looked up: {error}.")
            return []
        self._any_reply = True
        named = [name for name in exchangers if name]  # "." alone: accepts no mail (RFC 7505)
        if not named:
            self._evidence.append(f"There is no MX record for {self._domain}.")
        return named

    def _steps(self, exchangers: Sequence[str]) -> Iterator[tuple[FoundBy, Callable[[], _StepResult]]]:
        domain, query = self._domain, f"?emailaddress={quote(self._address, safe='@')}"
        for url in (
            f"https://autoconfig.{domain}/mail/config-v1.1.xml{query}",
            f"https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml{query}",
        ):
            yield FoundBy.AUTOCONFIG, partial(self._autoconfig, url)
        for listed in dict.fromkeys((domain, *_parents(exchangers))):
            yield FoundBy.ISPDB, partial(self._autoconfig, f"{_ISPDB}/{listed}")
        for name, security in (("_imaps._tcp", Security.TLS), ("_imap._tcp", Security.STARTTLS)):
            yield FoundBy.SERVICE, partial(self._service, f"{name}.{domain}", security)

    def _autoconfig(self, url: str) -> _StepResult:
        shown_url = url.partition("?")[0]
        try:
            data = self._web.fetch(url)
        except LookupFailed as error:
            return _StepResult(f"{shown_url} could not be read: {error}.", replied=False)
        if data is None:
            return _StepResult(f"{shown_url} does not exist.")
        try:
            config = parse(data, self._address)
        except AutoconfigUnusable as error:
            return _StepResult(f"{shown_url} {error}.")
        provider = self._known(
            Provider(
                id=f"at-{self._domain.replace('.', '-')}",
                name=config.name or self._domain,
                domains=(self._domain,),
                endpoint=config.endpoint,
                login_form=config.login_form,
                password=config.password,
                steps=config.steps,
            )
        )
        return _StepResult(f"{shown_url} names {config.endpoint}.", provider)

    def _service(self, record: str, security: Security) -> _StepResult:
        try:
            targets = self._resolver.services(record)
        except LookupFailed as error:
            return _StepResult(f"The SRV record {record} could not be looked up: {error}.", replied=False)
        for host, port in targets:
            name = host.lower().rstrip(".")
            if not name:
                return _StepResult(f"The SRV record {record} says that the service is not offered.")
            if is_host_name(name) and 0 < port < 65_536:
                endpoint = Endpoint(name, port, security)
                return _StepResult(f"The SRV record {record} names {endpoint}.", self._plain(endpoint))
        return _StepResult(f"There is no SRV record {record}.")

    def _guess(self, pool: ThreadPoolExecutor) -> Discovery:
        common = [Endpoint(f"{label}.{self._domain}") for label in ("imap", "mail")]
        prober = self._prober if self._any_reply else None
        if prober is not None:
            probes = [pool.submit(prober.answers, endpoint) for endpoint in common]
            for endpoint, answers in zip(common, probes, strict=True):
                if answers.result():
                    self._evidence.append(f"{endpoint} was tried because it is a common name, and answers.")
                    return self._discovery(FoundBy.PROBE, self._plain(endpoint))
            self._evidence.append(f"{common[0].host} and {common[1].host} were tried; neither answers.")
        if not self._any_reply:
            self._evidence.append("Nothing could be looked up: there seems to be no network connection.")
        return Discovery(
            self._domain, FoundBy.NOTHING, None, tuple(self._evidence), common[0], offline=not self._any_reply
        )

    def _record(self, future: Future[_StepResult]) -> Provider | None:
        """Wait for a step and record its evidence."""
        result = future.result()
        self._any_reply |= result.replied
        self._evidence.append(result.evidence)
        return result.provider

    def _plain(self, endpoint: Endpoint) -> Provider:
        """A provider of which only the server is known, unless the catalog knows it."""
        name = self._domain
        return self._known(Provider(f"at-{name.replace('.', '-')}", name, (name,), endpoint))

    def _known(self, provider: Provider) -> Provider:
        """The catalog's provider for a known server, with the domain's login form; else `provider`."""
        row = self._catalog.for_host(provider.endpoint.host) if provider.endpoint else None
        if row is None or row.endpoint is None:
            return provider
        return replace(row, domains=provider.domains, login_form=provider.login_form)

    def _discovery(self, found_by: FoundBy, provider: Provider) -> Discovery:
        return Discovery(self._domain, found_by, provider, tuple(self._evidence))


@dataclass(frozen=True, slots=True)
class _StepResult:
    """The result of one step: its line of evidence, and the provider if it found one."""

    evidence: str
    provider: Provider | None = None
    replied: bool = True  # False if the look-up failed


def _parents(exchangers: Sequence[str]) -> Iterator[str]:
    """ISPDB names for the first exchanger: all labels but the first, and the last two labels."""
    for exchanger in exchangers[:1]:
        labels = exchanger.split(".")
        for parent in (labels[1:], labels[-2:]):
            if len(parent) > 1 and is_host_name(".".join(parent)):
                yield ".".join(parent)
