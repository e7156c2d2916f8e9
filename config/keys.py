"""Keyed randomness: every draw is a function of what it is for, never of when it is made.

A key is a tuple of names and integers, such as ``(seed, "shuffle", group, layer)``. The same key gives the
same draw in any process, batch, shard or order of calls.
"""

import hashlib

import numpy as np

Key = str | int


def digest(*key: Key) -> int:
    """Return an unsigned 64-bit integer that identifies ``key``.

    The parts are joined with their types and lengths, so ``("a", "bc")`` and ``("ab", "c")``, or ``1`` and
    ``"1"``, differ.
    """
    joined = b"".join(
        f"{type(part).__name__}:{len(text)}:{text}|".encode() for part, text in ((part, str(part)) for part in key)
    )
    return int.from_bytes(hashlib.blake2b(joined, digest_size=8).digest(), "little")


def keyed_generator(*key: Key) -> np.random.Generator:
    """Return a counter-based NumPy generator (Philox 4x64) keyed by ``key``."""
    return np.random.Generator(np.random.Philox(key=digest(*key)))
