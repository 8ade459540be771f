"""The one list of every page: pictures, axe and other proofs go through it. Who adds a page adds it here.

A page that an address leads to is a line in ALICES, or in CONSOLE if it is the console's. What must be done first to see a page is a step of a walk.
"""

from collections.abc import Callable, Iterator

from playwright.sync_api import Page
from tests.browser.conftest import Visitor
from tests.verbs.site import OPERATOR, PASSWORD, Person

from valetkey.core.passkey import Passkey
from valetkey.core.role import Role
from valetkey.service import accounts, invitations, proposals

# What alice sees, who has signed in completely: a name and an address.
ALICES = (
    ("list", "/"),
    ("list-past", "/?show=past"),
    ("list-none-found", "/?q=nothing-like-this"),
    ("revoke-all", "/app-passwords/revoke-all"),
    ("purpose", "/app-passwords/new"),
    ("purpose-other", "/app-passwords/new?purpose=other"),
    ("new-scanner", "/app-passwords/new?purpose=scanner"),
    ("new-crm", "/app-passwords/new?purpose=crm"),
    ("activity", "/activity"),
    ("activity-refusals", "/activity?show=refusals"),
    ("activity-empty", "/activity?month=2020-01"),
    ("connections", "/connections"),
    ("shared", "/shared"),
    ("account", "/account"),
    ("password", "/account/password"),
    ("recovery-codes-new", "/account/recovery-codes"),
    ("authenticator-add", "/set-up"),
    ("passkey-new", "/account/passkeys/new"),
    ("sign-ins", "/account/sign-ins"),
    ("notices", "/account/notices"),
    ("notices-change", "/account/notices/change"),
    ("notices-remove", "/account/notices/remove"),
    ("link-gone", "/welcome"),
    ("tokens", "/account/tokens"),
    ("token-new", "/account/tokens/new"),
    ("prove", "/prove?next=/account"),
    ("not-found", "/no-such-page"),
    ("components", "/components"),
    ("components-refused", "/components?asked=wrong"),
)

# What an administrator sees; alice has app passwords, a shared account, logins and refusals.
CONSOLE = (
    ("console", "/console"),
    ("console-domains", "/console/domains"),
    ("console-second-factors", "/console/second-factors"),
    ("console-recoveries", "/console/recoveries"),
    ("console-app-passwords", "/console/app-passwords"),
    ("console-app-passwords-refused", "/console/app-passwords?show=refused"),
    ("console-connections", "/console/connections"),
    ("console-logins", "/console/logins?span=hours"),
    ("console-policy", "/console/policy"),
    ("console-networks", "/console/networks"),
    ("console-proposals", "/console/proposals"),
    ("console-proposal-export", "/console/proposals/export"),
    ("console-audit", "/console/audit"),
    ("console-audit-none", "/console/audit?account=nobody"),
    ("console-audit-record", "/console/audit/records/2"),
    ("console-audit-verify", "/console/audit/verify"),
    ("console-audit-export", "/console/audit/export"),
    ("console-tokens", "/console/tokens"),
    ("console-servers", "/console/servers"),
    ("console-accounts", "/console/accounts"),
    ("console-accounts-none", "/console/accounts?q=nobody-like-this"),
    ("console-account-new", "/console/accounts/new"),
    ("components-console", "/components/console"),
)

# Pages about an account, behind its address in the console.
OF_AN_ACCOUNT = ("", "/change", "/invite", "/disable", "/role", "/reset-second-factors", "/revoke-all")

Walk = Callable[[Visitor, Person], Iterator[str]]


def signing_in(visitor: Visitor, alice: Person) -> Iterator[str]:
    """From the first page to the list."""
    page = visitor.go("/sign-in")
    yield "sign-in"
    page.get_by_label("Mail address").fill(alice.account.address)
    page.get_by_label("Main password").fill("not the right one")
    page.get_by_role("button", name="Go on").click()
    yield "sign-in-refused"
    page = visitor.give_password(alice)
    yield "code"
    page.get_by_text("I do not have my authenticator").click()
    page.get_by_label("Recovery code").fill("wrong-code")
    page.get_by_role("button", name="Use the recovery code").click()
    yield "code-refused"
    visitor.sign_in_with_code(alice)


def looking(visitor: Visitor, _alice: Person) -> Iterator[str]:
    """What there is to see, without changing anything."""
    for name, path in ALICES:
        visitor.go(path)
        yield name
    page = visitor.go("/")
    page.get_by_role("link", name="Office scanner", exact=True).click()
    yield "detail"
    address = page.url
    page.goto(f"{address}?days=90")
    yield "detail-months"
    page.get_by_text("The same as a table").click()
    yield "detail-table"
    detail = address
    for button, name in (
        ("Rename", "rename"),
        ("Limit or change", "change"),
        ("Rotate", "rotate"),
        ("Revoke", "revoke"),
    ):
        page.goto(detail)
        page.get_by_role("link", name=button, exact=True).click()
        yield name
    page = visitor.go("/account")
    page.get_by_role("link", name="Remove Phone").click()
    yield "authenticator-remove"
    page = visitor.go("/account")
    page.get_by_role("link", name="Rename Phone").click()
    yield "factor-rename"
    page = visitor.go("/")
    page.get_by_role("link", name="scanner@example.org").click()
    yield "list-empty-shared"


