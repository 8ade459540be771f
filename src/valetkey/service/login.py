"""The only way any door learns whether a mail login may pass: `check`; the others for what is proven already."""

import hmac
from dataclasses import dataclass

import structlog

from valetkey.core import app_password as app_passwords
from valetkey.core.account import Account, AccountKind, canonical_or_nobodys
from valetkey.core.app_password import Secret, SecretFormat
from valetkey.core.errors import Unavailable
from valetkey.core.login import (
    Allowed,
    CannotTell,
    Conditions,
    Grant,
    LoginAttempt,
    Proven,
    Reason,
    Refused,
    Verdict,
    decide,
)
from valetkey.core.policy import Policy
from valetkey.service.faults import place_of
from valetkey.service.first_use import is_to_be_pinned, pin_network, stamp_if_expired
from valetkey.service.key_moves import move_to_current_key
from valetkey.service.main_passwords import Outcome, try_main_password
from valetkey.service.password_with_code import try_password_with_code
from valetkey.service.ports import FoundLogin, KeyPurpose, LoginEvent, Ports, Reader, SiteRules, Writer
from valetkey.service.throttling import Tally, is_over, network_name, network_without_address, tally

_log = structlog.get_logger("valetkey.login")

_BROKEN = "An internal error."
_MAX_CLIENT = 200  # characters of what a client calls itself


@dataclass(slots=True)
class _Try:
    """An attempt, its name and secret in canonical form."""

    attempt: LoginAttempt
    name: str  # canonical; "" if nobody can have it
    secret: Secret | None  # None: has not the shape of an app password
    numbers: tuple[int, ...]  # of the keys, the current one first; asked once, for each time the file is looked at
    rules: SiteRules  # of the moment of the look-up


async def check(ports: Ports, attempt: LoginAttempt) -> Verdict:
    """Decide one mail login.

    Never raises: when the store or anything else fails the verdict is `CannotTell`. Until a secret is proven every
    attempt of the same shape costs the same look-ups and hashes, whoever's name it bears.
    """
    try:
        return await _check(ports, attempt)
    except Unavailable as fault:
        return CannotTell(str(fault))
    except Exception as bug:  # noqa: BLE001  (a bug must never look like a wrong password)
        _log.error("login_check_failed", bug=place_of(bug), door=attempt.door, protocol=attempt.protocol.value)
        return CannotTell(_BROKEN)


def decide_again(ports: Ports, attempt: LoginAttempt, grant: Grant) -> Verdict:
    """Decide anew, as things are now, over a live session that `grant` opened. The attempt's secret may be empty.

    Never raises. Called on the event loop; costs one look-up.
    """
    try:
        found = ports.store.find_proven(grant.account_id, grant.credential_id)
        if found is None or (grant.credential_id is not None and found[1] is None):
            return Refused(Reason.REVOKED, credential_id=grant.credential_id)
        rules = ports.rules.current()
        given = Conditions(rules.policy, rules.networks, ports.clock.now(), in_use=True)
        return decide(attempt, Proven(*found, with_code=grant.with_code), given)
    except Unavailable as fault:
        return CannotTell(str(fault))
    except Exception as bug:  # noqa: BLE001  (the same)
        _log.error("login_decide_again_failed", bug=place_of(bug), door=attempt.door, protocol=attempt.protocol.value)
        return CannotTell(_BROKEN)


async def vouched(ports: Ports, attempt: LoginAttempt, credential_id: str | None) -> Verdict:
    """Decide a login whose secret a trusted asker has proven already: a mail server that our own gateway logged in to.

    Never raises. Nothing is recorded: the login was, where its secret was proven.

    Args:
        ports: What the verbs work with.
        attempt: The try, without a secret.
        credential_id: The app password that was proven; None is the main password.
    """
    name = canonical_or_nobodys(attempt.name, ports.default_domain)
    try:
        account = await ports.store.read(lambda reader: reader.account_by_address(name))
        found = ports.store.find_proven(account.id, credential_id) if account else None
        if found is None:
            return Refused(Reason.WRONG_SECRET)
        rules = ports.rules.current()
        return decide(attempt, Proven(*found), Conditions(rules.policy, rules.networks, ports.clock.now(), in_use=True))
    except Unavailable as fault:
        return CannotTell(str(fault))
    except Exception as bug:  # noqa: BLE001  (the same)
        _log.error("login_vouched_failed", bug=place_of(bug), door=attempt.door, protocol=attempt.protocol.value)
        return CannotTell(_BROKEN)


