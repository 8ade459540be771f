"""The door for nginx: the auth_http protocol of its mail proxy."""
