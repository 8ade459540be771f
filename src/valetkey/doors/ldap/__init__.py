"""The door for servers that ask a directory: LDAP search and bind."""
