"""The night drill's evaluation of the alert rules of deploy/prometheus."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.drill.alerts import Alarms, Scrapes, Unsupported, evaluate, samples_of

RULES = Path(__file__).parents[2] / "deploy/prometheus/mailhaul.rules.yaml"
FAILED = 'mailhaul_events_total{event="own_host.failed"}'


def scrapes(*expositions: str | None, every_s: float = 60, compressed: float = 1) -> Scrapes:
    result = Scrapes(compressed)
    for number, exposition in enumerate(expositions):
        result.add(number * every_s, samples_of("worker", exposition))
    return result


def values(expression: str, among: Scrapes, at: float = 0) -> list[float]:
    return sorted(evaluate(expression, among, at).values())


def test_every_rule_can_be_evaluated() -> None:
    [group] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    fire = [rule["alert"] for rule in group["rules"] if evaluate(rule["expr"], scrapes(None))]
    assert fire == ["MailhaulProcessDown"]


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("a", [1, 5]),
        ('a{x="1"}', [1]),
        ('a{x=~"1|2"}', [1, 5]),
        ('a{x=~"[2-9]"} > 2 * 2', [5]),
        ("a > 5", []),
        ("sum(a) == 6", [6]),
        ("min by (job) (a) - time() < 0", [-9]),
        ("max by (x) (a)", [1, 5]),
        ("max(a) > 1 and min(a) == 1", [5]),
        ("max(a) > 1 and min(a) == 2", []),
        ("absent < 9", []),
    ],
)
def test_expressions(expression: str, result: list[float]) -> None:
    assert values(expression, scrapes('a{x="1"} 1\na{x="2"} 5\n'), at=10) == result


@pytest.mark.parametrize("expression", ["rate(a[5m])", "a or a", "a + 1", "sum(a"])
def test_other_parts_of_promql_are_refused(expression: str) -> None:
    with pytest.raises(Unsupported):
        evaluate(expression, scrapes("a 1\n"))


def test_increase_counts_within_the_window_across_restarts() -> None:
    counted = scrapes(*(f"{FAILED} {number}\n" for number in (7, 7, 9, 1)))
    assert values(f"increase({FAILED}[2m])", counted) == [3]
    assert values(f"increase({FAILED}[10m])", counted) == [10]
    unchanged = scrapes(*[f"{FAILED} 7\n"] * 4)
    assert values(f"increase({FAILED}[2m])", unchanged) == [0]
    compressed = scrapes(*(f"{FAILED} {number}\n" for number in (7, 7, 9, 1)), compressed=10)
    assert values(f"increase({FAILED}[20m])", compressed) == [3]


def test_an_alarm_fires_after_its_time_and_is_cleared() -> None:
    alarms = Alarms(RULES, Scrapes(compressed=10))
    for at, exposition in enumerate([None, "a 1\n", *[None] * 13, "a 1\n"]):
        alarms.observe(at, samples_of("worker", exposition))
        assert alarms.firing == ({"MailhaulProcessDown"} if at == 14 else set[str]())
    assert alarms.history == [(14, "MailhaulProcessDown", True), (15, "MailhaulProcessDown", False)]
