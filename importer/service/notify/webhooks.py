"""Webhooks: deliver each event of an import to each webhook at least once.

Calls are written in the transaction of the change they report, and sent by the worker that handles the ring
for mails. Failed calls are retried for three days. A call is claimed for CLAIM_TIMEOUT; if the worker dies in
the meantime, it is made again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

import structlog

from importer.domain.model import Import
from importer.domain.people.api_tokens import webhook_context
from importer.domain.planning.retry_limits import WEBHOOK_RETRY_WAITS_S
from importer.domain.reporting.report import Report
from importer.domain.reporting.webhook_events import EVENT, SIGNATURE, event, signature
from importer.i18n.translations import texts
from importer.ports.vault import VaultError
from importer.ports.webhook_calls import CallState, WebhookCall
from importer.service.deps import Deps, Webhook
from importer.service.import_batch import batch_of_import

CLAIM_TIMEOUT: Final = timedelta(minutes=1)

log = structlog.get_logger()


def webhook_calls(deps: Deps, report: Report) -> Sequence[WebhookCall]:
    """The webhook calls that report the current state of an import. Never raises: errors are logged."""
    try:
        hooks = [*_hooks(deps, report.import_)]
        if not hooks:
            return ()
        from importer.i18n.report_json import report_json  # noqa: PLC0415 - most imports have no webhook

        now = deps.clock.now()
        english = texts("en", product=deps.product)
        event_ = event(report.import_, report_json(english, report), now)
        return [WebhookCall(f"{event_.id} {hook}", hook, event_.id, event_.body, now) for hook in hooks]
    except Exception as error:
        log.warning("call.unwritten", import_id=report.import_.id, exc_info=error)
        return ()


def send_due_calls(deps: Deps) -> int:
    """Make the due calls; return how many succeeded. Safe to run concurrently and at any time.

    After a failure, the same webhook is not called again in this run.
    """
    if deps.webhook_sender is None:
        return 0
    done = 0
    failed: set[str] = set()
    while due := deps.store.due_calls(deps.clock.now(), besides=failed):
        failed_before = len(failed)
        for call in due:
            if call.hook in failed:
                continue
            now = deps.clock.now()
            if deps.store.claim_call(call.key, now, now + CLAIM_TIMEOUT):
                if _send(deps, call):
                    done += 1
                else:
                    failed.add(call.hook)
        if len(failed) == failed_before:
            break  # otherwise calls of other webhooks may have been hidden behind those that failed
    return done


def _send(deps: Deps, call: WebhookCall) -> bool:
    assert deps.webhook_sender is not None  # noqa: S101 - checked by `send_due_calls`
    attempts, began_s = call.attempts + 1, deps.clock.elapsed_s()
    try:
        webhook = _webhook(deps, call.hook)
    except VaultError as error:
        webhook, error_text = None, str(error)
    else:
        error_text = "" if webhook is not None else "its token was revoked"
    gone = webhook is None
    if webhook is not None:
        body, now = call.body.encode("utf-8", "replace"), deps.clock.now()
        headers = {
            "Content-Type": "application/json",
            EVENT: call.event_id,
            SIGNATURE: signature(webhook.secret.reveal(), now, body),
        }
        error_text = deps.webhook_sender.call(webhook.url, body, headers)
    if not error_text:
        state, later = CallState.DONE, None
    elif gone or attempts > len(WEBHOOK_RETRY_WAITS_S):
        state, later = CallState.GIVEN_UP, None
    else:
        state = CallState.PENDING
        later = deps.clock.now() + timedelta(seconds=WEBHOOK_RETRY_WAITS_S[attempts - 1])
    deps.store.settle_call(call.key, state, error=error_text, not_before=later)
    log.info(
        "call.made",
        event_id=call.event_id,
        import_id=json.loads(call.body).get("import", {}).get("id"),
        hook=call.hook,
        state=state.value,
        attempts=attempts,
        seconds=round(deps.clock.elapsed_s() - began_s, 3),
    )
    return state is CallState.DONE


def _hooks(deps: Deps, import_: Import) -> Iterator[str]:
    """The webhooks to call: the installation's ("-") and those of the owner's tokens (by id), each URL
    once."""
    if deps.webhook_sender is None:
        return
    if deps.webhook is not None:
        yield "-"
    batch = batch_of_import(deps, import_)
    if batch is None or not batch.owner:
        return
    now, seen = deps.clock.now(), set()
    for token in deps.store.tokens():
        if token.webhook_url and token.client == batch.owner and token.good(now):
            if token.webhook_url not in seen:
                yield token.id
            seen.add(token.webhook_url)


def _webhook(deps: Deps, hook: str) -> Webhook | None:
    """None if the webhook no longer exists. Raises VaultError."""
    if hook == "-":
        return deps.webhook
    token = next((t for t in deps.store.tokens() if t.id == hook), None)
    if token is None or not token.good(deps.clock.now()):
        return None
    return Webhook(token.webhook_url, deps.vault.open(token.webhook_secret, webhook_context(token.id)))
