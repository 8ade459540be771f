"""Every page of portal and console with hostile text in every string that somebody else can choose.

A dialog, a report of the content security policy, an element or attribute that came out of such a text, or a page that
it stretches, fails the test. The window is as narrow as a telephone, and the text then twice as large.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.browser.conftest import Visitor
from tests.browser.crawl import Crawl
from tests.browser.poison import COMPUTED, HIDDEN, WORDS, poison
from tests.browser.portal_site import PortalSite
from tests.verbs.outbox import Outbox
from tests.verbs.site import Person

from valetkey.core.role import Role

pytestmark = pytest.mark.browser

REPORTS = """
document.addEventListener('securitypolicyviolation', (event) => {
  console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI + ' ' + event.sample);
});
"""
LOOK = """() => {
  const root = document.documentElement;
  const wrong = [];
  const came = 'script:not([src^="/static/"]), iframe, base, meta, style, math, img, mglyph, object, embed, link';
  for (const one of document.body.querySelectorAll(came)) wrong.push('element ' + one.outerHTML.slice(0, 80));
  for (const one of document.querySelectorAll('*')) {
    for (const attribute of one.attributes) {
      const value = attribute.value.trim().toLowerCase();
      if (attribute.name.startsWith('on')) wrong.push('attribute ' + attribute.name);
      if (['href', 'src', 'action', 'formaction'].includes(attribute.name)
          && /^(javascript|data|vbscript|[a-z]+:\\/\\/evil|\\/\\/)/.test(value)) wrong.push(attribute.name + ' ' + value);
    }
  }
  if (document.querySelectorAll('main h1').length !== 1) wrong.push('not one h1');
  const width = () => root.scrollWidth - root.clientWidth;
  if (width() > 0) wrong.push('wider than the window by ' + width());
  root.style.fontSize = '200%';
  if (width() > 0) wrong.push('with large text wider than the window by ' + width());
  root.style.fontSize = '';
  for (const one of document.querySelectorAll('button, select, summary, input:not([type=hidden]), nav a, a.button')) {
    const box = (one.closest('label') ?? one).getBoundingClientRect();
    if (box.width > 0 && (box.width < 24 || box.height < 24)) {
      wrong.push('small target ' + one.outerHTML.slice(0, 80) + ' ' + box.width + '×' + box.height);
    }
  }
  return wrong;
}"""
# Pages that no link leads an administrator to, with why.
UNLINKED = {
    "/sign-in": "signed in", "/sign-in/code": "signed in", "/recover": "signed in", "/recover/link/{token}": "in a mail",
    "/recover/call-off/{token}": "in a mail", "/recover/call-off": "behind a mail", "/welcome/{token}": "in a mail",
    "/welcome": "behind a mail", "/account/notices/confirm/{token}": "in a mail",
    "/account/notices/confirm": "behind a mail", "/prove": "when a proof is old", "/console/audit/verify": "a form",
    "/console/accounts/{account_id}/recovery": "when a recovery is under way",
}  # fmt: skip


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PortalSite, Person]]:
    folder: Path = tmp_path_factory.mktemp("poisoned")
    site = PortalSite(folder)
    ada = site.person("ada@example.org", role=Role.ADMIN)
    site.person("chief@example.org", role=Role.ADMIN)  # who could countersign
    site.do(lambda: poison(site, ada))
    yield site, ada
    site.close()


def test_what_others_write_stays_text_on_every_page(chromium: Browser, poisoned: tuple[PortalSite, Person]) -> None:
    site, ada = poisoned
    complaints: list[str] = []
    agent = "ABrowser <script>alert(1)</script>\u00bf Firefox/1 Linux"
    context = chromium.new_context(viewport={"width": 320, "height": 700}, user_agent=agent)
    context.add_init_script(REPORTS)
    visitor = Visitor(site, context, complaints)
    visitor.sign_in(ada)
    crawl = Crawl(visitor, site.app, of_each=3)
    found: list[str] = []
    unread = set(WORDS)
    for path, page in crawl.pages(
        "/",
        "/console",
        "/account/sign-ins",
        "/account/passkeys/new",
        "/set-up",
        "/app-passwords/new?purpose=phone",
        "/shared",
        "/set-up/programs",
    ):
        found += [f"{path}: {wrong}" for wrong in page.evaluate(LOOK)]
        source = page.content()
        found += [f"{path}: hidden character {trick!r}" for trick in HIDDEN if trick in source]
        found += [f"{path}: a template was filled in"] * (COMPUTED in source)
        unread -= {word for word in unread if word in source}
        found += [f"{path}: {said}" for said in complaints]
        complaints.clear()
    context.close()
    assert found == [], "\n".join(found)
    assert unread == set()
    assert crawl.not_seen() <= UNLINKED.keys()


def test_mails_are_plain_text_of_single_lines(poisoned: tuple[PortalSite, Person]) -> None:
    site, _ = poisoned
    site.send_notices()
    outbox = site.house.ports.mailer
    assert isinstance(outbox, Outbox)
    assert len(outbox.mails) > 20
    for mail in outbox.mails:
        assert "\n" not in mail.subject
        assert "\r" not in mail.subject + mail.text
        assert not any(trick in mail.subject + mail.text for trick in HIDDEN)
        assert COMPUTED not in mail.text
    assert any("<script>alert(1)</script> AnAppPassword" in mail.text + mail.subject for mail in outbox.mails)