async def check_certificate(ports: Ports, attempt: LoginAttempt, credential_id: str) -> Verdict:
    """Decide a login by a client certificate that stands for an app password, and is verified by a trusted asker.

    Never raises. It is recorded as a login with the app password is, and everything that holds for one holds for it.

    Args:
        ports: What the verbs work with.
        attempt: The try, by the account's name and without a secret.
        credential_id: The app password.
    """
    name = canonical_or_nobodys(attempt.name, ports.default_domain)
    try:
        account = await ports.store.read(lambda reader: reader.account_by_address(name))
        found = ports.store.find_proven(account.id, credential_id) if account else None
        if found is None or found[1] is None:
            return Refused(Reason.WRONG_SECRET)
        verdict = await _decide_first(ports, attempt, Proven(*found), ports.rules.current())
        _record(ports, attempt, verdict, found[0])
        return verdict
    except Unavailable as fault:
        return CannotTell(str(fault))
    except Exception as bug:  # noqa: BLE001  (the same)
        _log.error("login_certificate_failed", bug=place_of(bug), door=attempt.door, protocol=attempt.protocol.value)
        return CannotTell(_BROKEN)


async def _check(ports: Ports, attempt: LoginAttempt) -> Verdict:
    name = canonical_or_nobodys(attempt.name, ports.default_domain)
    secret = app_passwords.read(attempt.secret)
    numbers = ports.keys.numbers
    looked_up = _look_up(ports, name, numbers, secret) if secret else None
    rules = ports.rules.current(looked_up.number if looked_up else None)
    this = _Try(attempt, name, secret, numbers, rules)
    found = _proven(ports, this, looked_up, secret) if secret else None
    if found is not None and secret is not None and await _is_proven_slowly(ports, this.rules.policy, found, secret):
        return await _answer_app_password(ports, this, found, secret)
    if secret is None or secret.format is SecretFormat.DEVICE:
        verdict = await _answer_with_code(ports, this)
        if verdict is not None:
            return verdict
        if this.rules.policy.main_password_opens_mail:
            return await _answer_main_password(ports, this)
    return await _answer_unproven(ports, this)


def _where(ports: Ports, this: _Try) -> Tally:
    """Work out under what a failure is counted: an app password by its canonical text, however it was typed."""
    typed = this.secret.text if this.secret else this.attempt.secret
    return tally(ports, network=network_name(this.attempt.address), name=this.name, secret=typed)


async def _where_for_main_password(ports: Ports, this: _Try) -> Tally:
    """Work out the same for a main password: as with a code behind it, so that nobody sees by it who has codes."""
    attempt = this.attempt
    if attempt.address is not None:
        return _where(ports, this)
    account = await ports.store.read(lambda reader: reader.account_by_address(this.name))
    network = network_without_address(ports, door=attempt.door, name=this.name, account=account)
    return tally(ports, network=network, name=this.name, secret=attempt.secret)


def _conditions(ports: Ports, rules: SiteRules) -> Conditions:
    return Conditions(rules.policy, rules.networks, ports.clock.now())


def _look_up(ports: Ports, name: str, numbers: tuple[int, ...], secret: Secret) -> FoundLogin | None:
    """Find whose secret this may be, in one look-up under all keys."""
    indexes = [app_passwords.index_of(ports.keys.derive(KeyPurpose.INDEX, n), secret) for n in numbers]
    return ports.store.find_login(name, indexes)


def _proven(ports: Ports, this: _Try, found: FoundLogin | None, secret: Secret) -> FoundLogin | None:
    """Compare the tag, whether or not anything was found; None if it is wrong or the secret is not this name's."""
    numbers = this.numbers
    number = found.proof.key_number if found else numbers[0]
    key = ports.keys.derive(KeyPurpose.TAG, number if number in numbers else numbers[0])
    account_id, credential_id = (found.account.id, found.app_password.id) if found else ("", "")
    expected = app_passwords.tag_of(key, account_id, credential_id, secret)
    is_right = hmac.compare_digest(found.proof.tag if found else b"", expected)
    is_named = found is not None and found.is_named and this.attempt.may_mean(found.account, this.name)
    return found if is_named and is_right else None


async def _is_proven_slowly(ports: Ports, policy: Policy, found: FoundLogin, secret: Secret) -> bool:
    """In strict mode compare the Argon2id hash too; a secret from before strict mode has none yet and gets one."""
    if not policy.strict_hash or found.proof.slow_hash is None:
        return True
    return await ports.hasher.verify(found.proof.slow_hash, secret.text)


async def _answer_app_password(ports: Ports, this: _Try, found: FoundLogin, secret: Secret) -> Verdict:
    proven = Proven(found.account, found.app_password)
    verdict = await _decide_first(ports, this.attempt, proven, this.rules)
    answer = verdict if isinstance(verdict, Allowed) else await _disguise(ports, this, verdict)
    _record(ports, this.attempt, verdict, found.account)
    if isinstance(answer, Allowed):
        is_strict = this.rules.policy.strict_hash
        move_to_current_key(ports, found, secret, current=this.numbers[0], is_strict=is_strict)
    return answer


