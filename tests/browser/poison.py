"""Hostile text in every string that somebody else than the reader can choose, each kind of string with a word of its own."""

from contextlib import suppress
from datetime import timedelta

from tests.browser.portal_site import PortalSite
from tests.verbs.api_client import token_for
from tests.verbs.site import HOME, OPERATOR, Person

from valetkey.core.errors import Refused
from valetkey.core.login import Reason
from valetkey.core.passkey import Passkey
from valetkey.core.role import Action
from valetkey.core.scope import MailProtocol
from valetkey.service import accounts, app_passwords, portal_sessions, proposals, second_factors, sign_in
from valetkey.service.ports import LiveSession, LoginEvent, Writer
from valetkey.service.tokens import new_token

CORPUS = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</title><svg onload=alert(1)>",
    "<img src=x onerror=alert(1)>",
    '"><img src=x onerror=alert(1)>',
    "' autofocus onfocus=alert(1) x='",
    '" autofocus onfocus=alert(1) x="',
    "javascript:alert(1)",
    "{{ 1337 * 7 }}{% for x in y %}",
    "${1337*7} #{1337*7} <%= 1337*7 %>",
    "{wrong} {0} %(wrong)s %s",
    "<!--", "]]>", "&lt;b&gt;&#x3c;b>", "<style>*{display:none}</style>",
    "<base href=https://evil.example>", "<meta http-equiv=refresh content=0;url=https://evil.example>",
    "<a href=javascript:alert(1)>x</a>", "<iframe srcdoc=<script>alert(1)</script>>", "<form action=https://evil.example>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "\\u003cscript\\u003ealert(1)", "%3Cscript%3E", "＜script＞alert(1)＜/script＞", "ａ" * 90, "=1+1;@SUM(A1)",
)  # fmt: skip
TRICKS = (
    "safe\u202egpj.exe",
    "a\u2066b\u2069c",
    "zero\u200bwidth",
    "\x1b[31mred",
    "bell\x07",
    "line\r\nbreak",
    "\ufeffbom",
    "x" * 5000,
)
HIDDEN = ("\u202e", "\u2066", "\u200b", "\x1b", "\x07", "\ufeff")
COMPUTED = "9359"  # what 1337 * 7 would become
# A word for each kind of string; each must be read on some page, or the page was not tried.
WORDS = (
    "AnAppPassword", "AToken", "APasskey", "AnAuthenticator", "AClient", "ALiveClient", "ABrowser", "AReasonToRevoke",
    "AReasonToPropose", "anaddress", "analias", "anoticeaddress",
)  # fmt: skip


async def poison(site: PortalSite, ada: Person) -> None:
    """Write it everywhere, past the checks of verbs where these would stop some of it."""
    house, account = site.house, ada.account
    now = house.clock.now()
    ids = [(await house.issue(ada, f"{text[:80]} AnAppPassword")).app_password.id for text in CORPUS]
    for text in CORPUS[:3]:
        await token_for(house, ada, {Action.OWN_READ}, name=f"{text} AToken")
        await _propose_about(site, ada, text)
    await proposals.propose_export(house.ports, house.acting(account), f"{CORPUS[4]} AReasonToPropose")
    for n in (3, 4):
        await app_passwords.revoke(house.ports, house.acting(account), ids[n], f"{CORPUS[n]} AReasonToRevoke")
    await house.store.add_login_events(_logins(ada, ids, site))
    texts = (*CORPUS, *(f"{text} " for text in TRICKS))
    house.live.sessions = [
        LiveSession(
            f"s{n}", account.id, ids[n % len(ids)], MailProtocol.IMAP, HOME, f"ALiveClient {text}"[:200], now, "1"
        )
        for n, text in enumerate(texts)
    ]
    totp = (await house.store.read(lambda reader: reader.totps(account.id)))[0]
    await second_factors.rename_totp(house.ports, house.acting(account), totp.id, f"{CORPUS[3]} AnAuthenticator")

    def write(writer: Writer) -> None:
        for n, text in enumerate(CORPUS[:6]):
            key = Passkey(f"pk_{n}", account.id, f"{text} APasskey", b"%d" % n, b"", 0, ("<b>",), True, now, None)
            writer.add_passkey(key)
        for text in (*CORPUS, *TRICKS):
            new = portal_sessions.NewSession(account.id, text[:45], f"ABrowser {text}", is_proven=True)
            portal_sessions.begin(house.ports, writer, new, new_token(house.ports), now)
        writer.set_notice_address(account.id, '"><img/src=x/onerror=alert(1)>anoticeaddress@evil.example', now)

    await house.store.write(write)
    await _sign_ins(site, ada)
    await _addresses(site, ada)


def _logins(ada: Person, ids: list[str], site: PortalSite) -> list[LoginEvent]:
    now = site.house.clock.now()
    imap = MailProtocol.IMAP
    return [
        LoginEvent(ada.account.id, credential, imap, f"192.0.2.{n}", f"AClient {client}"[:200], result, at, now)
        for n, client in enumerate((*CORPUS, *TRICKS))
        for at in (now - timedelta(minutes=n),)
        for credential, result in (
            (ids[n % len(ids)], "allowed"),
            (ids[n % len(ids)], Reason.NETWORK.value),
            (None, "<b>x"),
        )
    ]


async def _sign_ins(site: PortalSite, ada: Person) -> None:
    """Sign in, rightly and wrongly, with a browser that calls itself something."""
    ports = site.house.ports
    await sign_in.start(ports, ada.account.address, ada.password, address=HOME, client=f"ABrowser {CORPUS[3]}")
    for name in (ada.account.address, CORPUS[3], '"><svg/onload=alert(1)>@example.org'):
        with suppress(Refused):
            await sign_in.start(ports, name, "wrong", address=HOME, client=f"ABrowser {CORPUS[4]}")


async def _propose_about(site: PortalSite, ada: Person, text: str) -> None:
    other = await site.house.person(f"p{len(text)}{sum(map(ord, text))}@example.org")
    acting = site.house.acting(ada.account)
    await proposals.propose_reset(site.house.ports, acting, other.account.id, f"{text} AReasonToPropose")


async def _addresses(site: PortalSite, ada: Person) -> None:
    """Give accounts addresses that look like markup, as far as an address can."""
    ports = site.house.ports
    for local in (
        "<script>alert(1)</script>",
        '"><img/src=x/onerror=alert(1)>',
        "'onfocus=alert(1)",
        "{{1337*7}}",
        "&lt;b&gt;",
    ):
        made = await accounts.create(ports, OPERATOR, f"anaddress{local}@example.org")
        await accounts.add_alias(ports, OPERATOR, made.id, f"analias{local}@example.org")
        await accounts.add_alias(ports, OPERATOR, ada.account.id, f"analias.own{local}@example.org")
