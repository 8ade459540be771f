"""The REST API for machines: everything that portal and console do, with API tokens; never with app passwords."""
