"""The door for Postfix, Exim and others that speak Dovecot's auth-client protocol."""
