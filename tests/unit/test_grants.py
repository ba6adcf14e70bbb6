"""The serialised form of grants in the vault."""

from __future__ import annotations

import pytest

from providers.endpoint import Secret
from providers.grants import Grant, OAuthGrant, OrganisationGrant, PasswordGrant, dump, load


@pytest.mark.parametrize(
    "grant",
    [
        PasswordGrant(Secret('pässwörd "€"')),
        PasswordGrant(Secret("")),
        OAuthGrant("google", Secret("1//refresh")),
        OAuthGrant("microsoft", Secret("0.refresh"), "common"),
        OrganisationGrant("google"),
    ],
)
def test_a_dumped_grant_is_loaded_unchanged(grant: Grant) -> None:
    sealed = dump(grant)
    assert isinstance(sealed, Secret)
    assert load(sealed) == grant


@pytest.mark.parametrize(
    "text",
    [
        "hunter2",
        "[]",
        '"hunter2"',
        "7",
        "{}",
        '{"kind": "hunter2"}',
        '{"kind": "password"}',
        '{"kind": "password", "password": ["hunter2"]}',
        '{"kind": "oauth", "provider": "google", "refresh_token": "hunter2", "tenant": 7}',
    ],
)
def test_an_invalid_grant_is_rejected_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="not a grant") as caught:
        load(Secret(text))
    assert "hunter2" not in repr(caught.value)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
