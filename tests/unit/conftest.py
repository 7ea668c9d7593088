"""Settings of the unit tests, which write nothing into the checkout: it may be read-only."""

from hypothesis import settings

settings.register_profile("no database", database=None)
settings.load_profile("no database")
