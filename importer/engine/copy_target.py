"""The two folders of a pass, ready to copy."""

from __future__ import annotations

from importer.domain.mailbox_content import FolderRef, KeywordRule
from importer.engine.existing_mail import ExistingMail
from providers.frozen import frozen


@frozen
class Target:
    """`source`, and the destination `folder`, which accepts the
    keywords of `rule` and messages of `limit_bytes` (None: of any size)."""

    source: FolderRef
    folder: FolderRef
    rule: KeywordRule
    limit_bytes: int | None
    existing: ExistingMail
