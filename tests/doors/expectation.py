"""What each door says on the wire, by what became of a login: the one place where tests know it (security reference 5.9).

Expectations are regular expressions for what a way in gives as heard (`tests.doors.ways_in`): the account's address is
NAME in it, and an app password's id is APP.
"""

import re
from enum import Enum

from valetkey.core.scope import MailProtocol

IMAP, POP3, SMTP, SIEVE = MailProtocol.IMAP, MailProtocol.POP3, MailProtocol.SMTP, MailProtocol.SIEVE


class Outcome(Enum):
    """What became of a login. Wrong, unknown, disabled and revoked are one: nothing on the wire tells them apart."""

    PASSES = "passes"
    WRONG = "wrong"
    EXPIRED = "expired"  # the secret was right
    FORBIDDEN = "forbidden"  # the same
    NO_TLS = "no-tls"  # the same
    LATER = "later"  # nobody can tell now, or there were too many failures
    STRANGER = "stranger"  # whoever asks is not listed
    IMPOSTOR = "impostor"  # whoever asks has another secret than the listed peer


PASSES, WRONG, EXPIRED, FORBIDDEN, NO_TLS, LATER, STRANGER, IMPOSTOR = Outcome

_SEE = ", see https://pw\\.example\\.org"
_WORDS = {
    WRONG: f"Authentication failed\\. This service needs an app password{_SEE}",
    EXPIRED: f"This app password (?:has expired|was not used for too long)\\. Please make a new one{_SEE}",
    FORBIDDEN: (
        f"(?:This app password may not be used (?:from this network|for (?:IMAP|POP3|sending mail|mail filters))"
        f"|This mail server cannot hold this app password to its limits\\. Please use another server or make a new one){_SEE}"
    ),
    NO_TLS: "Logins are accepted only over TLS\\. Please turn on SSL/TLS or STARTTLS",
    LATER: (
        "(?:Logins cannot be checked right now\\. Please try again later\\."
        "|Too many failed logins\\. Please wait a few minutes and try again)"
    ),
}
_SILENCE = ""


def _in_words(**starts: str) -> dict[Outcome, str]:
    """Give patterns of one line each: the protocol's own word, and ours behind it."""
    return {Outcome[key.upper()]: f"{start}{_WORDS[Outcome[key.upper()]]}" for key, start in starts.items()}


def _after(front: str, told: dict[Outcome, str], behind: str = "") -> dict[Outcome, str]:
    return {outcome: f"{front}{pattern}{behind}" for outcome, pattern in told.items()}


_IMAP = _in_words(
    wrong=r"\[AUTHENTICATIONFAILED\] ",
    expired=r"\[EXPIRED\] ",
    forbidden=r"\[NOPERM\] ",
    no_tls=r"\[PRIVACYREQUIRED\] ",
    later=r"\[UNAVAILABLE\] ",
)
_POP3 = _in_words(wrong=r"\[AUTH\] ", expired=r"\[AUTH\] ", forbidden=r"\[AUTH\] ", no_tls="", later=r"\[SYS/TEMP\] ")
_SMTP = {WRONG: "535 5.7.8", EXPIRED: "535 5.7.8", FORBIDDEN: "535 5.7.8", NO_TLS: "538 5.7.11", LATER: "454 4.7.0"}
_SIEVE = _in_words(wrong='"', expired='"', forbidden='"', no_tls=r'\(ENCRYPT-NEEDED\) "', later=r'\(TRYLATER\) "')

_GATEWAY = {
    IMAP: {PASSES: r"a OK \[CAPABILITY [A-Za-z0-9=+ -]+\] Logged in"} | _after("a NO ", _IMAP),
    POP3: {PASSES: r"\+OK Logged in"} | _after("-ERR ", _POP3),
    SMTP: {PASSES: "235 2.7.0 Authentication successful"}
    | {each: f"{code} {_WORDS[each]}" for each, code in _SMTP.items()},
    SIEVE: {PASSES: 'OK "Logged in"'} | _after("NO ", _SIEVE, '"'),
}

_UNAUTHORISED = '401 {"error":"no peer has this secret, or not from this address"}'
_NOBODY_ASKS = {STRANGER: _SILENCE, IMPOSTOR: re.escape(_UNAUTHORISED)}

_LUA = {
    PASSES: r'200 \{"result": "ok", "fields": \{.*\}\}',
    WRONG: r'200 \{"result": "wrong"\}',
    EXPIRED: r'200 \{"result": "expired"\}',
    FORBIDDEN: rf'200 \{{"result": "told", "reason": "{_WORDS[FORBIDDEN]}"\}}',
    NO_TLS: rf'200 \{{"result": "told", "reason": "{_WORDS[NO_TLS]}"\}}',
    LATER: r'200 \{"result": "later"\}',
    **_NOBODY_ASKS,
}
# Postfix and Exim take "told" for a login.
_LUA_SASL = _LUA | {FORBIDDEN: _LUA[WRONG], NO_TLS: _LUA[WRONG]}

