"""Put a document where it was asked for: whole, or not at all."""

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

from contracts.errors import ConfigError

STDOUT = "-"


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8 beside `path` and rename it there; `-` is standard output. Raises ConfigError."""
    if str(path) == STDOUT:
        out = getattr(sys.stdout, "buffer", None)
        if out is None:
            sys.stdout.write(text)
        else:
            sys.stdout.flush()
            out.write(_encode(text))
        sys.stdout.flush()
        return
    write_bytes(path, _encode(text))


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write `data` beside `path` and rename it there. Raises ConfigError."""
    with replacing(path) as beside, naming(path):
        beside.write_bytes(data)


def _encode(text: str) -> bytes:
    # A file name that is not UTF-8 arrives as lone surrogates.
    return text.encode("utf-8", errors="replace")


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A file beside `path` to write to, renamed to it when all went well and removed when not.

    A link stays a link, and what is no regular file (`/dev/null`, a pipe) is written to directly.
    """
    with naming(path):
        target = Path(path).resolve()
        if target.is_dir():
            raise IsADirectoryError(str(path))
        direct = target.exists() and not target.is_file()
        beside = target if direct else target.with_name(f".{target.name[:80]}.{secrets.token_hex(4)}.part")
        if not direct:
            os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield beside
        if not direct:
            with naming(path):
                beside.replace(target)
    except BaseException:
        if not direct:
            beside.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Turn an operating system's refusal into a ConfigError that names `path` and what to do."""
    try:
        yield
    except OSError as error:
        raise ConfigError(f"Cannot write {path}: {_reason(error)}.", _advice(error, Path(path))) from error
    except (ValueError, RuntimeError) as error:  # a NUL in the name, links in a ring
        raise ConfigError(f"Cannot write {str(path)!r}: {error}.", "Give another name.") from error


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


def _advice(error: OSError, path: Path) -> str:
    folder = path.parent
    if isinstance(error, FileNotFoundError):
        return f"Make its folder first: mkdir -p {folder}"
    if isinstance(error, IsADirectoryError):
        return f"It is a folder; name a file in it, such as {path / 'report.json'}."
    if isinstance(error, NotADirectoryError):
        return f"{folder} is a file, not a folder; give another name."
    if isinstance(error, PermissionError):
        return f"You may not write in {folder}; give another folder, or change its permissions."
    return "Give another path, or make room on that disk."
