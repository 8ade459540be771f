"""Take a picture of every page, wide and narrow, light and dark: python -m tests.browser.screenshots [FOLDER].

With --docs only some of those in the README and the documentation are taken.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from tests.browser.conftest import ARGUMENTS, CHROMIUM, Visitor
from tests.browser.every_page import every_page
from tests.browser.portal_site import PortalSite, fill
from tests.verbs.site import Person

IMAGES = Path(__file__).parents[2] / "docs" / "images"
# page → picture in the README or the documentation; those with months of use in them are of the demo
DOCUMENTED = {"issued": "issued", "console-policy-preview": "policy-preview"}
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

    def take_all(self, alice: Person) -> None:
        """Go through every page."""
        for name, page in every_page(self.visitor, alice):
            self.take(page, name)
        self.visitor.context.close()


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
            album = Album(browser, site, folder, size, colours)
            album.take_all(alice)
            for complaint in album.complaints:
                print(complaint)
            site.close()


def take_for_docs(browser: Browser, temporary: Path) -> None:
    """Take what the README and the documentation show of the upper part of a few pages."""
    site = PortalSite(temporary)
    alice = site.do(lambda: fill(site.house))
    context = browser.new_context(viewport={"width": 1120, "height": 770}, device_scale_factor=1.25)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    for name, page in every_page(Visitor(site, context, []), alice):
        if name in DOCUMENTED:
            page.mouse.move(0, 0)
            page.evaluate("document.activeElement.blur()")
            page.screenshot(path=IMAGES / f"{DOCUMENTED[name]}.png", animations="disabled")
    context.close()
    site.close()


def main(arguments: list[str]) -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="screenshots", description="Draw each page wide and narrow, light and dark.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("screenshots"), help="where they go (%(default)s)")
    parser.add_argument("--docs", action="store_true", help="draw only what README and documentation show, into docs/")
    wanted = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name, fonted_browser(Path(name)) as browser:
        if wanted.docs:
            take_for_docs(browser, Path(name))
        else:
            take_all(browser, Path(name), wanted.folder)


if __name__ == "__main__":
    main(sys.argv[1:])