def making(visitor: Visitor, alice: Person) -> Iterator[str]:
    """From the wish for an app password to its end."""
    page = visitor.go("/app-passwords/new")
    page.get_by_role("link", name="Phone or tablet").click()
    yield "new"
    page.get_by_text("Limit further").click()
    page.get_by_label("Only from these networks").check()
    page.get_by_label("Ends", exact=True).select_option("date")
    yield "new-open"
    page.get_by_text("More limits").click()
    page.get_by_label("Sees only these folders").fill("Archiv/*")
    page.get_by_label("Messages a day").fill("50")
    yield "new-limits"
    page.get_by_label("Name", exact=True).fill(" ")
    page.get_by_role("button", name="Make the app password").click()
    yield "new-refused"
    page.get_by_label("Name", exact=True).fill("Kitchen tablet")
    page.get_by_label("Sees only these folders").fill("")
    page.get_by_label("Messages a day").fill("")
    page.get_by_label("From anywhere").check()
    page.get_by_label("Ends", exact=True).select_option("365")
    visitor.site.house.clock.move(minutes=6)
    page.get_by_role("button", name="Make the app password").click()
    yield "new-prove"
    page.get_by_label("Main password").fill(PASSWORD)
    page.get_by_label("Code", exact=True).fill(visitor.site.next_code(alice))
    page.get_by_role("button", name="Make the app password").click()
    page.get_by_role("button", name="Copy").first.click()
    yield "issued"
    page.get_by_role("link", name="See its details").click()
    page.get_by_role("link", name="Limit or change").click()
    yield "change"
    page.go_back()
    page.get_by_role("link", name="Rotate").click()
    page.get_by_role("button", name="Make the new one").click()
    page.get_by_role("heading", name="is ready").wait_for()
    yield "rotated"
    page.get_by_role("link", name="See the old one").click()
    yield "detail-replaced"
    page = visitor.go("/")
    page.get_by_role("link", name="Revoke Kitchen tablet").first.click()
    page.get_by_role("button", name="Revoke it").click()
    yield "revoked"
    page.get_by_role("button", name="Sign out").click()
    yield "signed-out"


def giving_tokens(visitor: Visitor, _alice: Person) -> Iterator[str]:
    """An API token from its making to its end."""
    page = visitor.go("/account/tokens/new")
    page.get_by_label("Name", exact=True).fill(" ")
    page.get_by_label("See the account").uncheck()
    page.get_by_label("Only from these networks").check()
    page.get_by_role("button", name="Make the API token").click()
    yield "token-refused"
    page.get_by_label("Name", exact=True).fill("Monitoring")
    page.get_by_label("See the account").check()
    page.get_by_label("From anywhere").check()
    page.get_by_role("button", name="Make the API token").click()
    page.get_by_role("heading", name="is ready").wait_for()
    yield "token-made"
    page.get_by_role("link", name="Done").click()
    yield "tokens-list"
    page.get_by_role("link", name="Revoke Monitoring").click()
    yield "token-revoke"
    page.get_by_role("button", name="Revoke it").click()
    page.get_by_text("Revoked and expired").click()
    yield "tokens-past"


def newcomer(visitor: Visitor, _alice: Person) -> Iterator[str]:
    """Somebody who has no second factor yet sets one up."""
    bob = visitor.site.person("bob@example.org", two_factor=False)
    page = visitor.give_password(bob)
    yield "set-up"
    page.get_by_label("Six digits").fill("000000")
    page.get_by_role("button", name="Set it up").click()
    yield "set-up-refused"
    visitor.go("/")
    yield "list-newcomer"
    page = visitor.go("/set-up")
    seed = page.locator("#seed").inner_text()
    page.get_by_label("Six digits").fill(visitor.site.code_of_text(seed))
    page.get_by_role("button", name="Set it up").click()
    page.get_by_role("heading", name="Keep these recovery codes").wait_for()
    yield "recovery-codes"
    visitor.go("/set-up/programs")
    yield "set-up-programs"


def with_a_passkey(visitor: Visitor, _alice: Person) -> Iterator[str]:
    """Somebody who has a passkey beside the authenticator, and then nothing else."""
    visitor.context.clear_cookies()
    house = visitor.site.house
    carol = visitor.site.person("carol@example.org")
    now = house.clock.now()
    passkey = Passkey("pk_carols", carol.account.id, "Carol’s laptop", b"carol", b"", 0, ("internal",), True, now, now)
    visitor.site.do(lambda: house.store.write(lambda writer: writer.add_passkey(passkey)))
    visitor.give_password(carol)
    yield "code-with-passkey"
    page = visitor.come_in(carol, "/account")
    yield "account-with-passkey"
    page.get_by_role("link", name="Remove Carol’s laptop").click()
    yield "passkey-remove"
    house.clock.move(minutes=10)
    visitor.go("/prove?next=/account")
    yield "prove-with-passkey"
    totp = visitor.site.do(lambda: house.store.read(lambda reader: reader.totps(carol.account.id)))[0]
    visitor.site.do(lambda: house.store.write(lambda writer: writer.remove_totp(totp.id)))
    visitor.context.clear_cookies()
    visitor.give_password(carol)
    yield "code-of-a-passkey"


