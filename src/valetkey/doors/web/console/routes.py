"""All routes of the console."""

from valetkey.doors.web.console import (
    account,
    account_names,
    accounts,
    app_passwords,
    audit,
    connections,
    logins,
    machines,
    overview,
    people,
    proposals,
    recoveries,
    rules,
)

ROUTERS = (
    overview.router,
    accounts.router,  # before account: "new" is no id
    account.router,
    account_names.router,
    app_passwords.router,
    connections.router,
    logins.router,
    people.router,
    recoveries.router,
    rules.router,
    proposals.router,
    audit.router,
    machines.router,
)
