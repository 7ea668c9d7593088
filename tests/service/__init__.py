"""The service as a user meets it: a real process with real probes, asked over HTTP."""
