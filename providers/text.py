"""Texts for people, as data: a code and typed parameters. Front ends render them in a language.

Every failure gives its reason as a `Text`. The sentence of each code, with its consequences, is a `TextRow`.
No module below the front ends composes a sentence. A server's words are quoted separately, verbatim.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, TypeAlias

from providers.frozen import frozen

PRODUCT_NAME: Final = "%(product)s"
"""The place for the name by which customers know this service, in each text that they may read."""


@frozen
class ByteSize:
    """A number of bytes as a parameter: each language shows it in a unit of its own."""

    size_bytes: int


Param: TypeAlias = "str | int | date | datetime | timedelta | ByteSize | Text"
"""The parameters of a sentence: foreign words and identifiers such as ports (`str`), quantities (`int`),
days, instants, time spans, sizes, and other texts. A `Secret` is not a Param."""


@frozen
class Text:
    """`Text("login_rejected.expired", host="imap.old.example")`.

    The part of `code` before its first dot is public and stable: the code of the error, problem or refusal.
    `items` are the parameters by name; `words` are those of a server, which are quoted after the sentence
    of a refusal. `steps` says what to do at this provider and replaces the advice of the code.
    """

    code: str
    items: tuple[tuple[str, Param], ...]
    steps: Text | None

    def __init__(self, code: str, /, *, steps: Text | None = None, **params: Param) -> None:
        """Raises TypeError for a value that is no Param."""
        for name, value in params.items():
            if not isinstance(value, str | int | date | timedelta | ByteSize | Text):
                raise TypeError(f"{code}: {name} is a {type(value).__name__}, which no text can contain")
        object.__setattr__(self, "code", code)
        object.__setattr__(self, "items", tuple(sorted(params.items())))
        object.__setattr__(self, "steps", steps)

    def with_steps(self, steps: Text | None) -> Text:
        """The same text with other steps; None: with its own."""
        return self if steps is None else Text(self.code, steps=steps, **self.params)

    def quoting(self, words: str) -> Text:
        """The same text with the words of the server, if it said anything."""
        return Text(self.code, steps=self.steps, **{**self.params, "words": words}) if words else self

    @property
    def public_code(self) -> str:
        return self.code.partition(".")[0]

    @property
    def params(self) -> dict[str, Param]:
        return dict(self.items)

    def __str__(self) -> str:
        """For logs and tracebacks: `login_rejected.expired (host=imap.old.example)`."""
        params = ", ".join(f"{name}={value}" for name, value in self.items)
        return f"{self.code} ({params})" if params else self.code

    def as_json(self) -> dict[str, Any]:
        """`{code, params}`, with `steps` if there are any. Strings and numbers are themselves; others are
        `{"at": ISO 8601}`, `{"day": ISO 8601}`, `{"seconds": n}`, `{"bytes": n}` or `{"text": a text}`."""
        steps = {} if self.steps is None else {"steps": self.steps.as_json()}
        return {
            "code": self.code,
            "params": {name: _param_json(value) for name, value in self.items},
            **steps,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Text:
        """Inverse of `as_json`."""
        steps = cls.from_json(stored["steps"]) if "steps" in stored else None
        return cls(stored["code"], steps=steps, **{n: _param(value) for n, value in stored["params"].items()})


def _param_json(value: Param) -> Any:
    match value:
        case datetime():
            return {"at": value.isoformat()}
        case date():
            return {"day": value.isoformat()}
        case timedelta():
            return {"seconds": value.total_seconds()}
        case ByteSize(size_bytes):
            return {"bytes": size_bytes}
        case Text():
            return {"text": value.as_json()}
    return value


def _param(value: Any) -> Param:
    match value:
        case {"at": instant}:
            return datetime.fromisoformat(instant)
        case {"day": day}:
            return date.fromisoformat(day)
        case {"seconds": seconds}:
            return timedelta(seconds=seconds)
        case {"bytes": size_bytes}:
            return ByteSize(size_bytes)
        case {"text": text}:
            return Text.from_json(text)
        case str() | int():
            return value
    raise ValueError(f"no parameter of a text: {value!r}")


Explain: TypeAlias = Callable[[str], Text | None]
"""Maps the words of a server to the steps that its user has to take; None if they are unknown."""


class WayOn(StrEnum):
    """The user's first step to run a stopped import again."""

    PASSWORD = "password"  # noqa: S105 - enters a password
    SIGN_IN = "sign-in"  # signs in at the host
    CONTINUE = "rest"  # nothing here: the cause is fixed elsewhere


@frozen
class TextRow:
    """One row of the catalog: the meaning of a code for people and for the program.

    Sentences and advice are English, the keys of the gettext catalogs, with the parameters as `%(name)s` and
    the name of this service as `%(product)s`, which is no parameter: the translator knows it. A
    pair is a singular and a plural, chosen by the parameter `number`, which both show as `%(num)s`. An empty
    one is that of the row one level up: of `login_rejected` for `login_rejected.expired`; so is a `way_on` of
    None, which is CONTINUE at the top. The fields after it belong to public codes only.
    """

    code: str
    sentence: str | tuple[str, str] = ""
    advice: str = ""  # what the reader can do about it
    sentence_at_destination: str = ""  # if it reads differently for the new mailbox
    advice_at_destination: str = ""
    way_on: WayOn | None = None  # the first step of the button that runs a stopped import again
    counts_as_failure: bool = True  # an import that waits for it has used up an attempt
    retry_now: bool = True  # its user may have it retried before the wait is over
    exit_code: int = 5  # of the console
    cause: str = ""  # for operators, in docs/errors.md
    operator_advice: str = ""  # as `cause`
    as_refusal: str = ""  # its meaning for a message or a folder that was not copied, in docs/errors.md
