"""Settings from files: what nobody should find in a process's environment or in a service's definition.

A directory holds one file for each, named like its variable in lower case, such as `mailhaul_smtp_url`.
Containers mount such a directory; systemd makes one from LoadCredential= and names it in
CREDENTIALS_DIRECTORY (systemd.exec(5), "Credentials").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

DIRECTORY: Final = "MAILHAUL_SECRETS_DIR"
HANDED_OVER: Final = "CREDENTIALS_DIRECTORY"
MAX_BYTES: Final = 64 * 1024


class SecretFilesUnusable(Exception):
    """`problems` holds one sentence for each file or directory; none quotes what is in a file."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def directory(environment: Mapping[str, str]) -> Path | None:
    """Where the files are: where the operator says, else where the service manager put them."""
    named = environment.get(DIRECTORY) or environment.get(HANDED_OVER)
    return Path(named).expanduser().absolute() if named else None


def read(environment: Mapping[str, str], variables: Iterable[str]) -> dict[str, str]:
    """Variable -> what its file holds, without the white space around it; an empty file counts as none.

    Raises SecretFilesUnusable with all problems at once: a directory or a file that cannot be read, and
    what is set in both places, for nobody could tell which one counts.
    """
    where = directory(environment)
    if where is None:
        return {}
    if not where.is_dir():
        said = DIRECTORY if environment.get(DIRECTORY) else HANDED_OVER
        raise SecretFilesUnusable([f"{said} is “{where}”; it must be a directory with files of secrets."])
    found: dict[str, str] = {}
    problems: list[str] = []
    for variable in variables:
        path = where / variable.lower()
        try:
            if not path.exists() or not (text := _text(path)):
                continue
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            problems.append(f"The file {path} cannot be read: {reason}. {variable} comes from there.")
            continue
        if environment.get(variable):
            problems.append(f"{variable} is set, and so is the file {path}. Remove one of them.")
        found[variable] = text
    if problems:
        raise SecretFilesUnusable(problems)
    return found


def _text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError("it is larger than any setting")
    try:
        return content.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
