"""App passwords as they hold now, for eyes: what the policy takes from them is taken from what is shown."""

from dataclasses import replace

from valetkey.core.app_password import AppPassword
from valetkey.core.login import end_of, idle_limit
from valetkey.core.policy import Policy


def effective(one: AppPassword, policy: Policy) -> AppPassword:
    """Give an app password with the end and the disuse that it has under the policy. One that is over stays as it was."""
    if not one.is_live:
        return one
    ends, idle_for = end_of(one, policy), idle_limit(one, policy)
    return replace(one, restrictions=replace(one.restrictions, expires_at=ends, idle_for=idle_for))
