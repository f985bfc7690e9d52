"""Addresses as people may see them: without credentials and without query values."""

from urllib.parse import parse_qsl, urlsplit, urlunsplit

HIDDEN = "***"


def redact(url: str) -> str:
    """`url` without user, password, query values and fragment; a plain file path stays as it is."""
    if "://" not in url:
        return url
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    # What has no value may be a bare token (base64 ends in "="), so there is no name to keep.
    fields = parse_qsl(parts.query, keep_blank_values=True)
    query = "&".join(f"{name}={HIDDEN}" if value else HIDDEN for name, value in fields) or HIDDEN
    return urlunsplit((parts.scheme, host, parts.path, query if parts.query else "", ""))


def is_url(text: str) -> bool:
    """Whether `text` names a network address rather than a file."""
    return "://" in text and not text.startswith("file://")
