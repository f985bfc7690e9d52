"""Addresses as people may see them: without credentials and without query values."""

from urllib.parse import parse_qsl, urlsplit, urlunsplit

HIDDEN = "***"


def redact(url: str) -> str:
    """`url` without user, password, query values and fragment; a plain file path stays as it is."""
    if "://" not in url:
        return url
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    # A query that is a bare token has no name to keep.
    query = "&".join(f"{n}={HIDDEN}" for n in names) if "=" in parts.query else HIDDEN
    return urlunsplit((parts.scheme, host, parts.path, query if parts.query else "", ""))


def is_url(text: str) -> bool:
    """Whether `text` names a network address rather than a file."""
    return "://" in text and not text.startswith("file://")
