"""`valetkey demo`: everything on localhost, with an embedded mailbox and sample people."""
