#!/usr/bin/env python3
"""Write Vectors.swift: HMAC signatures as Python's hmac and hashlib make them.

Run it with any Python 3.10 or later; it needs nothing else and its output does not change:
    python3 Tests/CSignTests/generate_vectors.py
"""

import hashlib
import hmac
import random
from pathlib import Path

DIGESTS = [
    "md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha512_256", "sha3_224", "sha3_256",
    "sha3_384", "sha3_512", "blake2b", "blake2s",
]  # fmt: skip
# Around every block size in use (64, 72, 104, 128, 136, 144 bytes), and the key ipcontroller makes.
KEY_SIZES = [1, 36, 63, 64, 65, 72, 73, 104, 105, 127, 128, 129, 136, 137, 144, 145, 300]


def digest(name: str):
    if name == "sha512_256":  # not an attribute of hashlib, but OpenSSL has it
        return lambda data=b"": hashlib.new("sha512_256", data)
    return getattr(hashlib, name)


def pattern(size: int, start: int) -> bytes:
    """Bytes that the Swift test makes again from size and start."""
    return bytes((start + i * 7 + (i >> 8)) & 0xFF for i in range(size))


def vectors(name: str, rng: random.Random):
    """Yield (key size, part sizes, signature in hex)."""
    for key_size in KEY_SIZES:
        sizes = [rng.choice([0, 2, 17, 64, 230, 5000]) for _ in range(4)]
        message = b"".join(pattern(size, i + 1) for i, size in enumerate(sizes))
        yield key_size, sizes, hmac.new(pattern(key_size, 0), message, digest(name)).hexdigest()


def main() -> None:
    rng = random.Random(2011)
    lines = [
        "// Written by generate_vectors.py from Python's hmac and hashlib: do not edit.",
        "",
        "/// scheme, key size, sizes of four parts, signature.",
        "let signatureVectors = [",
    ]
    for name in DIGESTS:
        for key_size, sizes, signature in vectors(name, rng):
            parts = " ".join(map(str, sizes))
            lines.append(f'  "hmac-{name} {key_size} {parts} {signature}",')
    lines += ["]", ""]
    Path(__file__).with_name("Vectors.swift").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
