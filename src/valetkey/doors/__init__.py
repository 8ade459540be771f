"""Who calls us: one folder per door, thin, deletable whole."""
