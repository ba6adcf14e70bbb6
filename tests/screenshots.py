"""`python -m tests.screenshots` takes the picture of the README again. It uses real hosts.

`--all FOLDER` takes pictures of all pages, in each language on a phone and a desktop, light and dark: to be
looked at, not kept.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from playwright.sync_api import FilePayload, Page

from importer.domain.model import Progress, State
from tests.browser.stage import (
    DESKTOP,
    PHONE,
    SCHEMES,
    Stage,
    behind,
    browser,
    check_source,
    enter_old_address,
    new_page,
    sign_in,
    stage,
    stage_with_sign_in,
    start,
    try_password,
)
from tests.browser.still_pages import still
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.hosts import User, new_user, rehearsal_host
from tests.rehearsal.imitations.exchange import BACKOFF, Exchange
from tests.rehearsal.imitations.server import Imitation, imitation
from tests.rehearsal.proxy import CuttingProxy, cutting_proxy
from tests.rehearsal.sample import EMPTY_FOLDERS, sample_mailbox
from tests.unit.batch_office import BatchOffice

OUT: Final = Path(__file__).parents[1] / "docs" / "screenshots"
SLOW_BYTES_PER_S: Final = 120_000
PATIENCE_MS: Final = 60_000
BAD_FILE: Final = """\
source_address,source_password,source_server,destination_address,destination_password
ada@old.example,correct horse,imap.old.example,ada@new.example,battery staple
grace,secret,imap.old.example,grace@new.example,
ada@old.example,correct horse,imap.old.example,ada@new.example,battery staple
"""


@dataclass(frozen=True)
class Appearance:
    """A combination of device, language and colour scheme (None: both). `owner` is the local part of the
    addresses."""

    name: str
    language: str
    size: dict[str, int]
    dark: bool | None
    owner: str


LINKED: Final = Appearance("desktop-en", "en", DESKTOP, False, "ada")
"""That of the picture in the README, "04-ready"."""

EVERY_APPEARANCE: Final = tuple(
    Appearance(f"{device}-{language}", language, size, None, f"{language}.{device}")
    for language in ("en", "de", "fr", "it", "es")
    for device, size in (("desktop", DESKTOP), ("phone", PHONE))
)


@dataclass(frozen=True)
class Places:
    """A plain installation, one with OpenID and Google sign-in, a host behind a slow line and a host that
    throttles."""

    site: Stage
    signing_in: Stage
    line: CuttingProxy
    busy: Imitation
    language: str = "en"  # of the appearance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="each language and device, into a folder")
    folder = parser.parse_args().all
    if folder is None:
        take_pictures(OUT, [LINKED], only="04-ready")
    else:
        take_pictures(folder, EVERY_APPEARANCE)


def take_pictures(out: Path, appearances: Sequence[Appearance], only: str = "") -> None:
    """Replace all pictures in `out`; by the one of that name, if it is given."""
    out.mkdir(parents=True, exist_ok=True)
    for picture in out.glob("*.png"):
        picture.unlink()
    with ExitStack() as running:
        root = Path(running.enter_context(tempfile.TemporaryDirectory()))
        ca = CertificateAuthority(root / "ca")
        old_host = running.enter_context(rehearsal_host(root / "old", ca=ca))
        new_host = running.enter_context(rehearsal_host(root / "new", ca=ca))
        places = Places(
            running.enter_context(stage(root / "site", old_host, new_host)),
            running.enter_context(
                stage_with_sign_in(root / "signing-in", old_host, new_host, ca, "openid", "google")
            ),
            running.enter_context(cutting_proxy(old_host.imaps)),
            running.enter_context(imitation(Exchange(), root, ca)),
        )
        chromium = running.enter_context(browser())
        for appearance in appearances:
            old, new = places.site.mailboxes(appearance.owner)
            old.fill(sample_mailbox(), EMPTY_FOLDERS)
            for pictures in (_moving_pages, _waiting_pages, _sign_in_pages, _many_pages):
                context, page = new_page(
                    chromium, size=appearance.size, language=appearance.language, dark=bool(appearance.dark)
                )
                pictures(
                    page,
                    replace(places, language=appearance.language),
                    old,
                    new,
                    _taker(page, out, appearance, only),
                )
                context.close()


Take = Callable[[str], object]


def _moving_pages(page: Page, places: Places, old: User, new: User, take: Take) -> None:
    """From the first page to the report and the undo, and a CSV file with mistakes."""
    url = places.site.url
    page.goto(url)
    take("01-first-page")
    sign_in(page, url, new)
    take("02-old-address")
    enter_old_address(page, "ada@icloud.com")
    take("03-password")
    check_source(page, url, behind(places.line, old))
    page.locator("[data-check] details").wait_for(timeout=PATIENCE_MS)
    take("04-ready")
    places.line.narrow(SLOW_BYTES_PER_S)
    start(page)
    page.locator(".pill.busy").wait_for()
    page.locator("progress[value]").wait_for(timeout=PATIENCE_MS)
    page.wait_for_timeout(2_500)
    take("05-progress")
    places.line.bytes_per_s = None
    page.locator(".pill.good").wait_for(timeout=PATIENCE_MS)
    page.goto(f"{url}/imports")
    take("06-imports")
    page.locator(".lines a").first.click()
    page.wait_for_url("**/imports/*")
    take("07-report")
    page.locator("summary.danger").click()
    take("08-undo")
    page.locator("form[action$='/undo'] button").click()
    page.locator(".alert.good").wait_for(timeout=PATIENCE_MS)
    take("09-undone")
    page.goto(f"{url}/file")
    take("10-file")
    page.set_input_files("#file", _file(BAD_FILE))
    page.click("form[action='/file'] button.primary")
    page.wait_for_url("**/preview")
    take("11-preview")


def _waiting_pages(page: Page, places: Places, old: User, new: User, take: Take) -> None:
    """An import that is paused and then cancelled, an import that is throttled, and a wrong password."""
    url = places.site.url
    sign_in(page, url, new)
    check_source(page, url, behind(places.line, old))
    page.locator("[data-check] details").wait_for(timeout=PATIENCE_MS)
    places.line.narrow(SLOW_BYTES_PER_S)
    start(page)
    page.locator(".pill.busy").wait_for()
    page.click("form[action$='/pause'] button")
    page.locator(".pill.wait").wait_for(timeout=PATIENCE_MS)
    take("12-paused")
    page.locator("summary.danger").click()
    take("13-cancel")
    page.click("form[action$='/cancel'] button")
    page.locator("a[href$='/again']").wait_for(timeout=PATIENCE_MS)
    take("14-cancelled")
    places.line.bytes_per_s = None

    throttled_user = new_user(places.busy, old.account.address)
    mailbox = places.busy.mailbox(throttled_user.account.login)
    for n in range(3):
        mailbox.append(mailbox.folders["INBOX"], (), "02-Feb-2003 04:05:06 +0000", b"Subject: %d\r\n\r\n" % n)
    check_source(page, url, throttled_user)
    page.locator("[data-check] details").wait_for(timeout=PATIENCE_MS)
    places.busy.says("UID FETCH", f"BAD {BACKOFF}")
    start(page)
    page.locator(".why time").wait_for(timeout=PATIENCE_MS)
    take("15-waiting")

    page.goto(f"{url}/new")
    enter_old_address(page, old.account.address)
    try_password(page, replace(old, password="not the password"))
    page.locator("[role=alert]").wait_for()
    take("16-wrong-password")


def _sign_in_pages(page: Page, places: Places, _old: User, new: User, take: Take) -> None:
    """Sign-in with an OpenID account, and an owner's consent at Google."""
    url = places.signing_in.url
    page.goto(url)
    take("17-sign-in-with-account")
    page.route("**/openid/auth**", lambda route: route.fulfill(status=204))
    page.click("form[action='/sign-in/openid'] button")
    page.locator("a.button.primary").wait_for()
    take("18-on-the-way")
    sign_in(page, url, new)
    enter_old_address(page, "ada@gmail.com")
    take("19-google-mailbox")
    page.click("form[action='/new/sign-in'] button")
    page.click("button[value=allow]")
    page.wait_for_url("**/new/review")
    row = f"ada@gmail.com,,,{new.account.address},{new.password}\n"
    page.goto(f"{url}/file")
    page.set_input_files("#file", _file(BAD_FILE.partition("\n")[0] + "\n" + row))
    page.click("form[action='/file'] button.primary")
    page.wait_for_url("**/preview")
    page.click("form[action='/file/start'] button")
    page.wait_for_url("**/batches/*")
    take("20-waits-for-owner")
    page.click("a[href^='/consent/']")
    page.wait_for_url("**/consent/*")
    take("21-consent")
    page.click("form[action^='/consent/'] button")
    page.click("button[value=allow]")
    page.wait_for_url("**/sign-in/google**")
    take("22-consent-given")


