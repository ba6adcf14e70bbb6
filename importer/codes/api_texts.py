"""Reasons why the API refuses a request. The sentence, without its full stop, is the title of the problem (RFC
9457), which may be localised; the advice is its detail.

A code is `api.` and a key of `problem_details.STATUSES`; a longer code has a detail of its own.
"""

from __future__ import annotations

from typing import Final

from providers.text import TextRow

_FIELDS: Final = (
    TextRow("api_field", "This value is not valid."),
    TextRow("api_field.missing", "This field is missing."),
    TextRow("api_field.extra_forbidden", "There is no such field."),
    TextRow("api_field.json_invalid", "This is not valid JSON."),
    TextRow("api_field.string_type", "This must be a text."),
    TextRow("api_field.bool_type", "This must be true or false."),
    TextRow("api_field.bool_parsing", "This must be true or false."),
    TextRow("api_field.int_type", "This must be a whole number."),
    TextRow("api_field.int_parsing", "This must be a whole number."),
    TextRow("api_field.list_type", "This must be a list."),
    TextRow("api_field.model_attributes_type", "This must be an object."),
    TextRow("api_field.dict_type", "This must be an object."),
    TextRow("api_field.literal_error", "This must be one of: %(expected)s."),
    TextRow("api_field.enum", "This must be one of: %(expected)s."),
    TextRow("api_field.string_too_long", "This is longer than %(max_length)s characters."),
    TextRow("api_field.string_too_short", "This is shorter than %(min_length)s characters."),
    TextRow("api_field.too_long", "This has more than %(max_length)s entries."),
    TextRow("api_field.too_short", "This has fewer than %(min_length)s entries."),
    TextRow("api_field.greater_than_equal", "The least is %(ge)s."),
    TextRow("api_field.less_than_equal", "The most is %(le)s."),
)
"""By pydantic's type of the error, https://docs.pydantic.dev/latest/errors/validation_errors/ (2026-11)."""

ROWS: Final = (
    TextRow(
        "api.token_missing",
        "The request contains no token.",
        "Send it in the header Authorization, as `Bearer TOKEN`.",
    ),
    TextRow(
        "api.token_refused",
        "The token is unknown, revoked or expired.",
        "Ask the operator for a new token.",
    ),
    TextRow("api.scope_missing", "The token does not permit this."),
    TextRow("api.scope_missing.scope", advice="The token lacks the scope “%(scope)s”."),
    TextRow("api.scope_missing.submitter", advice="This token permits submitters of its domains only."),
    TextRow("api.scope_missing.destination", advice="%(reason)s"),
    TextRow(
        "api.not_found",
        "Nothing was found for this token.",
        "Check the id. Objects of other clients are not shown.",
    ),
    TextRow("api.not_found.undo", advice="The import was not undone, or the undo is not complete."),
    TextRow("api.not_found.reading", advice="Nothing of the kind was started since the web process began."),
    TextRow("api.method_not_allowed", "The resource does not support this method."),
    TextRow("api.not_possible", "The state of the import does not permit this."),
    TextRow(
        "api.not_possible.other_number",
        advice="%(number)s imports match now. Look at them, and confirm that number.",
    ),
    TextRow(
        "api.idempotency_key_in_use",
        "The request with this key is still being processed.",
        "Repeat the request in a moment.",
    ),
    TextRow(
        "api.idempotency_key_in_use.unreadable",
        advice="The stored response can no longer be decrypted. Check the list of imports.",
    ),
    TextRow(
        "api.idempotency_key_invalid",
        "The Idempotency-Key is invalid.",
        "Send one key of 1 to 255 printable ASCII characters.",
    ),
    TextRow(
        "api.idempotency_key_reused",
        "The Idempotency-Key was used for another request.",
        "Use a new key for a new request.",
    ),
    TextRow("api.request_invalid", "The request is invalid.", "Each error names its place."),
    TextRow(
        "api.rows_refused",
        "Some rows are invalid, so nothing was started.",
        "Fix these problems and send all rows again.",
    ),
    TextRow("api.mailbox_refused", "The login to a mailbox failed."),
    TextRow("api.body_too_large", "The body is too large.", "The limit is 256 KiB."),
    TextRow(
        "api.media_type_refused",
        "The media type of the body is not supported.",
        "Send the file as `text/csv`.",
    ),
    TextRow("api.too_many_requests", "Too many requests."),
    TextRow(
        "api.too_many_requests.token",
        advice="A token permits %(calls)s calls a minute.",
    ),
    TextRow("api.busy", "Too many requests of this kind are in progress.", "Try again in a few seconds."),
    TextRow(
        "api.unavailable",
        "A part of the installation does not respond.",
        "Nothing is lost. Send the request again, with the same Idempotency-Key.",
    ),
    TextRow("api.refused", "The request was refused."),
    TextRow("api.refused.form_unreadable", advice="Send the form as UTF-8."),
    TextRow("api.refused.text_not_unicode", advice="Send texts without unpaired surrogates."),
    TextRow(
        "api.internal",
        "Something went wrong inside %(product)s.",
        "The error was logged. Nothing is lost; try again.",
    ),
    *_FIELDS,
)
