"""All routes of the console."""

from valetkey.doors.web.console import account, account_names, accounts, app_passwords, audit, connections

ROUTERS = (
    accounts.router,  # before account: "new" is no id
    account.router,
    account_names.router,
    app_passwords.router,
    connections.router,
    audit.router,
)
