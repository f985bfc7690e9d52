"""AES-128 of whole segments (RFC 8216, 4.3.2.4). Other methods cannot be undone without a licence: they blind us."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from worker.ingest.hls.fetch import Fetched
from worker.ingest.hls.playlist import Key

MAX_KEYS = 16


def undecodable(key: Key | None) -> str | None:
    """Why media under `key` cannot be decoded, or None when it can."""
    if key is None or (key.method == "AES-128" and key.format == "identity" and key.url):
        return None
    words = key.method if key.format == "identity" else f"{key.method} ({key.format})"
    return f"encrypted: {words}"


class KeyRing:
    """The last keys, so that each is asked for once; tokens in their addresses do not matter."""

    def __init__(self, ask: Callable[[str], Fetched]) -> None:
        self._ask = ask
        self._keys: OrderedDict[str, bytes] = OrderedDict()

    def key(self, url: str) -> tuple[bytes | None, Fetched | None]:
        """(the 16 bytes, or None when they cannot be had; the request that was made, if one was)."""
        if url in self._keys:
            self._keys.move_to_end(url)
            return self._keys[url], None
        answer = self._ask(url)
        if answer.cause is not None or len(answer.body) != 16:
            return None, answer
        self._keys[url] = answer.body
        if len(self._keys) > MAX_KEYS:
            self._keys.popitem(last=False)
        return answer.body, answer

    def forget(self, url: str) -> None:
        """The key did not fit: ask again next time."""
        self._keys.pop(url, None)


def decrypt(data: bytes, secret: bytes, iv: bytes | None, sequence: int) -> bytes | None:
    """The plain segment, or None when it does not decrypt: the wrong key, or it is cut off.

    Without an explicit `iv` it is the media sequence number as 16 bytes, big-endian.
    """
    if not data or len(data) % 16:
        return None
    cipher = Cipher(algorithms.AES(secret), modes.CBC(iv or sequence.to_bytes(16, "big")))
    opener = cipher.decryptor()
    padded = opener.update(data) + opener.finalize()
    unpadder = padding.PKCS7(128).unpadder()
    try:
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        return None
