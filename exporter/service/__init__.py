"""Start-up and shutdown of the serving process."""
