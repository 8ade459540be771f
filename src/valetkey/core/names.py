"""What records and notices hold by a key, and what people call it: roles, kinds of accounts, rules of the policy, exports."""

from collections.abc import Mapping

from valetkey.core.sentence import Sentence, say

ROLES: Mapping[str, Sentence] = {
    "admin": say("Administrator"),
    "helpdesk": say("Helpdesk"),
    "auditor": say("Auditor"),
}
KINDS: Mapping[str, Sentence] = {"person": say("Person"), "shared": say("Shared account")}
RULES: Mapping[str, Sentence] = {
    "max_app_passwords": say("App passwords per account"),
    "default_lifetime": say("Usual lifetime (days)"),
    "max_lifetime": say("Longest lifetime (days)"),
    "default_idle_for": say("Usual time without use (days)"),
    "max_idle_for": say("Longest time without use (days)"),
    "main_password_opens_mail": say("The main password opens mail"),
    "require_tls": say("Encryption is required"),
    "strict_hash": say("Slow hash behind each app password"),
    "min_password_length": say("Shortest main password (characters)"),
    "recovery_wait": say("Waiting time of a recovery (hours)"),
    "password_with_code": say("Main password with a one-time code opens mail"),
    "password_with_code_for": say("How long one code lasts there (hours)"),
}
EXPORTS: Mapping[str, Sentence] = {"audit log": say("Audit log"), "everything": say("Everything")}


def named(names: Mapping[str, Sentence], key: str) -> Sentence:
    """Give the name of a key; what has none, such as a rule of an older version, is said as it is."""
    return names.get(key) or Sentence(key)