def _many_pages(page: Page, places: Places, old: User, new: User, take: Take) -> None:
    """A batch of 25 in all states, and the list of all imports. They need no servers."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as apart:
        # Playwright has an event loop in this thread.
        for name, html in apart.submit(_pages_of_25, Path(folder), places.language).result().items():
            page.set_content(html)
            take(name)


def _pages_of_25(root: Path, language: str) -> dict[str, str]:
    office = BatchOffice(root)
    office.mixed()
    office.admin.draws = True
    office.set(0, State.INCOMPLETE, progress=Progress("", 3, 3, 300, 301, 1))
    pages = {
        "23-batch": office.path,
        "24-all-imports": "/imports",
        "25-stopped": f"/imports/{office.imports[10].id}",
    }
    return {
        name: still(office.admin.get(path, **{"accept-language": language}).text)
        for name, path in pages.items()
    }


def _file(content: str) -> FilePayload:
    return {"name": "umzug.csv", "mimeType": "text/csv", "buffer": content.encode()}


def _taker(page: Page, out: Path, appearance: Appearance, only: str) -> Take:
    def take(what: str) -> None:
        if only not in ("", what):
            return
        if appearance.dark is not None:
            page.screenshot(path=str(out / f"{appearance.name}-{what}.png"), full_page=True)
            return
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=str(out / f"{appearance.name}-{scheme}-{what}.png"), full_page=True)

    return take


if __name__ == "__main__":
    main()
