"""The form in which somebody says what an app password shall be, and what it means."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from valetkey.core.account import Account
from valetkey.core.app_password import AppPassword, SecretFormat, check_description
from valetkey.core.errors import InvalidInput
from valetkey.core.limits import Limits, check_choice
from valetkey.core.network import NamedNetworks
from valetkey.core.policy import Policy
from valetkey.core.restriction import NetworkRule, Restrictions
from valetkey.core.scope import MailProtocol, Permission, PermissionMode, Scope, describe
from valetkey.core.sentence import Sentence, counted, say
from valetkey.doors.web.forms import Errors, Form
from valetkey.doors.web.limit_wishes import NO_WISHES, LimitWishes, posted_limits, present_limits, read_limits
from valetkey.doors.web.purposes import Purpose
from valetkey.doors.web.words import Words

NEVER, ON_DATE, KEEP = "never", "date", "keep"
_LIFETIMES = (7, 30, 90, 365)  # days
_IDLE_TIMES = (14, 30, 90, 180)  # days
_MOST_DAYS, _DAY_DIGITS = 36500, 5  # a century
_MAX_NETWORKS = 50


@dataclass(frozen=True, slots=True)
class Wishes:
    """The fields as they stand in the form."""

    description: str = ""
    format: str = SecretFormat.DEFAULT.value
    expires: str = NEVER
    expires_on: str = ""
    idle: str = NEVER
    rule: str = NetworkRule.ANYWHERE.value
    networks: str = ""
    named: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    limits: LimitWishes = NO_WISHES


@dataclass(frozen=True, slots=True)
class Ground:
    """What wishes are read against: the scope and restrictions one starts from, rights, policy, networks, time."""

    scope: Scope
    restrictions: Restrictions | None  # None: a new one
    rights: frozenset[Permission]
    policy: Policy
    networks: NamedNetworks
    now: datetime
    zone: tzinfo = UTC  # in which a last day ends
    purpose: Purpose | None = None  # of a new one


@dataclass(frozen=True, slots=True)
class Read:
    """What wishes mean; only good without errors."""

    description: str
    format: SecretFormat
    scope: Scope
    restrictions: Restrictions
    errors: Errors


def first_wishes(purpose: Purpose, rights: frozenset[Permission], policy: Policy) -> Wishes:
    """Fill in the form for a purpose, as narrow as it can be."""
    return Wishes(
        format=purpose.format.value,
        expires=_days(first_lifetime(purpose, policy)),
        idle=_days(policy.default_idle_for or policy.max_idle_for),
        permissions=tuple(sorted(purpose.scope.effective(rights))),
        protocols=tuple(sorted(purpose.scope.protocols)),
    )


def first_lifetime(purpose: Purpose, policy: Policy) -> timedelta | None:
    """Give how long a new one lives unless its owner says otherwise; None: until it is revoked."""
    by_policy = policy.default_lifetime or policy.max_lifetime
    if purpose.lifetime is None or by_policy is None:
        return purpose.lifetime or by_policy
    return min(purpose.lifetime, by_policy)


def present_wishes(credential: AppPassword, account: Account, named: NamedNetworks) -> Wishes:
    """Fill in the form with what an app password of an account is now."""
    held = credential.restrictions
    return Wishes(
        description=credential.description,
        format=credential.format.value,
        expires=KEEP,
        idle=KEEP,
        rule=held.network_rule.value,
        networks="\n".join(entry for entry in held.allowed_ips if entry not in named.by_name),
        named=tuple(entry for entry in held.allowed_ips if entry in named.by_name),
        permissions=tuple(sorted(credential.scope.effective(account.rights))),
        protocols=tuple(sorted(credential.scope.protocols)),
        limits=present_limits(held.limits, account.address),
    )


def posted_wishes(form: Form) -> Wishes:
    """Take the form as it was posted."""
    return Wishes(
        description=form.one("description"),
        format=form.one("format"),
        expires=form.one("expires"),
        expires_on=form.one("expires_on"),
        idle=form.one("idle"),
        rule=form.one("rule"),
        networks=form.one("networks", 4000),
        named=form.many("named"),
        permissions=form.many("permission"),
        protocols=form.many("protocol"),
        limits=posted_limits(form),
    )


def lifetimes(
    policy: Policy, now: datetime, words: Words, keeping: AppPassword | None = None
) -> tuple[tuple[str, Sentence], ...]:
    """Give the choices for the expiry: value and words."""
    most = policy.max_lifetime
    days = sorted({*_LIFETIMES, *(one.days for one in (policy.default_lifetime, most) if one)})
    start = keeping.created_at if keeping else now
    fitting = [n for n in days if most is None or now + timedelta(days=n) <= start + most]
    choices = [
        (str(n), say("{span} (until {day})", span=span_words(n), day=words.day(now + timedelta(days=n))))
        for n in fitting
    ]
    if keeping is not None:
        held = keeping.restrictions.expires_at
        now_is = say("As it is (until {day})", day=words.day(held)) if held else say("As it is (never expires)")
        choices.insert(0, (KEEP, now_is))
    if most is None and (keeping is None or keeping.restrictions.expires_at is not None):
        choices.append((NEVER, say("Never")))
    return (*choices, (ON_DATE, say("On a date …")))


def idle_times(policy: Policy, keeping: AppPassword | None = None) -> tuple[tuple[str, Sentence], ...]:
    """Give the choices for how long it may stay unused: value and words."""
    most = policy.max_idle_for
    days = sorted({*_IDLE_TIMES, *(one.days for one in (policy.default_idle_for, most) if one)})
    choices = [
        (str(n), counted("After {number} day without use", "After {number} days without use", n))
        for n in days
        if most is None or n <= most.days
    ]
    if keeping is not None:
        choices.insert(0, (KEEP, _kept_idle(keeping.restrictions.idle_for)))
    if most is None:
        choices.append((NEVER, say("Never")))
    return tuple(choices)


def _kept_idle(held: timedelta | None) -> Sentence:
    if held is None:
        return say("As it is (never)")
    return counted("As it is (after {number} day without use)", "As it is (after {number} days without use)", held.days)


def read_wishes(wishes: Wishes, ground: Ground) -> Read:
    """Work out what the form means; everything wrong with it is named at once, beside its field."""
    errors = Errors()
    description = wishes.description
    try:
        description = check_description(wishes.description)
    except InvalidInput as problem:
        errors["description"] = problem.sentence
    scope = _read_scope(wishes, ground, errors)
    held = ground.restrictions or Restrictions()
    restrictions = Restrictions(
        expires_at=_read_expiry(wishes, held.expires_at, ground, errors),
        idle_for=_read_idle(wishes, held.idle_for, errors),
        network_rule=_read_rule(wishes, errors),
        allowed_ips=read_networks(wishes.rule, wishes.named, wishes.networks, ground.networks, errors),
        pinned_network=held.pinned_network,
        limits=_read_limits(wishes, ground, errors),
    )
    known = wishes.format in set(SecretFormat)
    return Read(
        description, SecretFormat(wishes.format) if known else SecretFormat.DEFAULT, scope, restrictions, errors
    )


def _read_limits(wishes: Wishes, ground: Ground, errors: Errors) -> Limits:
    limits = read_limits(wishes.limits, errors)
    if ground.purpose is not None and "folders" not in errors:
        try:
            check_choice(ground.purpose.choice, limits)
        except InvalidInput as problem:
            errors[problem.field] = problem.sentence
    return limits


def _read_scope(wishes: Wishes, ground: Ground, errors: Errors) -> Scope:
    ticked = frozenset(one for one in Permission if one.value in wishes.permissions) & ground.rights
    protocols = frozenset(one for one in MailProtocol if one.value in wishes.protocols)
    scope = _scope_of(ticked, protocols, ground)
    if not protocols:
        errors["protocols"] = say("Tick at least one protocol; without one it opens nothing.")
    elif not ticked:
        errors["permissions"] = say("Tick at least one permission; without one it may do nothing.")
    elif not describe(scope, ground.rights)[0]:
        errors["permissions"] = say(
            "With these ticks it could do nothing: reading needs IMAP or POP3, sending needs SMTP, filters need ManageSieve."
        )
    return scope


def _scope_of(ticked: frozenset[Permission], protocols: frozenset[MailProtocol], ground: Ground) -> Scope:
    start, rights = ground.scope, ground.rights
    if ticked == start.effective(rights):
        return Scope(start.mode, start.permissions, protocols)
    if start.mode is PermissionMode.REPLACE:
        return Scope(PermissionMode.REPLACE, ticked, protocols)
    # "Everything but": what was left out stays out when the account's rights grow, all else follows them.
    left_out = (start.permissions if start.mode is PermissionMode.RESTRICT else frozenset()) - rights
    return Scope(PermissionMode.RESTRICT, left_out | (rights - ticked), protocols)


def _read_expiry(wishes: Wishes, held: datetime | None, ground: Ground, errors: Errors) -> datetime | None:
    match wishes.expires:
        case "never":
            return None
        case "keep":
            return held
        case "date":
            return end_of_day(wishes.expires_on, ground.zone, errors)
    span = span_of(wishes.expires)
    if span is None:
        errors["expires_at"] = say("Choose when it ends.")
    return None if span is None else ground.now + span


def span_of(days: str) -> timedelta | None:
    """Read a number of days; None if it is none, or none that anybody means."""
    number = int(days[:_DAY_DIGITS]) if days.isascii() and days.isdecimal() else 0
    return timedelta(days=number) if 0 < number <= _MOST_DAYS else None


def end_of_day(text: str, zone: tzinfo, errors: Errors) -> datetime | None:
    """Read a last day and give its end; None, and an error, if it is no date."""
    try:
        return datetime.combine(date.fromisoformat(text.strip()), time(23, 59, 59), zone).astimezone(UTC)
    except (ValueError, OverflowError):  # no date, or one that is none in UTC
        errors["expires_at"] = say("Write the date as year-month-day, such as 2027-03-31.")
        return None


def _read_idle(wishes: Wishes, held: timedelta | None, errors: Errors) -> timedelta | None:
    match wishes.idle:
        case "never":
            return None
        case "keep":
            return held
    span = span_of(wishes.idle)
    if span is None:
        errors["idle_for"] = say("Choose how long it may stay unused.")
    return span


def _read_rule(wishes: Wishes, errors: Errors) -> NetworkRule:
    try:
        return NetworkRule(wishes.rule)
    except ValueError:
        errors["allowed_ips"] = say("Choose from where it may be used.")
        return NetworkRule.ALLOWED


def read_networks(
    rule: str, ticked: tuple[str, ...], lines: str, networks: NamedNetworks, errors: Errors
) -> tuple[str, ...]:
    """Read from which networks something may be used: ticked names, and what was typed; () unless the rule asks for them."""
    if rule != NetworkRule.ALLOWED.value:
        return ()
    typed = tuple(dict.fromkeys((*ticked, *lines.replace(",", " ").split())))
    if not typed:
        errors["allowed_ips"] = say("Name at least one address or network, or choose another answer.")
    if len(typed) > _MAX_NETWORKS:
        errors["allowed_ips"] = say("{most} networks at most.", most=_MAX_NETWORKS)
        return ()
    try:
        return networks.check_entries(typed)
    except InvalidInput as problem:
        errors["allowed_ips"] = problem.sentence
        return ()


def _days(span: timedelta | None) -> str:
    return str(span.days) if span else NEVER


def span_words(days: int) -> Sentence:
    """Say how long a number of days is."""
    match days:
        case 7:
            return say("1 week")
        case 365:
            return say("1 year")
        case _:
            return counted("{number} day", "{number} days", days)
