"""The door for Dovecot: its Lua passdb, oauth2 passdb and auth_policy, over HTTP."""
