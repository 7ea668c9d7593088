"""Text from outside (names, paths, configuration), made fit for a label."""

import hashlib

MAX_CHARACTERS = 256
"""A topic (249 characters at most) and a control group of Kubernetes (191) are shorter."""
_HASH_BYTES = 6


def label_text(text: str) -> str:
    r"""The same text as valid Unicode of at most :data:`MAX_CHARACTERS`; idempotent.

    U+FFFD stands for each lone surrogate. A longer text is cut and ends in a hash, so that two that differ stay
    different.

    >>> label_text("\ud800 x")
    '� x'
    """
    if len(text) <= MAX_CHARACTERS and text.isascii():
        return text
    # A text of Java is UTF-16: its surrogate pairs are characters.
    valid = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if len(valid) <= MAX_CHARACTERS:
        return valid
    end = "~" + hashlib.blake2b(valid.encode(), digest_size=_HASH_BYTES).hexdigest()
    return valid[: MAX_CHARACTERS - len(end)] + end
