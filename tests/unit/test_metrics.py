"""Metrics: what is logged is counted, what is stored is asked for, and documents name what there is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
import requests
import yaml
from prometheus_client import generate_latest

from importer import telemetry
from importer.domain.model import Account, Batch, BatchId, Import, ImportId, Problem, State
from importer.domain.planning.host_allowance import (
    Backoff,
    account_budget,
    connecting_budget,
    host_budget,
)
from importer.metrics import ProcessMetrics
from importer.metrics.certificate_metrics import CertificateMetrics
from importer.metrics.host_metrics import MOST_HOSTS
from importer.metrics.store_metrics import StoreMetrics
from importer.ports.monitoring import Observed, QueueDepth
from importer.ports.notices import MailState, Notice
from importer.ports.process import DatabaseUnavailable, InstallationFault
from importer.ports.store import SealedGrants
from importer.ports.webhook_calls import WebhookCall
from providers.endpoint import Endpoint
from providers.errors import Side
from providers.text import Text
from tests.fakes.store import MemoryStore
from tests.rehearsal.ports import PATIENCE_S

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/prometheus/mailhaul.rules.yaml"
DASHBOARD = ROOT / "deploy/prometheus/mailhaul.dashboard.json"
NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
_METRIC = re.compile(r"\bmailhaul_[a-z_]+")


@pytest.fixture
def metrics() -> ProcessMetrics:
    return ProcessMetrics("127.0.0.1", 0)


def a_store() -> MemoryStore:
    store = MemoryStore()
    old = Account("ada@old.example", "ada", Endpoint("imap.old.example"))
    new = Account("ada@new.example", "ada", Endpoint("imap.new.example"))
    import_ = Import(ImportId("one"), old, new, NOW - 5 * MINUTE)
    store.add_batch(Batch(BatchId("b"), NOW, imports=(import_.id,)), [(import_, SealedGrants(b"a", b"b"))])
    store.report_worker("host:1:a", "1", NOW, NOW)
    store.post([Notice("k", "ada@new.example", "s", "t", "h", "<k@x>", NOW - MINUTE, MailState.PENDING)])
    return store


def text_of(metrics: ProcessMetrics) -> str:
    return generate_latest(metrics.registry).decode()


def log_a_leg(metrics: ProcessMetrics, level: str = "info") -> StringIO:
    shown = StringIO()
    telemetry.configure(level=level, stream=shown, observers=[metrics.observer])
    try:
        telemetry.get_logger().info(
            "leg.finished",
            import_id="one",
            state="waiting",
            problem="throttled",
            messages=7,
            bytes=-3,
            seconds=1.5,
        )
        telemetry.get_logger().warning("Sentences of libraries with ada@old.example are no names")
    finally:
        telemetry.configure()
    return shown


@pytest.mark.parametrize("level", ["info", "error"])
def test_events_are_counted_whatever_is_shown(metrics: ProcessMetrics, level: str) -> None:
    shown = log_a_leg(metrics, level).getvalue()
    assert ("leg.finished" in shown) == (level == "info")
    text = text_of(metrics)
    assert 'mailhaul_events_total{event="leg.finished",level="info"} 1.0' in text
    assert 'mailhaul_events_total{event="other",level="warning"} 1.0' in text
    assert 'mailhaul_leg_problems_total{problem="throttled"} 1.0' in text
    assert "mailhaul_messages_done_total 7.0" in text
    assert "mailhaul_bytes_copied_total 0.0" in text
    assert 'mailhaul_leg_seconds_bucket{le="2.0",state="waiting"} 1.0' in text
    assert "old.example" not in text


def test_the_store_is_asked_at_a_scrape(metrics: ProcessMetrics) -> None:
    store = a_store()
    metrics.registry.register(StoreMetrics(store, MINUTE, lambda: datetime.now(UTC)))
    text = text_of(metrics)
    assert "mailhaul_database_up 1.0" in text
    assert 'mailhaul_imports{problem="",state="queued"} 1.0' in text
    assert "mailhaul_imports_due 1.0" in text
    assert "mailhaul_workers 1.0" in text
    assert "mailhaul_silent_workers 0.0" in text
    assert 'mailhaul_mails_unsent{state="pending"} 1.0' in text
    age = re.search(r"^mailhaul_oldest_due_age_seconds (\S+)", text, flags=re.MULTILINE)
    assert age is not None
    assert float(age[1]) > 300
    assert "old.example" not in text


def test_hosts_are_named_and_accounts_are_not(metrics: ProcessMetrics) -> None:
    store = a_store()
    [import_] = store.imports()
    held = [(host_budget("IMAP.old.example."), 9), (account_budget(import_.source.key), 5)]
    for _ in range(2):
        assert store.acquire_slots("holder", held, NOW, MINUTE)
    for name in (connecting_budget(host_budget("imap.old.example")), account_budget(import_.destination.key)):
        store.back_off(Backoff(name, NOW + MINUTE, Text("throttled", host="imap.old.example")))
    problem = Problem(Text("throttled", host="imap.old.example"), Side.SOURCE)
    store.update_import(replace(import_, state=State.WAITING, problem=problem))
    store.post_calls([WebhookCall("k", "hook", "e", "{}", NOW - MINUTE)])
    metrics.registry.register(StoreMetrics(store, MINUTE, lambda: NOW))
    text = text_of(metrics)
    assert 'mailhaul_host_connections{host="imap.old.example"} 2.0' in text
    assert 'mailhaul_host_pauses{host="imap.old.example"} 1.0' in text
    assert 'mailhaul_host_pauses{host="imap.new.example"} 1.0' in text
    assert 'mailhaul_imports_waiting{host="imap.old.example",problem="throttled"} 1.0' in text
    assert "mailhaul_webhook_calls_pending 1.0" in text
    assert "mailhaul_oldest_webhook_call_age_seconds 60.0" in text
    assert "ada" not in text


def test_a_thousand_hosts_are_no_thousand_series(metrics: ProcessMetrics) -> None:
    store = MemoryStore()
    for number in range(1000):
        assert store.acquire_slots("holder", [(host_budget(f"h{number}.example"), 9)], NOW, MINUTE)
    metrics.registry.register(StoreMetrics(store, MINUTE, lambda: NOW))
    shown = re.findall(r"^mailhaul_host_connections\{.*$", text_of(metrics), flags=re.MULTILINE)
    assert len(shown) == MOST_HOSTS + 1
    assert f'mailhaul_host_connections{{host="other"}} {1000.0 - MOST_HOSTS}' in shown


def test_ends_and_lost_leases_are_counted(metrics: ProcessMetrics) -> None:
    telemetry.configure(stream=StringIO(), observers=[metrics.observer])
    try:
        telemetry.get_logger().info("import.ended", refused={"too_large": 2, "other": 1})
        telemetry.get_logger().warning("leg.lost_lease", import_id="one")
    finally:
        telemetry.configure()
    text = text_of(metrics)
    assert 'mailhaul_refusals_total{code="too_large"} 2.0' in text
    assert "mailhaul_lease_losses_total 1.0" in text


def test_a_worker_that_is_silent_is_counted_apart(metrics: ProcessMetrics) -> None:
    store = a_store()
    metrics.registry.register(StoreMetrics(store, MINUTE, lambda: datetime.now(UTC) + 2 * MINUTE))
    text = text_of(metrics)
    assert "mailhaul_workers 0.0" in text
    assert "mailhaul_silent_workers 1.0" in text


def test_while_the_database_is_away_the_rest_is_served(metrics: ProcessMetrics) -> None:
    class Away(MemoryStore):
        def queue_depth(self, now: datetime) -> QueueDepth:
            raise DatabaseUnavailable("connection refused")

    metrics.registry.register(StoreMetrics(Away(), MINUTE, lambda: NOW))
    log_a_leg(metrics)
    text = text_of(metrics)
    assert "mailhaul_database_up 0.0" in text
    assert "mailhaul_workers " not in text
    assert "mailhaul_messages_done_total 7.0" in text


def test_several_scrapers_ask_the_database_once() -> None:
    class Counting(MemoryStore):
        asked = 0

        def queue_depth(self, now: datetime) -> QueueDepth:
            self.asked += 1
            return super().queue_depth(now)

    store = Counting()
    collector = StoreMetrics(store, MINUTE, lambda: NOW)
    assert [len([*collector.collect()]) for _ in range(9)] == [14] * 9
    assert store.asked == 1


def test_a_process_serves_metrics_and_health_on_its_port(metrics: ProcessMetrics) -> None:
    faults: dict[str, str] = {}
    url = metrics.serve(Observed(a_store(), MINUTE, lambda: faults, list, lambda: NOW))
    base = url.removesuffix("/metrics")
    answer = requests.get(url, timeout=PATIENCE_S)
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "mailhaul_database_up 1.0" in answer.text
    assert requests.get(f"{base}/healthz", timeout=PATIENCE_S).text == "ok"
    assert requests.get(f"{base}/readyz", timeout=PATIENCE_S).status_code == 200
    faults["queue"] = "The queue does not respond."
    not_ready = requests.get(f"{base}/readyz", timeout=PATIENCE_S)
    assert (not_ready.status_code, not_ready.text) == (503, "queue: The queue does not respond.\n")
    assert requests.get(f"{base}/", timeout=PATIENCE_S).status_code == 404


def test_a_port_that_is_taken_is_named(metrics: ProcessMetrics) -> None:
    observed = Observed(MemoryStore(), MINUTE, dict, list, lambda: NOW)
    url = metrics.serve(observed)
    port = int(url.rsplit(":", 1)[1].removesuffix("/metrics"))
    with pytest.raises(InstallationFault, match=rf"metrics_address .*{port}"):
        ProcessMetrics("127.0.0.1", port).serve(observed)


# --- Documents, rules and the dashboard ---


def names(metrics: ProcessMetrics) -> set[str]:
    """The names of all metrics, as Prometheus stores them."""
    metrics.registry.register(StoreMetrics(a_store(), MINUTE, lambda: NOW))
    metrics.registry.register(CertificateMetrics(list))
    return set(re.findall(r"^# TYPE (mailhaul_\S+)", text_of(metrics), flags=re.MULTILINE)) - {
        name for name in _METRIC.findall(text_of(metrics)) if name.endswith("_created")
    }


def test_every_metric_is_documented(metrics: ProcessMetrics) -> None:
    page = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(mailhaul_\w+)`", page, flags=re.MULTILINE)) == names(metrics)


@pytest.mark.parametrize("file", [RULES, DASHBOARD], ids=lambda path: path.name)
def test_rules_and_dashboard_use_metrics_that_exist(metrics: ProcessMetrics, file: Path) -> None:
    used = {name.removesuffix("_bucket") for name in _METRIC.findall(file.read_text(encoding="utf-8"))}
    assert used
    assert used <= names(metrics)


def test_each_alert_names_a_section_of_the_runbook_and_events_that_exist() -> None:
    runbook = (ROOT / "deploy/RUNBOOK.md").read_text(encoding="utf-8")
    sections = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^##+ (.+)$", runbook, flags=re.MULTILINE)
    }
    events = (ROOT / "docs/events.md").read_text(encoding="utf-8")
    [group] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]:
        address, _, section = rule["annotations"]["runbook_url"].partition("#")
        assert address == "RUNBOOK"
        assert section in sections, rule["alert"]
        for named in re.findall(r'event=~?"([^"]+)"', rule["expr"]):
            assert all(f"`{event}`" in events for event in named.split("|")), rule["alert"]


def test_the_rules_are_valid() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is missing (Debian: prometheus)")
    done = subprocess.run(["promtool", "check", "rules", str(RULES)], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_is_json_with_a_question_in_each_panel() -> None:
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 8
    assert all(target["expr"] for panel in panels for target in panel["targets"])
