"""What one can do: async verbs. One function is one transaction, and the verb writes the audit event in it."""
