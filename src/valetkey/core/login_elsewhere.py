"""What can be told of a login whose secret a mail server compares itself: the gates that are the account's. Pure."""

from valetkey.core.account import Account, AccountState
from valetkey.core.login import LoginAttempt, Reason
from valetkey.core.policy import Policy
from valetkey.core.scope import may_open


def account_refusal(attempt: LoginAttempt, account: Account | None, policy: Policy) -> Reason | None:
    """Give why no login to this account could pass, whatever the secret; None: one could.

    Args:
        attempt: The try, without a secret.
        account: Whose name it bears; None: nobody's.
        policy: The one that holds now.
    """
    if account is None:
        return Reason.WRONG_SECRET
    if account.state is not AccountState.ACTIVE:
        return Reason.ACCOUNT_DISABLED
    if not may_open(attempt.protocol, account.rights):
        return Reason.PERMISSION
    if policy.require_tls and not attempt.tls:
        return Reason.TLS_NEEDED
    return None