def administering(visitor: Visitor, alice: Person) -> Iterator[str]:
    """An administrator looks at everything in the console."""
    visitor.context.clear_cookies()
    visitor.let_in(visitor.site.person("admin@example.org", role=Role.ADMIN))
    for name, path in CONSOLE:
        visitor.go(path)
        yield name
    for page in OF_AN_ACCOUNT:
        visitor.go(f"/console/accounts/{alice.account.id}{page}")
        yield f"console-account{page.replace('/', '-')}"
    yield from deciding(visitor)


def deciding(visitor: Visitor) -> Iterator[str]:
    """What an administrator decides behind a preview, and what a second one has proposed."""
    page = visitor.go("/console/app-passwords")
    page.locator("input[name=one]").first.check()
    page.get_by_role("button", name="Revoke the ticked ones").click()
    yield "console-revoke-many"
    page = visitor.go("/console/app-passwords")
    page.get_by_role("link", name="My phone").click()
    yield "console-app-password"
    page.get_by_role("link", name="Revoke", exact=True).click()
    yield "console-app-password-revoke"
    page = visitor.go("/console/policy")
    page.get_by_label("Longest lifetime (days)").fill("20")
    page.get_by_label("App passwords per account").fill("60")
    page.get_by_role("button", name="See whom it hits").click()
    yield "console-policy-preview"
    page = visitor.go("/console/policy")
    page.get_by_label("App passwords per account").fill("none")
    page.get_by_role("button", name="See whom it hits").click()
    yield "console-policy-refused"
    site = visitor.site
    chief = site.person("chief@example.org", role=Role.ADMIN)

    async def propose() -> str:
        proposal = await proposals.propose_export(site.house.ports, site.house.acting(chief.account), "Yearly audit")
        return proposal.id

    proposal = site.do(propose)
    visitor.go(f"/console/proposals/{proposal}")
    yield "console-proposal"
    page.get_by_role("button", name="Decline it").click()
    yield "console-proposal-declined"


def invited(visitor: Visitor, _alice: Person) -> Iterator[str]:
    """Somebody who was given a one-time link."""
    site = visitor.site

    async def invite() -> str:
        account = await accounts.create(site.house.ports, OPERATOR, "dora@example.org")
        return invitations.PATH + (await invitations.invite(site.house.ports, OPERATOR, account.id)).token

    visitor.context.clear_cookies()
    visitor.go(site.do(invite))
    yield "welcome"


def recovering(visitor: Visitor, _alice: Person) -> Iterator[str]:
    """From a lost second factor to the end of the waiting time. The clock moves on, so nothing comes behind it."""
    site, outside = visitor.site, "edith@elsewhere.example"
    edith = site.person("edith@example.org")
    visitor.context.clear_cookies()
    page = visitor.go("/recover")
    yield "recover-password"
    visitor.give_password(edith)
    visitor.go("/recover")
    yield "recover-alone-not"
    now = site.house.clock.now()
    site.do(lambda: site.house.store.write(lambda writer: writer.set_notice_address(edith.account.id, outside, now)))
    visitor.go("/recover")
    yield "recover"
    page.get_by_role("button", name="Mail me the link").click()
    visitor.go(site.link_mailed_to(outside))
    yield "recover-begin"
    page.get_by_role("button", name="Begin").click()
    yield "recover-waiting"
    call_off = site.link_mailed_to(outside)
    visitor.go(call_off)
    yield "recover-call-off"
    site.house.clock.move(hours=72)
    visitor.context.clear_cookies()
    visitor.give_password(edith)
    visitor.go("/recover")
    yield "recover-open"
    page.get_by_role("button", name="Mail me the link").click()
    visitor.go(site.link_mailed_to(outside))
    yield "recover-finish"
    visitor.go(call_off)
    page.get_by_role("button", name="Call it off").click()
    yield "recover-called-off"


WALKS: tuple[Walk, ...] = (
    signing_in,
    looking,
    giving_tokens,
    making,
    newcomer,
    with_a_passkey,
    administering,
    invited,
    recovering,
)  # fmt: skip  (in this order)


def every_page(visitor: Visitor, alice: Person) -> Iterator[tuple[str, Page]]:
    """Go through all pages in one browser, over a portal with `fill` in it; gives each page's name and the page."""
    for walk in WALKS:
        for name in walk(visitor, alice):
            visitor.page.wait_for_load_state("load")
            yield name, visitor.page
