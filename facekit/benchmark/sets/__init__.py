"""The field's data sets, each read into a ``Protocol``."""
