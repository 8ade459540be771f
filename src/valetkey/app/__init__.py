"""The front hall: the only place where rooms are joined. Settings become adapters, services and doors here."""
