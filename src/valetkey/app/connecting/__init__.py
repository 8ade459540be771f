"""`valetkey connect`: what a mail server has to be told so that it asks here, whether it does, and why not."""