async def _decide_first(ports: Ports, attempt: LoginAttempt, proven: Proven, rules: SiteRules) -> Verdict:
    """Decide a login with an app password, and do what a first login from somewhere, or one too late, does to it."""
    verdict: Verdict = decide(attempt, proven, _conditions(ports, rules))
    credential = proven.app_password
    if credential is None:
        return verdict
    match verdict:
        case Allowed():
            is_pinned_now = is_to_be_pinned(credential) and await pin_network(ports, credential, attempt.address)
            if not is_pinned_now:
                return verdict
            again = ports.store.find_proven(proven.account.id, credential.id)
            if again is None or again[1] is None:
                return Refused(Reason.REVOKED, credential_id=credential.id)
            return decide(attempt, Proven(*again), _conditions(ports, ports.rules.current()))
        case Refused(reason=Reason.EXPIRED):
            await stamp_if_expired(ports, credential)
    return verdict


async def _answer_main_password(ports: Ports, this: _Try) -> Verdict:
    tried = await try_main_password(
        ports,
        name=this.name,
        password=this.attempt.secret,
        where=await _where_for_main_password(ports, this),
        is_for=lambda account: _may_open_mail(account) and this.attempt.may_mean(account, this.name),
    )
    verdict: Verdict
    match tried.outcome:
        case Outcome.RIGHT if tried.account is not None:
            verdict = decide(this.attempt, Proven(tried.account, None), _conditions(ports, ports.rules.current()))
        case Outcome.THROTTLED:
            verdict = Refused(Reason.THROTTLED)
        case _:
            verdict = Refused(Reason.WRONG_SECRET)
    _record(ports, this.attempt, verdict, tried.account)
    return verdict


async def _answer_with_code(ports: Ports, this: _Try) -> Verdict | None:
    """Answer a main password with a one-time code behind it; None where there can be none."""
    tried = await try_password_with_code(ports, this.attempt, this.name, this.rules.policy)
    if tried is None:
        return None
    verdict: Verdict
    if tried.outcome is None and tried.account is not None:
        proven = Proven(tried.account, None, with_code=True)
        verdict = decide(this.attempt, proven, _conditions(ports, ports.rules.current()))
    else:
        verdict = Refused(tried.outcome or Reason.WRONG_SECRET)
    _record(ports, this.attempt, verdict, tried.account)
    return verdict


def _may_open_mail(account: Account) -> bool:
    return account.kind is AccountKind.PERSON and not account.has_second_factor


async def _answer_unproven(ports: Ports, this: _Try) -> Verdict:
    is_throttled, account = await _count(ports, this)
    if not is_throttled and this.rules.policy.strict_hash and this.secret is not None:
        await ports.hasher.verify(None, this.secret.text)  # as long as a right secret takes
    verdict = Refused(Reason.THROTTLED if is_throttled else Reason.WRONG_SECRET)
    _record(ports, this.attempt, verdict, account)
    return verdict


async def _disguise(ports: Ports, this: _Try, verdict: Verdict) -> Verdict:
    """Answer a right secret whose refusal may not be told just as a wrong one, at the same cost."""
    if not isinstance(verdict, Refused) or verdict.proven:
        return verdict
    is_throttled, _ = await _count(ports, this)
    return Refused(Reason.THROTTLED, credential_id=verdict.credential_id) if is_throttled else verdict


async def _count(ports: Ports, this: _Try) -> tuple[bool, Account | None]:
    """Count a failure unless there were too many already; tell that, and who has the name."""
    where = _where(ports, this)

    def look(reader: Reader) -> tuple[bool, Account | None]:
        return is_over(ports, reader, where), reader.account_by_address(this.name)

    def count(writer: Writer) -> None:
        writer.count_failure(where.window, where.network, where.secret_key)

    is_throttled, account = await ports.store.read(look)
    if not is_throttled:
        await ports.store.write(count)
    return is_throttled, account


def _record(ports: Ports, attempt: LoginAttempt, verdict: Verdict, account: Account | None) -> None:
    """Queue the login event. A record that fails refuses nobody."""
    match verdict:
        case Allowed(grant=grant):
            result, is_proven, credential_id = "allowed", True, grant.credential_id
        case Refused(reason=reason, proven=proven, credential_id=credential_id):
            result, is_proven = reason.value, proven or credential_id is not None
        case CannotTell():
            return
    now = ports.clock.now()
    network = str(attempt.address or "unknown") if is_proven else network_name(attempt.address)
    try:
        ports.recorder.add(
            LoginEvent(
                account_id=account.id if account else None,
                credential_id=credential_id,
                protocol=attempt.protocol,
                network=network,
                client=attempt.client[:_MAX_CLIENT],
                result=result,
                first_at=now,
                last_at=now,
            )
        )
    except Exception as bug:  # noqa: BLE001  (see above)
        _log.error("login_record_failed", bug=place_of(bug))
