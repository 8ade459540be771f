"""Take a picture of every page, wide and narrow, light and dark: python -m tests.browser.screenshots [FOLDER]."""

import os
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from tests.browser.conftest import ARGUMENTS, CHROMIUM, Visitor
from tests.browser.portal_site import PortalSite, fill
from tests.verbs.site import Person

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


def main(folder: Path) -> None:
    """Take them all."""
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        fonts = Path(temporary) / "fonts.conf"
        fonts.write_text(FONTS)
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS, env={**os.environ, "FONTCONFIG_FILE": str(fonts)}
        )
        for size in SIZES:
            for colours in ("light", "dark"):
                state = Path(temporary) / f"{size}-{colours}"
                state.mkdir()
                site = PortalSite(state)
                alice = site.do(lambda site=site: fill(site.house))
                bob = site.person("bob@example.org", two_factor=False)
                album = Album(browser, site, folder, size, colours)
                album.take_all(alice, bob)
                print("\n".join(album.complaints))
                site.close()
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots"))
