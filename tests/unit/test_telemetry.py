"""The log: its format, levels, and the masking of personal data and secrets."""

from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
import structlog

from importer.domain.model import Account
from importer.telemetry import configure, get_logger, masked
from providers.endpoint import Endpoint, Secret


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before
    structlog.reset_defaults()


@pytest.fixture
def out() -> io.StringIO:
    stream = io.StringIO()
    configure("json", "info", stream)
    return stream


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_an_event_is_a_json_line_with_its_fields_and_the_time_in_utc(out: io.StringIO) -> None:
    get_logger().info("leg.finished", copied=412, seconds=58.1, at=datetime(2026, 1, 2, tzinfo=UTC))
    (line,) = lines(out)
    logged_at = datetime.fromisoformat(line.pop("timestamp"))
    assert logged_at.utcoffset() is not None
    assert abs((datetime.now(UTC) - logged_at).total_seconds()) < 60
    assert line == {
        "event": "leg.finished",
        "level": "info",
        "copied": 412,
        "seconds": 58.1,
        "at": "2026-01-02T00:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ada@old.example", "a***@old.example"),
        ("imaps://ada@old.example:993 refused", "imaps://a***@old.example:993 refused"),
        ("To: Ada <ada.l@old.example>, eve@new.example.", "To: Ada <a***@old.example>, e***@new.example."),
        ("user=ada%40old.example", "user=a***%40old.example"),
        ("redis://:hunter2@queue.example/0", "redis://•••@queue.example/0"),
        ("postgresql://u:hun@ter/2@db.example/m", "postgresql://•••@db.example/m"),
        ("b'ada@old.example'", "b'a***@old.example'"),
        ("jürgen@bücher.example", "j***@bücher.example"),
        ("17 messages @ 5 per second", "17 messages @ 5 per second"),
        ("a***@old.example", "a***@old.example"),
    ],
)
def test_addresses_and_passwords_in_urls_are_masked(text: str, shown: str) -> None:
    assert masked(text) == shown


def test_masking_a_very_long_line_is_fast() -> None:
    started = time.thread_time()
    masked("A" * 1_000_000 + "'%" * 100_000)
    assert time.thread_time() - started < 5


def test_values_are_masked_in_any_container(out: io.StringIO) -> None:
    account = Account("canary@old.example", "canary@old.example", Endpoint("old.example"))
    get_logger().info(
        "import.submitted canary@old.example",
        account=account,
        nested={"to": ["canary@old.example"], "canary@old.example": 1, "password": "canary"},
        error=ValueError("canary@old.example"),
        raw=b"canary@old.example",
        pair=(Secret("canary"), "canary@old.example"),
    )
    assert "canary" not in out.getvalue()
    assert lines(out)[0]["nested"]["to"] == ["c***@old.example"]


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "source_password",
        "passwd",
        "refresh_token",
        "client_secret",
        "Authorization",
        "api_key",
        "cookie",
    ],
)
def test_a_field_named_like_a_secret_is_hidden(out: io.StringIO, name: str) -> None:
    get_logger().info(
        "x.happened", **{name: "canary", "other": Secret("canary"), "deep": {name: ["canary", 4711]}}
    )
    assert "canary" not in out.getvalue()
    assert "4711" not in out.getvalue()
    assert lines(out)[0][name] == "•••"


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_has_no_local_variables_and_no_address(form: Any) -> None:
    stream = io.StringIO()
    configure(form, "info", stream)

    def fail() -> None:
        local = "can" + "ary"
        raise RuntimeError(f"no mailbox {local[:0]}eve@old.example")

    try:
        fail()
    except RuntimeError:
        get_logger().exception("leg.failed")
        logging.getLogger("some.library").exception("it failed for %s", "ada@old.example")
    text = stream.getvalue()
    assert text.count("RuntimeError: no mailbox e***@old.example") == 2
    assert "a***@old.example" in text
    assert "eve@" not in text
    assert "canary" not in text


def test_libraries_that_could_log_secrets_are_silent_even_at_debug_level() -> None:
    stream = io.StringIO()
    configure("json", "debug", stream)
    for name in (
        "imapclient",
        "imapclient.imaplib",
        "dramatiq.worker.WorkerThread",
        "sqlalchemy.engine.Engine",
    ):
        logging.getLogger(name).info("> LOGIN canary")
        logging.getLogger(name).warning("%s went away", "server")
    logging.getLogger("some.library").debug("shown")
    assert "canary" not in stream.getvalue()
    assert [line["event"] for line in lines(stream)] == ["server went away"] * 4 + ["shown"]
    assert lines(stream)[0]["logger"] == "imapclient"


def test_the_level_applies_to_own_events_and_libraries() -> None:
    stream = io.StringIO()
    configure("json", "error", stream)
    get_logger().warning("x.happened")
    logging.getLogger("imapclient").warning("x")
    get_logger().error("y.happened")
    assert [line["event"] for line in lines(stream)] == ["y.happened"]


def test_the_console_form_is_plain_text_with_fields() -> None:
    stream = io.StringIO()
    configure("console", "info", stream)
    get_logger().info("leg.finished", copied=412, source="ada@old.example")
    assert "leg.finished" in stream.getvalue()
    assert "copied=412" in stream.getvalue()
    assert "source=a***@old.example" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_configuring_again_replaces_the_previous_output(out: io.StringIO) -> None:
    second = io.StringIO()
    configure("json", "info", second)
    get_logger().info("x.happened")
    assert out.getvalue() == ""
    assert len(lines(second)) == 1


@pytest.mark.parametrize("form", ["console", "json"])
def test_external_text_cannot_inject_lines_or_terminal_commands(form: Literal["console", "json"]) -> None:
    stream = io.StringIO()
    configure(form, "info", stream)
    odd = "a\n2026-01-01 [info] leg.finished\r\x1b]0;x\x07\x1b[2J\x85\u2028\u202eb\ud800"
    get_logger().info("host.answered", text=odd, several=[odd], by={odd: odd})
    logging.getLogger("uvicorn.error").warning("Invalid request: %s", odd)
    output = stream.getvalue()
    assert output.count("\n") == 2
    assert all(c.isprintable() for c in output.replace("\n", ""))
    assert "leg.finished" in output


def test_a_traceback_keeps_its_lines() -> None:
    stream = io.StringIO()
    configure("console", "info", stream)
    try:
        int("one\x1b[2J\ntwo")
    except ValueError as error:
        get_logger().error("leg.failed", exc_info=error, note="\x1b")
    output = stream.getvalue()
    assert 'File "' in output
    assert output.count("\n") > 3
    assert "\x1b" not in output


def test_lines_in_json_say_which_process_wrote_them() -> None:
    stream = io.StringIO()
    configure("json", stream=stream, fields={"worker": "host:1:ab", "host": "host", "version": "1.2"})
    get_logger().info("worker.started")
    logging.getLogger("library").warning("a sentence")
    with structlog.contextvars.bound_contextvars(owner="client:panel"):
        get_logger().info("leg.started")
    names = ("worker", "host", "version", "owner")
    assert [tuple(line.get(name) for name in names) for line in lines(stream)] == [
        ("host:1:ab", "host", "1.2", None),
        ("host:1:ab", "host", "1.2", None),
        ("host:1:ab", "host", "1.2", "client:panel"),
    ]


def test_lines_for_a_person_do_not_repeat_the_process() -> None:
    stream = io.StringIO()
    configure("console", stream=stream, fields={"worker": "host:1:ab"})
    get_logger().info("worker.started")
    assert "host:1:ab" not in stream.getvalue()
