"""The console: what administrators, the helpdesk and auditors open when something is wrong."""
