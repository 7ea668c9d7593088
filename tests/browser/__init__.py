"""The live page in a real browser, of a real service under a known load."""
