"""Logging: structlog and the standard library's loggers share one handler and one set of processors.

Invariants: no line contains a full mail address, a password in a URL, the value of a field with the name of a
secret, or local variables of a traceback. An event is one line, followed by its traceback if there is one.
Control characters in untrusted text never reach a terminal. Times are UTC, ISO 8601.

Events are `noun.past_verb` with fields: `leg.finished import_id=… copied=412 seconds=58.1`.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Literal, TextIO, cast

from importer.startup import without_unused_modules
from providers.endpoint import Secret

with without_unused_modules():
    import structlog
    from structlog.typing import EventDict, FilteringBoundLogger, Processor

_HIDDEN: Final = "•••"
_NO_FIELDS: Final[Mapping[str, str]] = MappingProxyType({})

# Libraries that may log network traffic, arguments or parameters below this level.
_QUIET: Final = ("imapclient", "imapclient.imaplib", "dramatiq", "sqlalchemy", "alembic", "asyncio")

_SECRET_NAME: Final = re.compile(
    r"passw|passphrase|secret|token|authorization|credential|cookie|(api|private|session)[-_ ]?key",
    re.IGNORECASE,
)
_MULTILINE_FIELDS: Final = frozenset({"exception", "stack"})
# Control characters, the line breaks U+2028 and U+2029, bidirectional controls, lone surrogates.
_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_URL_PASSWORD: Final = re.compile(r"(?<=://)[^\s/@:]*:[^\s]*@")
# A match starts only at the start of a word, so a long line takes linear time.
_DELIMITERS: Final = r"""\s@<>()\[\]"'“”,;:\\/="""
_ADDRESS: Final = re.compile(
    rf"(?<![^{_DELIMITERS}])(?P<first>[^{_DELIMITERS}])[^{_DELIMITERS}]*?(?P<at>@|%40)(?=[^\W_])",
    re.IGNORECASE,
)


def configure(
    format: Literal["console", "json"] = "console",
    level: str = "info",
    stream: TextIO | None = None,
    observers: Sequence[Processor] = (),
    fields: Mapping[str, str] = _NO_FIELDS,
) -> None:
    """Sends all log output of this process to `stream` (stderr by default) and nowhere else.

    `level` is debug, info, warning or error. Libraries that could log secrets stay at warning or above.
    `observers` get every event of Mailhaul from level info on, unmasked, independent of `level`. Lines of
    format json have `fields`, which identify a process of the installation. Lines of both formats have the
    fields of structlog's context variables. May be called again; the last call wins.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    context = structlog.contextvars.merge_contextvars
    shared: list[Processor] = [
        partial(_with_fields, dict(fields) if format == "json" else {}),
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,  # plain tracebacks: no local variables
    ]
    seen = min(threshold, logging.INFO) if observers else threshold
    structlog.configure(
        processors=[
            context,
            *observers,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(seen),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[context, *shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                mask,
                *_renderer(format, stream),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))


def _with_fields(
    fields: Mapping[str, str], _logger: object, _method: str, event_dict: EventDict
) -> EventDict:
    return {**fields, **event_dict}


def get_logger() -> FilteringBoundLogger:
    """Returns a structlog logger."""
    return cast(FilteringBoundLogger, structlog.get_logger())


def mask(_logger: object, _method: str, event_dict: EventDict) -> EventDict:
    """The structlog processor that enforces the module's invariants. It runs last before rendering."""
    return {name: _escaped(name, _masked(name, value)) for name, value in event_dict.items()}


def masked(text: str) -> str:
    """`text` without passwords in URLs, and with mail addresses shortened to a***@old.example."""
    return _URL_PASSWORD.sub(f"{_HIDDEN}@", _ADDRESS.sub(r"\g<first>***\g<at>", text))


def _masked(name: str, value: Any) -> Any:
    shown: Any
    match value:
        case None | bool():
            shown = value
        case _ if isinstance(value, Secret) or _SECRET_NAME.search(name):
            shown = _HIDDEN
        case int() | float():
            shown = value
        case str():
            shown = masked(value)
        case date():
            shown = value.isoformat()
        case Mapping():
            shown = {masked(str(key)): _masked(str(key), item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            shown = [_masked(name, item) for item in value]
        case BaseException():
            shown = masked(str(value))
        case _:
            shown = masked(repr(value))
    return shown


def _escaped(name: str, value: Any) -> Any:
    """Escapes line breaks and invisible characters in texts; only tracebacks keep their lines."""
    if isinstance(value, str):
        lines = value.split("\n") if name in _MULTILINE_FIELDS else [value]
        return "\n".join(
            _UNSAFE.sub(lambda c: c[0].encode("unicode_escape").decode(), line) for line in lines
        )
    if isinstance(value, list):
        return [_escaped(name, item) for item in value]
    if isinstance(value, dict):
        return {_escaped("", key): _escaped(key, item) for key, item in value.items()}
    return value


def _renderer(format: str, stream: TextIO | None) -> list[Processor]:
    if format == "json":
        return [structlog.processors.JSONRenderer(ensure_ascii=False)]
    colors = (stream or sys.stderr).isatty()
    return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)]
