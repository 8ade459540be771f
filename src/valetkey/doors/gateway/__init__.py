"""The gateway: stands in front of any mail server, decides each login, relays what is allowed."""
