"""Settings from files, for secrets that must not appear in a process's environment or a service's definition.

A directory holds one file per setting, named like its variable in lower case, such as `mailhaul_smtp_url`.
Containers mount such a directory. systemd creates one from LoadCredential= and sets CREDENTIALS_DIRECTORY to
its path (systemd.exec(5), "Credentials").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

DIRECTORY: Final = "MAILHAUL_SECRETS_DIR"
SYSTEMD_DIRECTORY: Final = "CREDENTIALS_DIRECTORY"
MAX_BYTES: Final = 64 * 1024


class SecretFilesUnusable(Exception):
    """Unusable secret files. `problems` holds one sentence per file or directory, without its contents."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def directory(environment: Mapping[str, str]) -> Path | None:
    """The directory of secret files: the configured one, else the service manager's."""
    path = environment.get(DIRECTORY) or environment.get(SYSTEMD_DIRECTORY)
    return Path(path).expanduser().absolute() if path else None


def read(environment: Mapping[str, str], variables: Iterable[str]) -> dict[str, str]:
    """Variable -> contents of its file without surrounding white space. Empty files are ignored.

    Raises SecretFilesUnusable with all problems together: unreadable files, an unreadable directory, and
    variables that are set in the environment as well, since neither value should silently win.
    """
    folder = directory(environment)
    if folder is None:
        return {}
    if not folder.is_dir():
        variable = DIRECTORY if environment.get(DIRECTORY) else SYSTEMD_DIRECTORY
        raise SecretFilesUnusable([f"{variable} is “{folder}”; it must be a directory of secret files."])
    contents: dict[str, str] = {}
    problems: list[str] = []
    for variable in variables:
        path = folder / variable.lower()
        try:
            if not path.exists() or not (text := _text(path)):
                continue
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            problems.append(f"The file {path} cannot be read: {reason}. It sets {variable}.")
            continue
        if environment.get(variable):
            problems.append(f"{variable} is set, and so is the file {path}. Remove one of them.")
        contents[variable] = text
    if problems:
        raise SecretFilesUnusable(problems)
    return contents


def _text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError("it is larger than any setting")
    try:
        return content.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
