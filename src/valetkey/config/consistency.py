"""What single settings cannot say: contradictions between them."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from valetkey.adapters.mailer import MailEncryption
from valetkey.config.door_consistency import Contradiction, door_contradictions
from valetkey.config.kinds import Endpoint
from valetkey.config.lines import Place
from valetkey.config.sections import Config, Domain, Listener, MailerSection, Upstream
from valetkey.core.errors import InvalidInput
from valetkey.core.mail_address import mail_address
from valetkey.core.policy import LEAST_CODE_FOR, LEAST_RECOVERY_WAIT, MOST_CODE_FOR, MOST_RECOVERY_WAIT
from valetkey.core.scope import MailProtocol
from valetkey.doors.asked.settings import DoorKind
from valetkey.doors.gateway.settings import TlsMode, UpstreamLogin

_LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}


def contradictions(config: Config) -> Iterator[Contradiction]:
    """Find the settings that do not go together."""
    yield from _portal(config)
    yield from _policy(config)
    yield from _mailer(config.mailer)
    yield from _doubled_addresses(config)
    for number, listener in enumerate(config.listener):
        yield from _listener(listener, ("listener", number), config)
    yield from _ways_in(config)
    yield from door_contradictions(config)
    yield from _domains(config)


def _ways_in(config: Config) -> Iterator[Contradiction]:
    """Hold that no mail server is named in vain, and that mail clients that connect here find one.

    With none of them only the portal is served, as after `valetkey init --no-gateway`; `valetkey check` says so.
    """
    if config.listener and not config.domain:
        mend = "add a [[domain]] with at least one of imap, pop3, smtp, sieve"
        yield (), "[[domain]]", "no mail server is named", mend
    goes_on = any(door.kind is DoorKind.HTTP for door in config.door)  # nginx, to the mail servers of [[domain]]
    if config.domain and not config.listener and not goes_on:
        mend = "add at least one [[listener]], or take the [[domain]]s out if mail servers ask (valetkey connect)"
        yield (), "[[listener]]", "no mail client could connect", mend


def _portal(config: Config) -> Iterator[Contradiction]:
    portal = config.portal
    if portal.listen is None and portal.tls_listen is None:
        yield ("portal",), "[portal] listen", "the portal listens nowhere", "give listen or tls_listen"
    url = urlsplit(portal.base_url)
    if url.scheme == "http" and url.hostname not in _LOCAL_HOSTS:
        what = "passwords would cross the network in the clear"
        yield (
            ("portal", "base_url"),
            "[portal] base_url",
            what,
            "use https:// (behind a reverse proxy, or by tls_listen)",
        )
    if portal.tls_base_url and urlsplit(portal.tls_base_url).scheme != "https":
        yield ("portal", "tls_base_url"), "[portal] tls_base_url", "tls_listen speaks HTTPS", "begin it with https://"


def _policy(config: Config) -> Iterator[Contradiction]:
    policy = config.policy
    if policy.default_lifetime and policy.max_lifetime and policy.default_lifetime > policy.max_lifetime:
        mend = "make it no longer than max_lifetime"
        yield ("policy", "default_lifetime"), "[policy] default_lifetime", "longer than max_lifetime", mend
    if policy.default_idle_for and policy.max_idle_for and policy.default_idle_for > policy.max_idle_for:
        mend = "make it no longer than max_idle_for"
        yield ("policy", "default_idle_for"), "[policy] default_idle_for", "longer than max_idle_for", mend
    if not LEAST_RECOVERY_WAIT <= policy.recovery_wait <= MOST_RECOVERY_WAIT:
        yield ("policy", "recovery_wait"), "[policy] recovery_wait", "out of range", "choose 1 to 30 days"
    if not LEAST_CODE_FOR <= policy.password_with_code_for <= MOST_CODE_FOR:
        mend = "choose 1 minute to 30 days"
        yield ("policy", "password_with_code_for"), "[policy] password_with_code_for", "out of range", mend


def _mailer(mailer: MailerSection) -> Iterator[Contradiction]:
    if not mailer.host:
        return
    if mailer.encryption is MailEncryption.NONE and mailer.host not in _LOCAL_HOSTS:
        what = "one-time links would cross the network in the clear"
        yield ("mailer", "encryption"), "[mailer] encryption", what, 'use "tls" or "starttls"'
    try:
        mail_address(mailer.sender)
    except InvalidInput:
        mend = "name the address that the mails come from, such as valetkey@example.org"
        yield ("mailer", "sender"), "[mailer] sender", "not a mail address", mend
    if bool(mailer.user) != (mailer.password_file is not None):
        mend = "give both, or neither"
        yield ("mailer", "user"), "[mailer] user", "user and password_file go together", mend


def _doubled_addresses(config: Config) -> Iterator[Contradiction]:
    named: list[tuple[Place, str, Endpoint | None]] = [
        (("portal", "listen"), "[portal] listen", config.portal.listen),
        (("portal", "tls_listen"), "[portal] tls_listen", config.portal.tls_listen),
        (("ops", "listen"), "[ops] listen", config.ops.listen),
        *((("listener", n, "listen"), "[listener] listen", entry.listen) for n, entry in enumerate(config.listener)),
        *(
            (("door", n, "listen"), "[door] listen", entry.listen)
            for n, entry in enumerate(config.door)
            if entry.kind is not DoorKind.RADIUS  # UDP has ports of its own
        ),
    ]
    seen: dict[Endpoint, str] = {}
    for place, name, endpoint in named:
        if endpoint is None:
            continue
        if endpoint in seen:
            yield place, name, f"{endpoint} is taken already by {seen[endpoint]}", "choose another port"
        seen[endpoint] = name


def _listener(listener: Listener, place: Place, config: Config) -> Iterator[Contradiction]:
    if listener.tls is TlsMode.NONE and not (listener.plaintext_login or listener.tls_before):
        mend = 'use tls = "starttls" or "implicit", or on a private link plaintext_login = true'
        yield (*place, "tls"), "[listener] tls", "nobody could log in without TLS here", mend
    if listener.plaintext_login and config.policy.require_tls:
        mend = "remove it, or set require_tls = false under [policy]"
        yield (*place, "plaintext_login"), "[listener] plaintext_login", "the policy requires TLS", mend
    if listener.tls_before and not (listener.tls is TlsMode.NONE and listener.proxy_peers):
        mend = 'give proxy_peers and tls = "none", or remove it'
        yield (*place, "tls_before"), "[listener] tls_before", "nobody is there who could have ended TLS", mend


def _domains(config: Config) -> Iterator[Contradiction]:
    seen: set[str] = set()
    for number, domain in enumerate(config.domain):
        if domain.name in seen:
            yield ("domain", number, "name"), "[domain] name", f"{domain.name} stands twice", "merge the two entries"
        seen.add(domain.name)
        upstreams = list(upstreams_of(domain))
        if not upstreams:
            mend = "add [domain.imap], [domain.pop3], [domain.smtp] or [domain.sieve] below it"
            yield ("domain", number), "[[domain]]", f"{domain.name} has no mail server", mend
        for protocol, upstream in upstreams:
            yield from _upstream(upstream, protocol, ("domain", number, protocol.value))


def _upstream(upstream: Upstream, protocol: MailProtocol, place: Place) -> Iterator[Contradiction]:
    label = f"[domain.{protocol.value}]"
    if upstream.login is UpstreamLogin.XCLIENT and protocol is not MailProtocol.SMTP:
        mend = 'use login = "master-user" or "stored-password"'
        yield (*place, "login"), f"{label} login", "XCLIENT exists for SMTP only", mend
    if upstream.login is UpstreamLogin.MASTER_USER:
        if not upstream.master_user:
            yield (*place, "master_user"), f"{label} master_user", "missing", "name the server's master user"
        if upstream.master_secret_file is None:
            mend = "name a file that holds the master user's password"
            yield (*place, "master_secret_file"), f"{label} master_secret_file", "missing", mend


def upstreams_of(domain: Domain) -> Iterator[tuple[MailProtocol, Upstream]]:
    """Give the upstreams of a domain that are configured."""
    pairs = (
        (MailProtocol.IMAP, domain.imap),
        (MailProtocol.POP3, domain.pop3),
        (MailProtocol.SMTP, domain.smtp),
        (MailProtocol.SIEVE, domain.sieve),
    )
    for protocol, upstream in pairs:
        if upstream is not None:
            yield protocol, upstream
