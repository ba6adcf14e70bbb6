"""Evaluates the alert rules of deploy/prometheus over scraped metrics, with the subset of PromQL that they
use.

Operators, functions and aggregations: https://prometheus.io/docs/prometheus/latest/querying/ (2026-11-30).
`increase` is the difference within the window, without Prometheus's extrapolation. A decrease of a counter
counts as a restart from 0. Other expressions raise Unsupported.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml
from prometheus_client.parser import text_string_to_metric_families

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
Samples = Mapping[tuple[str, Labels], float]

_TOKENS: Final = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?:e\d+)?)(?![\w.])|(?P<name>[a-zA-Z_]\w*)|(?P<text>\"[^\"]*\")"
    r"|(?P<window>\[\d+[smhd]\])|(?P<op>==|=~|!=|>=|<=|[-*(){},=<>]))"
)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_AGGREGATIONS: Final[Mapping[str, Callable[[Iterable[float]], float]]] = {"min": min, "max": max, "sum": sum}
_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "==": lambda a, b: a == b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
}


class Unsupported(Exception):
    """The expression uses a part of PromQL that is not implemented here."""


def seconds(duration: str) -> float:
    """The seconds of a duration such as "10m"."""
    return int(duration[:-1]) * _SECONDS[duration[-1]]


def samples_of(instance: str, exposition: str | None) -> dict[tuple[str, Labels], float]:
    """The samples of one scrape, with the labels of its job and target. None: the target did not answer."""
    target = {("job", "mailhaul"), ("instance", instance)}
    samples = {("up", frozenset(target)): float(exposition is not None)}
    for family in text_string_to_metric_families(exposition or ""):
        for sample in family.samples:
            samples[sample.name, frozenset(target | set(sample.labels.items()))] = sample.value
    return samples


@dataclass(slots=True)
class Scrapes:
    """The samples so far, by time in seconds. Windows are `compressed` times shorter than written."""

    compressed: float = 1.0
    by_time: list[tuple[float, dict[str, Vector]]] = field(default_factory=list)

    def add(self, at: float, samples: Samples) -> None:
        by_name: dict[str, Vector] = {}
        for (name, labels), value in samples.items():
            by_name.setdefault(name, {})[labels] = value
        self.by_time.append((at, by_name))

    def now(self, name: str, matches: Callable[[Labels], bool]) -> Vector:
        _, latest = self.by_time[-1]
        return {labels: value for labels, value in latest.get(name, {}).items() if matches(labels)}

    def increase(self, name: str, matches: Callable[[Labels], bool], window_s: float) -> Vector:
        """The increase over the samples in the window. A series that appears within it started at 0, as
        counters of events do."""
        end, _ = self.by_time[-1]
        since = end - window_s / self.compressed
        result: Vector = {}
        last: Vector = {}
        for at, samples in self.by_time:
            for labels, value in samples.get(name, {}).items():
                if matches(labels):
                    before = last.get(labels, 0.0)
                    if at > since:
                        result[labels] = result.get(labels, 0.0) + (
                            value - before if value >= before else value
                        )
                    last[labels] = value
        return result


class _Parser:
    def __init__(self, expression: str, scrapes: Scrapes, at: float) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._scrapes, self._at, position = scrapes, at, 0
        while position < len(expression.rstrip()):
            match = _TOKENS.match(expression, position)
            if match is None or match.lastgroup is None:
                raise Unsupported(expression[position:])
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()

    def _next(self, *accepted: str) -> str:
        """Consume and return the next token if it is one of those; otherwise return ""."""
        if self._tokens and self._tokens[0][1] in accepted:
            return self._tokens.pop(0)[1]
        return ""

    def _take(self, kind: str) -> str:
        if not self._tokens or self._tokens[0][0] != kind:
            raise Unsupported(f"{self._tokens[:1]} in place of a {kind}")
        return self._tokens.pop(0)[1]

    def _need(self, text: str) -> None:
        if not self._next(text):
            raise Unsupported(f"{self._tokens[:1]} in place of {text}")

    def whole(self) -> Vector:
        result = self._compared()
        while self._next("and"):
            other = self._compared()
            result = {labels: value for labels, value in result.items() if labels in other}
        if self._tokens:
            raise Unsupported(str(self._tokens))
        return result

    def _compared(self) -> Vector:
        left = self._difference()
        operator = self._next(*_COMPARISONS)
        if not operator:
            return left
        limit = float(self._take("number"))
        while self._next("*"):
            limit *= float(self._take("number"))
        return {labels: value for labels, value in left.items() if _COMPARISONS[operator](value, limit)}

    def _difference(self) -> Vector:
        left = self._value()
        while self._next("-"):
            self._need("time")
            self._need("(")
            self._need(")")
            left = {labels: value - self._at for labels, value in left.items()}
        return left

    def _value(self) -> Vector:
        aggregation = self._next(*_AGGREGATIONS)
        if not aggregation:
            return self._selected()
        by: list[str] = []
        if self._next("by"):
            self._need("(")
            by.append(self._take("name"))
            while self._next(","):
                by.append(self._take("name"))
            self._need(")")
        self._need("(")
        groups: dict[Labels, list[float]] = {}
        for labels, value in self._value().items():
            groups.setdefault(frozenset(pair for pair in labels if pair[0] in by), []).append(value)
        self._need(")")
        return {labels: _AGGREGATIONS[aggregation](values) for labels, values in groups.items()}

    def _selected(self) -> Vector:
        if self._next("increase"):
            self._need("(")
            name, matches = self._selector()
            window = self._take("window")
            self._need(")")
            return self._scrapes.increase(name, matches, seconds(window[1:-1]))
        return self._scrapes.now(*self._selector())

    def _selector(self) -> tuple[str, Callable[[Labels], bool]]:
        name, wanted = self._take("name"), list[tuple[str, str, str]]()
        if self._next("{"):
            while not self._next("}"):
                label, operator = self._take("name"), self._take("op")
                wanted.append((label, operator, self._take("text")[1:-1]))
                self._next(",")

        def matches(labels: Labels) -> bool:
            values = dict(labels)
            return all(
                (re.fullmatch(text, values.get(label, "")) is not None)
                if operator == "=~"
                else values.get(label) == text
                for label, operator, text in wanted
            )

        return name, matches


def evaluate(expression: str, scrapes: Scrapes, at: float | None = None) -> Vector:
    """The result of the expression for the latest scrape; `at` is the value of `time()`. Raises
    Unsupported."""
    return _Parser(expression, scrapes, time.time() if at is None else at).whole()


@dataclass(slots=True)
class Alarms:
    """The rules of a file and their firing state; `history` has (time, alert, fires) for each change."""

    rules: Path
    scrapes: Scrapes
    history: list[tuple[float, str, bool]] = field(default_factory=list)
    _since: dict[str, float] = field(default_factory=dict)
    firing: set[str] = field(default_factory=set)

    def observe(self, at: float, samples: Samples) -> None:
        self.scrapes.add(at, samples)
        [group] = yaml.safe_load(self.rules.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]:
            name, lasts = rule["alert"], seconds(rule.get("for", "0s")) / self.scrapes.compressed
            if not evaluate(rule["expr"], self.scrapes):
                self._since.pop(name, None)
                if name in self.firing:
                    self.firing.discard(name)
                    self.history.append((at, name, False))
            elif at - self._since.setdefault(name, at) >= lasts and name not in self.firing:
                self.firing.add(name)
                self.history.append((at, name, True))
