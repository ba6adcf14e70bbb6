"""Discover the provider of an address: catalog, MX, autoconfig, ISPDB, SRV, common host names.

The order is that of draft-ietf-mailmaint-autoconfig-04 (2025-11), preceded by the catalog. Each step adds a
line of evidence. This module does no network I/O itself: resolver, fetcher and prober are passed in and
enforce their own limits of time and size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from enum import StrEnum
from functools import partial
from typing import Final, Protocol
from unicodedata import normalize
from urllib.parse import quote

from providers.autoconfig import AutoconfigUnusable, NoAutoconfigFile, is_host_name, parse
from providers.catalog import Catalog
from providers.endpoint import Endpoint, Security
from providers.frozen import frozen
from providers.provider import Provider
from providers.text import Param, Text

# The default of Thunderbird's setting mailnews.auto_config_url.
_ISPDB: Final = "https://autoconfig.thunderbird.net/v1.1"


class LookupFailed(Exception):
    """A look-up failed; `text` completes a sentence, such as “no name server answers”."""

    def __init__(self, text: Text) -> None:
        super().__init__(text)
        self.text = text


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


@frozen
class Discovery:
    """The provider of an address and the evidence for it.

    If `provider` is None, ask the user for the server and propose `guess`. `offline` is set if no look-up
    succeeded at all.
    """

    domain: str
    found_by: FoundBy
    provider: Provider | None
    evidence: tuple[Text, ...]
    guess: Endpoint | None = None
    offline: bool = False


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
            (_found("domain", domain=entered_domain.lower(), provider=known.name),),
        )
    domain = ascii_domain(entered_domain)
    if domain is None or not local:
        return Discovery(entered_domain, FoundBy.NOTHING, None, (_found("no_domain"),))
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
        self._evidence: list[Text] = []
        self._any_reply = False  # whether any look-up got a reply

    def run(self) -> Discovery:
        exchangers = self._exchangers()
        for exchanger in exchangers:
            hosted = self._catalog.for_mx(exchanger)
            if hosted is not None:
                provider, ending = hosted
                self._note("mx_known", exchanger=exchanger, ending=ending, provider=provider.name)
                return self._discovery(FoundBy.EXCHANGER, provider)
        if exchangers:
            self._note("mx_unknown", exchanger=exchangers[0])
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
            self._note("mx_failed", domain=self._domain, reason=error.text)
            return []
        self._any_reply = True
        named = [name for name in exchangers if name]  # "." alone: accepts no mail (RFC 7505)
        if not named:
            self._note("mx_missing", domain=self._domain)
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
            return _StepResult(_found("file_failed", url=shown_url, reason=error.text), replied=False)
        if data is None:
            return _StepResult(_found("file_missing", url=shown_url))
        try:
            config = parse(data, self._address)
        except NoAutoconfigFile:
            return _StepResult(_found("file_invalid", url=shown_url))
        except AutoconfigUnusable:
            return _StepResult(_found("file_useless", url=shown_url))
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
        return _StepResult(_found("file_names", url=shown_url, server=str(config.endpoint)), provider)

    def _service(self, record: str, security: Security) -> _StepResult:
        try:
            targets = self._resolver.services(record)
        except LookupFailed as error:
            return _StepResult(_found("srv_failed", record=record, reason=error.text), replied=False)
        for host, port in targets:
            name = host.lower().rstrip(".")
            if not name:
                return _StepResult(_found("srv_not_offered", record=record))
            if is_host_name(name) and 0 < port < 65_536:
                endpoint = Endpoint(name, port, security)
                evidence = _found("srv_names", record=record, server=str(endpoint))
                return _StepResult(evidence, self._plain(endpoint))
        return _StepResult(_found("srv_missing", record=record))

    def _guess(self, pool: ThreadPoolExecutor) -> Discovery:
        common = [Endpoint(f"{label}.{self._domain}") for label in ("imap", "mail")]
        prober = self._prober if self._any_reply else None
        if prober is not None:
            probes = [pool.submit(prober.answers, endpoint) for endpoint in common]
            for endpoint, answers in zip(common, probes, strict=True):
                if answers.result():
                    self._note("common_answers", server=str(endpoint))
                    return self._discovery(FoundBy.PROBE, self._plain(endpoint))
            self._note("common_silent", one=common[0].host, other=common[1].host)
        if not self._any_reply:
            self._note("no_network")
        return Discovery(
            self._domain, FoundBy.NOTHING, None, tuple(self._evidence), common[0], offline=not self._any_reply
        )

    def _note(self, case: str, **params: Param) -> None:
        self._evidence.append(_found(case, **params))

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


def _found(case: str, **params: Param) -> Text:
    """A line of evidence."""
    return Text(f"discovery.{case}", steps=None, **params)


@frozen
class _StepResult:
    """The result of one step: its line of evidence, and the provider if it found one."""

    evidence: Text
    provider: Provider | None = None
    replied: bool = True  # False if the look-up failed


def _parents(exchangers: Sequence[str]) -> Iterator[str]:
    """ISPDB names for the first exchanger: all labels but the first, and the last two labels."""
    for exchanger in exchangers[:1]:
        labels = exchanger.split(".")
        for parent in (labels[1:], labels[-2:]):
            if len(parent) > 1 and is_host_name(".".join(parent)):
                yield ".".join(parent)
