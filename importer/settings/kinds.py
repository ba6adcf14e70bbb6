"""What settings are, as text and as values. What cannot be read raises ValueError."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, NamedTuple

from pydantic import BeforeValidator, PlainValidator, ValidationInfo
from pydantic_settings import NoDecode

from providers.master import domain_name, plain_domain
from providers.model import Endpoint, Secret

PREFIX: Final = "MAILFERRY_"

Network = IPv4Network | IPv6Network


class SettingsError(Exception):
    """Settings that cannot be used; `problems` holds one sentence for each, and so does `str`, by lines."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def _secret(value: object) -> Secret | None:
    return Secret(value) if isinstance(value, str) else value if isinstance(value, Secret) else None


def _endpoint(value: object, info: ValidationInfo) -> Endpoint | None:
    if value is None or isinstance(value, Endpoint):
        return value
    return Endpoint.parse(str(value), allow_plaintext=bool(info.data.get("allow_plaintext")))


class DailyLimit(NamedTuple):
    """Bytes in 24 hours, out of one mailbox and into one; None is no limit."""

    down_bytes: int | None
    up_bytes: int | None


def _daily_limits(value: object) -> Mapping[str, DailyLimit]:
    if isinstance(value, Mapping):
        return value
    limits: dict[str, DailyLimit] = {}
    for entry in filter(str.strip, str(value).split(",")):
        found = re.fullmatch(r"\s*([\w.-]+)=(\d+)/(\d+)\s*", entry)
        if found is None:
            raise ValueError
        limits[found[1]] = DailyLimit(int(found[2]) or None, int(found[3]) or None)
    return MappingProxyType(limits)


def _networks(value: object) -> tuple[Network, ...]:
    if isinstance(value, tuple):
        return value
    return tuple(ip_network(part.strip()) for part in str(value).split(",") if part.strip())


def _expanded(value: object) -> object:
    return Path(value).expanduser().absolute() if isinstance(value, str | Path) else value


def _domains(value: object) -> frozenset[str]:
    if isinstance(value, frozenset):
        return value
    names = [name.strip().strip("@.").casefold() for name in str(value).split(",") if name.strip()]
    if not all(re.fullmatch(r"[^\s@/:]+\.[^\s@/:]+", name) for name in names):
        raise ValueError
    return frozenset(names)


def _administrators(value: object) -> Mapping[str, frozenset[str]]:
    if isinstance(value, Mapping):
        return value
    found: dict[str, frozenset[str]] = {}
    for entry in filter(str.strip, str(value).split(";")):
        person, _, listed = entry.partition(":")
        domains = {domain_name(name.strip()) for name in listed.split(",") if name.strip()}
        if plain_domain(person.strip()) is None or None in domains or not domains:
            raise ValueError
        name = person.strip().lower()
        found[name] = found.get(name, frozenset()) | {one for one in domains if one is not None}
    return MappingProxyType(found)


Domains = Annotated[frozenset[str], NoDecode, PlainValidator(_domains)]
Administrators = Annotated[Mapping[str, frozenset[str]], NoDecode, PlainValidator(_administrators)]
DailyLimits = Annotated[Mapping[str, DailyLimit], NoDecode, PlainValidator(_daily_limits)]
Networks = Annotated[tuple[Network, ...], NoDecode, PlainValidator(_networks)]
OptionalServer = Annotated[Endpoint | None, NoDecode, PlainValidator(_endpoint)]
OptionalSecret = Annotated[Secret | None, NoDecode, PlainValidator(_secret)]
File = Annotated[Path, BeforeValidator(_expanded)]
