"""The forms in which things are sent and answered: strict, bounded, described."""
