"""The command line for the operator."""
