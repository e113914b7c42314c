"""Photos grouped into people whose names nobody has told yet."""
