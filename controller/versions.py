"""ETags: a revision in quotes, and what a change was based on."""

from __future__ import annotations

from controller.problems import Problem


def etag(revision: int) -> str:
    """`"7"` for revision 7."""
    return f'"{revision}"'


def expected(if_match: str | None, read: int) -> int:
    """The revision that a change is based on: the one of If-Match, or the one just read. Raises Problem 412."""
    if if_match is None or if_match.strip() == "*":
        return read
    if etag(read) not in {tag.strip() for tag in if_match.split(",")}:
        raise Problem(
            412,
            "precondition-failed",
            "It was changed meanwhile. Read it again.",
            headers={"ETag": etag(read)},
        )
    return read
