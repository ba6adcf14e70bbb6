"""Settings from files, for secrets that must not appear in a process's environment or a service's definition.

A directory holds one file per setting, named like its variable in lower case, such as `mailhaul_smtp_url`.
Containers mount such a directory. systemd creates one from LoadCredential= and sets CREDENTIALS_DIRECTORY to
its path (systemd.exec(5), "Credentials").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from providers.text import Text

DIRECTORY: Final = "MAILHAUL_SECRETS_DIR"
SYSTEMD_DIRECTORY: Final = "CREDENTIALS_DIRECTORY"
MAX_BYTES: Final = 64 * 1024


class SecretFilesUnusable(Exception):
    """Unusable secret files. `problems` has a text per file or directory, without its contents."""

    def __init__(self, *problems: Text) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


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
        raise SecretFilesUnusable(Text("setting_secrets_dir", variable=variable, folder=str(folder)))
    contents: dict[str, str] = {}
    problems: list[Text] = []
    for variable in variables:
        path = folder / variable.lower()
        try:
            if not path.exists() or not (text := _text(path)):
                continue
        except OSError as error:
            reason = error.strerror or str(error)
            unreadable = Text("setting_secret_file", file=str(path), variable=variable, reason=reason)
            problems.append(unreadable)
            continue
        except _NoSetting as error:
            problems.append(Text(error.code, file=str(path), variable=variable))
            continue
        if environment.get(variable):
            problems.append(Text("setting_given_twice", variable=variable, file=str(path)))
        contents[variable] = text
    if problems:
        raise SecretFilesUnusable(*problems)
    return contents


class _NoSetting(Exception):
    """The file cannot contain a setting."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def _text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise _NoSetting("setting_secret_file.too_large")
    try:
        return content.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise _NoSetting("setting_secret_file.not_text") from None
