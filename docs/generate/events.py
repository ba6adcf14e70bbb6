"""docs/events.md, from every log call in the product."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from docs.generate.markdown import table

_PRODUCT: Final = [Path(__file__).parents[2] / package for package in ("importer", "providers")]
_LEVELS: Final = {"debug", "info", "warning", "error", "exception", "critical"}
_INTRODUCTION: Final = """\
# Log events

Made from the code by `make document`.

The log goes to stderr, as `console` or `json` (`MAILHAUL_LOG_FORMAT`), with times in UTC. Mail addresses are masked.
In json each line has `host` and `version`, those of a worker also `worker` (HOST:PID:TOKEN, as `explain` and `doctor` show
it), and what happens in a leg has `owner`: `console`, `client:NAME`, or the kind of person with a fingerprint that is the
same for all imports of that person.
Libraries add warnings of their own. Alert on `own_host.failed`, `database.lost`, `disk.found_full`, `key.missing`, `leg.failed`, `worker.ended`, and on `tick.failed` that
persists for minutes.
"""
MEANINGS: Final = {
    "worker.started": "A worker is ready.",
    "worker.stopped": "A worker has ended in an orderly way.",
    "worker.ended": "A worker of `up` ended unexpectedly; another one is started.",
    "process.exit_forced": "A process did not end in time after a signal, because a thread hung, and was ended. Its legs"
    " are continued by another worker.",
    "imports.submitted": "Mailboxes were submitted: `started` imports in a new batch (`batch_id`), `done` were complete already, `under_way` had an import, whose passwords may have been replaced.",
    "control.requested": "An import is to be paused, resumed or cancelled (`request`). `effect`: `done`, `soon` (a worker applies it after its batch), `too late`, `not possible`.",
    "leg.started": "A worker begins a leg; `attempts` counts those without progress before it.",
    "leg.finished": "One leg, however it ended. `messages` and `bytes` are the progress of this leg; `attempts` counts legs"
    " without progress.",
    "consent.given_back": "An import has ended and its owner's consent was revoked; `done` is false if the provider"
    " has no way for that, or did not answer.",
    "leg.failed": "An internal error, with its traceback.",
    "import.ended": "An import has ended. `found` and `copied` count messages, `refused` those that could not be copied by their code.",
    "import.follows": "A pass is complete, and the next one fetches new mail at `next_pass`. `mx` says what the mail exchangers of its domain show (`awaiting_cutover.…`).",
    "mx.unknown": "The mail exchangers of the domain of an import that follows could not be looked up. It asks again after the next pass.",
    "import.reopened": "A stopped import continues with the passwords that were kept.",
    "own_host.failed": "The installation's own mail host cannot be used: its address, certificate, encryption, availability or master user (`code`). Imports into it wait, however long it takes.",
    "database.lost": "The database was lost during a leg. The import waits a few seconds; this counts as no attempt.",
    "key.missing": "No configured key opens the passwords of an import. It waits a minute; this counts as no attempt.",
    "ring.failed": "A ring of the queue failed because a part of the installation does. The tick rings again.",
    "request.unavailable": "A page was answered with 503: a part of the installation failed.",
    "call.unavailable": "An API request was answered with 503: a part of the installation failed.",
    "readiness.failed": "What /readyz found; it tells clients the part only.",
    "audit.not_recorded": "A security event of a request could not be stored.",
    "disk.found_full": "The installation's disk, or the database's, is full. The import waits a minute.",
    "leg.lost_lease": "The worker was frozen or cut off from the database for longer than the lease. Another worker"
    " has the import.",
    "undo.started": "An undo begins.",
    "undo.finished": "An import was undone. `stays` was changed since or cannot be told apart; `gone` had been"
    " deleted or moved before.",
    "tick.failed": "The housekeeping failed: the database or the queue is unavailable. It is tried again.",
    "queue.ring_failed": "The queue did not accept a ring. The tick makes up for it.",
    "queue.reset": "The embedded queue did not start and was reset.",
    "mail.failed": "The mails about that import or batch could not be written, with the traceback. The import ended"
    " all the same.",
    "evidence.failed": "The evidence of an import or a batch could not be sealed, with the traceback. Its mail states no"
    " SHA-256; `mailhaul evidence` still writes the file.",
    "summary.failed": "The summary of a batch could not be posted, with the traceback. The tick tries again for a"
    " day.",
    "openid.refused": "A sign-in with OpenID Connect failed; `server_text` has the issuer's words, or names the check"
    " of the ID token that failed.",
    "request.failed": "A page failed with an internal error, with its traceback; `path` is the kind of page"
    " (`/consent/{token}`).",
    "call.failed": "An API call failed with an internal error, with its traceback.",
    "undo.failed": "An undo that a page or the API requested failed with an internal error, with its traceback. It"
    " can be requested again.",
    "reading.failed": "A verification or a search for a message that a page or the API requested failed with an"
    " internal error, with its traceback. It can be requested again.",
    "call.made": "One call to a webhook, of the token with that id or (`-`) of the installation: `done`, `pending`"
    " (it is tried again) or `given up`. The table `calls` has the reason.",
    "call.unwritten": "The calls to webhooks about an import could not be written, with the traceback. The import"
    " ended all the same; the webhooks are not called.",
    "watch.failed": "Progress could not be read: the database is unavailable. Watchers see no change until it is"
    " back.",
    "mail.handled": "One mail: `sent`, `retry`, `refused` or `unknown` (never sent again).",
    "mail.limited": "A mail to a third person was not sent: its submitter, or all together to that domain, caused too"
    " many today.",
    "audit.recorded": "A security event: who (`actor`) did what (`action`) to what (`target`), from where (`client`),"
    " and how it ended. `detail` is a code with its parameters, such as `login_rejected.expired"
    " (host=imap.old.example, side=source)`, or empty. The table `audit_events` has it too; `mailhaul audit` shows it.",
    "records.swept": "Rows whose lifetime was over were removed, or cleared of personal data: a step of the retention.",
    "maintenance.changed": "Maintenance was switched `on` or `off`, and by whom: all imports are held, or go on.",
    "command.failed": "A console command failed with an internal error, with its traceback.",
}


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One log call: `fields` are the names of its keyword arguments."""

    name: str
    level: str
    fields: tuple[str, ...]


def logged() -> Iterator[LogEvent]:
    """Every `log.<level>("event", field=…)` of the product. Raises ValueError for one without a constant name."""
    for path in sorted(path for package in _PRODUCT for path in package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (level := _level(node.func)):
                match node.args:
                    case [ast.Constant(str(name)), *_]:
                        fields = (word.arg or "**" for word in node.keywords)
                        yield LogEvent(name, level, tuple(field for field in fields if field != "exc_info"))
                    case _:
                        raise ValueError(f"{path}:{node.lineno}: the name of an event is a constant")


def _level(function: ast.expr) -> str:
    match function:
        case ast.Attribute(ast.Name("log"), level) if level in _LEVELS:
            return level
        case ast.Attribute(ast.Call(ast.Name("get_logger") | ast.Attribute(attr="get_logger")), level):
            return level
    return ""


def render() -> str:
    """The whole page."""
    events = {event.name: event for event in logged()}
    rows = [
        (f"`{name}`", event.level, ", ".join(f"`{field}`" for field in event.fields), MEANINGS.get(name, "?"))
        for name, event in ((name, events[name]) for name in [*MEANINGS, *sorted(events.keys() - MEANINGS)])
    ]
    return "\n".join((_INTRODUCTION, *table(("event", "level", "fields", "meaning"), rows))) + "\n"
