"""One import followed over the real pages, a real worker and its mail: one trace, from three places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from tests.browser.stage import stage
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.otlp import OtlpReceiver, otlp_receiver, text_attributes
from tests.rehearsal.ports import PATIENCE_S, wait_until
from tests.rehearsal.sample import sample_mailbox
from tests.rehearsal.smtp import SmtpCatcher

WANTED = {"imports.submitted", "leg.started", "leg.finished", "import.ended", "mail.handled"}


def of_import(receiver: OtlpReceiver, import_id: str) -> list[tuple[Any, dict[str, str]]]:
    pairs = zip(list(receiver.spans), receiver.resources, strict=False)
    return [(span, facts) for span, facts in pairs if text_attributes(span).get("import_id") == import_id]


def test_an_import_is_one_trace_over_pages_worker_and_mail(
    tmp_path: Path, old_host: Dovecot, new_host: Dovecot, smtp: SmtpCatcher
) -> None:
    pytest.importorskip("opentelemetry.sdk")
    with otlp_receiver() as receiver:
        with stage(
            tmp_path,
            old_host,
            new_host,
            OTLP_ENDPOINT=receiver.url,
            SMTP_URL=smtp.url,
            MAIL_FROM="mailhaul@new.example",
        ) as running:
            old, new = running.mailboxes("traced")
            old.fill(sample_mailbox())
            words = ("token", "create", "panel", "--scope", "read", "--scope", "write")
            token = running.installation.json(*words)["token"]
            answer = requests.post(
                f"{running.url}/api/v1/imports",
                headers={"Authorization": f"Bearer {token}"},
                json={
                    "source_address": old.account.address,
                    "source_password": old.password,
                    "source_server": f"{old.account.endpoint.host}:{old.account.endpoint.port}",
                    "destination_address": new.account.address,
                    "destination_password": new.password,
                    "submitter": "postmaster@new.example",
                },
                timeout=PATIENCE_S,
            )
            assert answer.status_code == 201, answer.text
            import_id = answer.json()["rows"][0]["import"]["id"]
            whole = wait_until(
                lambda: {span.name for span, _ in of_import(receiver, import_id)} >= WANTED,
                timeout_s=PATIENCE_S,
            )
            assert whole, ({span.name for span in receiver.spans}, running.installation.log())
        found = of_import(receiver, import_id)
    by_name = {span.name: (span, facts["service.instance.id"]) for span, facts in found}
    root, pages = by_name["imports.submitted"]
    assert {span.trace_id for span, _ in found} == {root.trace_id}
    assert {span.parent_span_id for span, _ in found if span is not root} == {root.span_id}
    worker = by_name["leg.finished"][1]
    assert by_name["mail.handled"][1] == worker
    assert worker.count(":") == 2  # HOST:PID:TOKEN
    assert pages != worker
    for secret in (old.password, new.password, old.account.address):
        assert secret.encode() not in receiver.raw
