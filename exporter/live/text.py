"""Text from outside, made fit for JSON and for a page."""

_MAX_CHARACTERS = 256


def valid_text(text: str) -> str:
    """Return the text as valid UTF-8 of at most 256 characters."""
    return text[:_MAX_CHARACTERS].encode(errors="replace").decode()
