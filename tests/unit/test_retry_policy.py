"""Which of two failures decides."""

from __future__ import annotations

from itertools import permutations

import pytest

from importer.concurrency import run_both
from importer.domain.planning.retry_policy import decisive
from importer.ports.mailbox_errors import FolderUnusable
from providers.errors import (
    CertificateRefused,
    ConnectionLost,
    GrantExpired,
    LoginRejected,
    ServerTooSlow,
    ServerUnavailable,
    Throttled,
)

RANKED = (
    (LoginRejected(), GrantExpired(), CertificateRefused()),
    (OSError("our own"),),
    (Throttled(),),
    (ServerUnavailable(), ServerTooSlow()),
    (ConnectionLost(), FolderUnusable()),
)


def fail(error: Exception) -> None:
    raise error


def test_the_stronger_failure_decides_and_of_equal_ones_the_first() -> None:
    ranks = {error: rank for rank, errors in enumerate(RANKED) for error in errors}
    for pair in permutations(ranks, 2):
        expected = min(pair, key=lambda error: ranks[error])
        assert decisive(pair) is expected
        with pytest.raises(type(expected)) as raised:
            run_both(lambda: fail(pair[0]), lambda: fail(pair[1]), decisive)  # noqa: B023
        assert raised.value is expected


def test_a_single_failure_is_raised_from_either_side() -> None:
    with pytest.raises(OSError, match="one"):
        run_both(lambda: fail(OSError("one")), lambda: 2, decisive)
    with pytest.raises(OSError, match="other"):
        run_both(lambda: 1, lambda: fail(OSError("other")), decisive)
    assert run_both(lambda: 1, lambda: 2, decisive) == (1, 2)
