"""axe-core on a page: WCAG 2.0 to 2.2, levels A and AA, and best practice."""

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice")
_OPTIONS = {"runOnly": {"type": "tag", "values": list(TAGS)}, "resultTypes": ["violations"]}


def violations(page: Page) -> list[str]:
    """Give what axe finds wrong with a page as it is now, one line for each element."""
    if not page.evaluate("'axe' in window"):  # half a megabyte, once for each document
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate("async (options) => (await axe.run(options)).violations", _OPTIONS)
    return [
        f"{rule['id']} ({rule['help']}): {' '.join(map(str, node['target']))} {node['html'][:160]}"
        for rule in found
        for node in rule["nodes"]
    ]
