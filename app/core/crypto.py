"""Secrets: sealed at rest by AES-GCM, tokens stored as digests, keys derived one per purpose."""

import hashlib
import hmac
import secrets
import zlib
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12


@lru_cache(maxsize=32)
def derived(secret: bytes, purpose: str) -> bytes:
    """A 32-byte key for one purpose (HKDF-SHA256 of the installation's secret)."""
    return HKDF(SHA256(), 32, salt=None, info=purpose.encode()).derive(secret)


def seal(secret: bytes, plain: bytes, context: str) -> bytes:
    """`plain` encrypted; `context` (whose it is, what it is) must be the same to open it."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(derived(secret, "seal")).encrypt(nonce, plain, context.encode())


def unseal(secret: bytes, sealed: bytes, context: str) -> bytes:
    """What `seal` was given; `cryptography.exceptions.InvalidTag` for another secret or context."""
    nonce, body = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    return AESGCM(derived(secret, "seal")).decrypt(nonce, body, context.encode())


def digest(token: str) -> bytes:
    """How a random token is stored. It carries 128 bits and more, so that no slow hash is needed."""
    return hashlib.sha256(token.encode()).digest()


def same(left: bytes, right: bytes) -> bool:
    """Equality in constant time."""
    return hmac.compare_digest(left, right)


def checksum(text: str) -> int:
    """CRC-32: tells a mistyped key from an unknown one without a look-up."""
    return zlib.crc32(text.encode())
