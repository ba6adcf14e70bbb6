"""Recorded answers of the DNS and the web, for lookups without a network."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from providers.bulk_discovery import BulkDiscovery
from providers.catalog import Catalog
from providers.discovery import LookupFailed
from providers.endpoint import Endpoint
from providers.text import Text

T = TypeVar("T")


@dataclass
class Recorded:
    """Implements `Resolver`, `Web` and `Prober` with what was recorded. `asked` is what for."""

    mx: dict[str, list[str]] = field(default_factory=dict)
    srv: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    pages: dict[str, bytes] = field(default_factory=dict)
    servers: set[str] = field(default_factory=set)
    broken: str = ""  # the code of why nothing can be looked up
    asked: list[str] = field(default_factory=list)

    def mail_exchangers(self, domain: str) -> Sequence[str]:
        return self._told(f"MX {domain}", self.mx.get(domain, []))

    def services(self, name: str) -> Sequence[tuple[str, int]]:
        return self._told(f"SRV {name}", self.srv.get(name, []))

    def fetch(self, url: str) -> bytes | None:
        return self._told(url, self.pages.get(url.partition("?")[0]))

    def answers(self, endpoint: Endpoint) -> bool:
        self.asked.append(f"probe {endpoint}")
        return str(endpoint) in self.servers

    def _told(self, question: str, answer: T) -> T:
        self.asked.append(question)
        if self.broken:
            raise LookupFailed(Text(self.broken))
        return answer

    def directory(self) -> BulkDiscovery:
        return BulkDiscovery(Catalog.load(), resolver=self, web=self, prober=self)


def domains() -> list[dict[str, Any]]:
    """The rows of lookups.toml."""
    text = Path(__file__).with_name("lookups.toml").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = tomllib.loads(text)["domain"]
    return rows


def recorded() -> Recorded:
    """Everything in lookups.toml; a server that a probe finds is one whose row says so."""
    answers = Recorded()
    for row in domains():
        exchangers = sorted((one.split() for one in row["mx"]), key=lambda one: int(one[0]))
        answers.mx[row["name"]] = [host for _, host in exchangers]
        for name, records in row.get("srv", {}).items():
            answers.srv[name] = [(target, port) for _, _, port, target in sorted(records)]
        answers.pages.update({url: text.encode() for url, text in row.get("pages", {}).items()})
        if row["how"] == "probe":
            answers.servers.add(row["server"])
    return answers