_NO_TOKEN = r'200 \{"access_token": "-", "username": "NAME", "active": "false"\}'
_TOKEN = {
    PASSES: r'200 \{"access_token": "-", "token_type": "Bearer", "username": "NAME", "active": "true", "app_id": "(?:APP)?"\}',
    **dict.fromkeys((WRONG, EXPIRED, FORBIDDEN, NO_TLS), _NO_TOKEN),
    LATER: r"503 \{\}",
    STRANGER: _SILENCE,
    IMPOSTOR: r"503 \{\}",  # of 401 Dovecot would make the person's wrong password
}
_INTROSPECT = {WRONG: r'200 \{"active":false\}', STRANGER: _SILENCE}

_REJECTED = r'200 \{"status": -1, "msg": ""\}'
_AUTH_POLICY = {
    PASSES: r'200 \{"status": 0, "msg": ""\}',
    **dict.fromkeys((WRONG, EXPIRED, FORBIDDEN, NO_TLS), _REJECTED),
    LATER: r'(?:503 \{\}|200 \{"status": 5, "msg": ""\})',
    **_NOBODY_ASKS,
}

_WAIT = "; auth-wait: 1"
_NGINX = {
    IMAP: _after("200 auth-status: ", _IMAP, _WAIT),
    POP3: _after("200 auth-status: ", _POP3, _WAIT),
    SMTP: {each: f"200 auth-status: {_WORDS[each]}; auth-error-code: {code}{_WAIT}" for each, code in _SMTP.items()},
}
_NGINX_GOES_ON = {
    IMAP: r"200 auth-status: OK; auth-server: 192\.0\.2\.1; auth-port: 143; auth-user: NAME\*valetkey; auth-pass: master",
    POP3: r"200 auth-status: OK; auth-server: 192\.0\.2\.1; auth-port: 110; auth-user: NAME\*valetkey; auth-pass: master",
    SMTP: r"200 auth-status: OK; auth-server: 192\.0\.2\.2; auth-port: 25; auth-user: NAME(?:/app:APP)?",
}

_TOLD = (EXPIRED, FORBIDDEN, NO_TLS)
_SASL = {
    WRONG: "FAIL\t1\tuser=NAME",
    **{each: f"FAIL\t1\tuser=NAME\treason={_WORDS[each]}" for each in _TOLD},
    LATER: _SILENCE,  # the end of the connection: of all else Postfix makes "wrong password"
    STRANGER: _SILENCE,
}
_SASLAUTHD = {PASSES: "OK", WRONG: "NO", **{each: f"NO {_WORDS[each]}" for each in _TOLD}, LATER: _SILENCE}
_AUTHDAEMON = {
    PASSES: "UID=[0-9]+ GID=[0-9]+ HOME=(/var/mail/[a-z./-]+) MAILDIR=\\1 ADDRESS=NAME \\.",
    **dict.fromkeys((WRONG, *_TOLD), "FAIL"),
    LATER: _SILENCE,
}
_RADIUS = {
    PASSES: "accept(?: class=APP)?",
    WRONG: "reject",
    **{each: f"reject message={_WORDS[each]}" for each in _TOLD},
    **dict.fromkeys((LATER, STRANGER, IMPOSTOR), "silence"),
}
_LDAP = {
    PASSES: "0 ",
    WRONG: "49 ",
    **{each: f"49 {_WORDS[each]}" for each in _TOLD},
    LATER: f"52 {_WORDS[LATER]}",
    STRANGER: _SILENCE,
    IMPOSTOR: "49 ",
}
_POLICY = {
    PASSES: "action=DUNNO",
    WRONG: r"action=REJECT 5\.7\.1 This app password may no longer be used",
    EXPIRED: rf"action=REJECT 5\.7\.1 {_WORDS[EXPIRED]}",
    FORBIDDEN: rf"action=REJECT 5\.7\.1 {_WORDS[FORBIDDEN]}",
    NO_TLS: rf"action=REJECT 5\.7\.1 {_WORDS[NO_TLS]}",
    LATER: r"action=DEFER_IF_PERMIT 4\.3\.0 Mail cannot be checked right now\. Please try again later\.",
    STRANGER: _SILENCE,
}

# Rows that are the same for every protocol.
_ROWS = {
    "lua": _LUA,
    "lua-sasl": _LUA_SASL,
    "oauth2": _TOKEN,
    "introspect": _INTROSPECT,
    "auth-policy": _AUTH_POLICY,
    "saslauthd": _SASLAUTHD,
    "authdaemon": _AUTHDAEMON,
    "radius": _RADIUS,
    "ldap": _LDAP,
    "policy": _POLICY,
}


def expectation(row: str, protocol: MailProtocol, outcome: Outcome) -> str:
    """Give what is heard, as a regular expression for all of it; a KeyError: nobody has said what is to be heard."""
    match row:
        case "gateway":
            return _GATEWAY[protocol][outcome]
        case "nginx":
            told = _NGINX[protocol] | _NOBODY_ASKS | {PASSES: _NGINX_GOES_ON[protocol]}
            return told[outcome]
        case "sasl":
            tag = "/app:APP" if protocol is SMTP else ""
            return (_SASL | {PASSES: f"OK\t1\tuser=NAME(?:{tag})?"})[outcome]
        case _:
            return _ROWS[row][outcome]
