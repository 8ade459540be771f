"""Take a picture of every page, wide and narrow, light and dark: python -m tests.browser.screenshots [FOLDER].

With --readme only the one of the README is taken.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from tests.browser.conftest import ARGUMENTS, CHROMIUM, Visitor
from tests.browser.portal_site import PortalSite, fill
from tests.verbs.site import Person

README_PICTURE = Path(__file__).parents[2] / "docs" / "images" / "portal.png"
SIZES = {"wide": (1180, 800), "narrow": (360, 780)}
# With the font Inter installed (Debian: fonts-inter) the pictures look as pages do where the system has such a font.
FONTS = (
    """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
<include ignore_missing="yes">/etc/fonts/fonts.conf</include>"""
    + "".join(
        f"""<match target="pattern"><test name="family"><string>{family}</string></test>
<edit name="family" mode="assign" binding="same"><string>Inter</string></edit></match>"""
        for family in ("system-ui", "sans-serif", "sans", "DejaVu Sans")
    )
    + "</fontconfig>"
)


class Album:
    """Pictures of one size and colour scheme."""

    def __init__(self, browser: Browser, site: PortalSite, folder: Path, size: str, colours: str) -> None:
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=colours, device_scale_factor=1.5
        )
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.complaints: list[str] = []
        self.visitor = Visitor(site, context, self.complaints)
        self._folder = folder
        self._suffix = f"{size}-{colours}"

    def take(self, page: Page, name: str) -> None:
        page.wait_for_load_state("networkidle")
        wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        if wide:
            print(f"{name} {self._suffix}: wider than the window")
        page.screenshot(path=self._folder / f"{name}-{self._suffix}.png", full_page=True)

    def take_all(self, alice: Person, bob: Person) -> None:
        """Walk through every page."""
        self._signing_in(alice)
        self._looking(alice)
        self._making(alice)
        self._newcomer(bob)
        self.visitor.context.close()

    def _signing_in(self, alice: Person) -> None:
        visitor = self.visitor
        page = visitor.go("/sign-in")
        self.take(page, "sign-in")
        page.get_by_label("Mail address").fill("alice@example.org")
        page.get_by_label("Main password").fill("not the right one")
        page.get_by_role("button", name="Go on").click()
        self.take(page, "sign-in-refused")
        page = visitor.give_password(alice)
        self.take(page, "code")
        page.get_by_label("Code from your authenticator").fill(visitor.site.next_code(alice))
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.get_by_role("heading", name="App passwords", level=1).wait_for()

    def _looking(self, alice: Person) -> None:
        visitor = self.visitor
        self.take(visitor.go("/"), "list")
        page = visitor.page
        page.get_by_text("Revoked and expired").click()
        self.take(page, "list-past")
        page.get_by_role("link", name="Office scanner", exact=True).click()
        self.take(page, "detail")
        page.get_by_role("link", name="Revoke").click()
        self.take(page, "revoke")
        self.take(visitor.go("/app-passwords/revoke-all"), "revoke-all")
        self.take(visitor.go("/activity"), "activity")
        self.take(visitor.go("/account"), "account")
        self.take(visitor.go("/account/password"), "password")
        self.take(visitor.go("/account/recovery-codes"), "recovery-codes-new")
        page = visitor.go("/account")
        page.get_by_role("link", name="Remove Phone").click()
        self.take(page, "authenticator-remove")
        self.take(visitor.go("/prove?next=/account"), "prove")
        self.take(visitor.go("/no-such-page"), "not-found")
        page = visitor.go("/")
        page.get_by_role("link", name="scanner@example.org").click()
        self.take(page, "list-empty-shared")

    def _making(self, alice: Person) -> None:
        visitor = self.visitor
        page = visitor.go("/app-passwords/new")
        self.take(page, "purpose")
        page.get_by_role("link", name="Phone or tablet").click()
        self.take(page, "new")
        page.get_by_text("Fine-tune").click()
        page.get_by_label("Only from these networks").check()
        page.get_by_label("Ends").select_option("date")
        self.take(page, "new-open")
        page.get_by_label("Name", exact=True).fill(" ")
        page.get_by_role("button", name="Make the app password").click()
        self.take(page, "new-refused")
        page.get_by_label("Name", exact=True).fill("Kitchen tablet")
        page.get_by_label("From anywhere").check()
        page.get_by_label("Ends").select_option("365")
        visitor.site.house.clock.move(minutes=6)
        page.get_by_role("button", name="Make the app password").click()
        self.take(page, "new-prove")
        page.get_by_label("Main password").fill(alice.password)
        page.get_by_label("Code", exact=True).fill(visitor.site.next_code(alice))
        page.get_by_role("button", name="Make the app password").click()
        page.get_by_role("button", name="Copy").first.click()
        self.take(page, "issued")
        page.get_by_role("link", name="See its details").click()
        page.get_by_role("link", name="Rename or change").click()
        self.take(page, "change")
        page = visitor.go("/")
        page.get_by_role("link", name="Revoke Kitchen tablet").click()
        page.get_by_role("button", name="Revoke it").click()
        self.take(page, "revoked")
        page.get_by_role("button", name="Sign out").click()
        self.take(page, "signed-out")

    def _newcomer(self, bob: Person) -> None:
        visitor = self.visitor
        page = visitor.give_password(bob)
        self.take(page, "set-up")
        page.get_by_label("Six digits").fill("000000")
        page.get_by_role("button", name="Set it up").click()
        self.take(page, "set-up-refused")
        self.take(visitor.go("/"), "list-newcomer")
        page = visitor.go("/set-up")
        seed = page.locator("#seed").inner_text()
        page.get_by_label("Six digits").fill(visitor.site.code_of_text(seed))
        page.get_by_role("button", name="Set it up").click()
        self.take(page, "recovery-codes")


@contextmanager
def fonted_browser(temporary: Path) -> Iterator[Browser]:
    """Start Chromium with the font that the pictures are taken with."""
    fonts = temporary / "fonts.conf"
    fonts.write_text(FONTS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS, env={**os.environ, "FONTCONFIG_FILE": str(fonts)}
        )
        yield browser
        browser.close()


def take_all(browser: Browser, temporary: Path, folder: Path) -> None:
    """Take them all."""
    folder.mkdir(exist_ok=True)
    for size in SIZES:
        for colours in ("light", "dark"):
            state = temporary / f"{size}-{colours}"
            state.mkdir()
            site = PortalSite(state)
            alice = site.do(lambda site=site: fill(site.house))
            bob = site.person("bob@example.org", two_factor=False)
            album = Album(browser, site, folder, size, colours)
            album.take_all(alice, bob)
            for complaint in album.complaints:
                print(complaint)
            site.close()


def take_for_readme(browser: Browser, temporary: Path) -> None:
    """Take the list of app passwords."""
    site = PortalSite(temporary)
    alice = site.do(lambda: fill(site.house))
    context = browser.new_context(viewport={"width": 1120, "height": 770}, device_scale_factor=1.25)
    page = Visitor(site, context, []).sign_in(alice)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=README_PICTURE)
    site.close()


def main(arguments: list[str]) -> None:
    """Do what the command line says."""
    with tempfile.TemporaryDirectory() as name, fonted_browser(Path(name)) as browser:
        if arguments == ["--readme"]:
            take_for_readme(browser, Path(name))
        else:
            take_all(browser, Path(name), Path(arguments[0] if arguments else "screenshots"))


if __name__ == "__main__":
    main(sys.argv[1:])
