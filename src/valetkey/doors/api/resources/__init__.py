"""The operations, by what they are about. Each runs one verb; the verb decides who may."""
