"""All routes of the console."""

from valetkey.doors.web.console import account, account_names, accounts

ROUTERS = (
    accounts.router,  # before account: "new" is no id
    account.router,
    account_names.router,
)
