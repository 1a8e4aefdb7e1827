"""What looks like a password, a token or a key: guyverd needs none, so none belongs in its config.

Pure. What is found is never shown: whoever reads the message may not be who wrote the secret.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence

Key = tuple[str, ...]

_WORDS = frozenset(
    (
        *("password", "passwd", "passphrase", "passcode", "passwort", "pwd", "secret", "secrets", "token", "tokens"),
        *("credential", "credentials", "apikey", "apitoken", "auth", "authorization", "bearer", "cookie", "privatekey"),
    )
)
_PAIRS = frozenset((("api", "key"), ("access", "key"), ("private", "key"), ("auth", "key")))
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_IN_ADDRESS = re.compile(r"://[^/\s?#@:]*:[^/\s?#@]+@")
"""As in scheme://user:password@host; a user alone is no secret."""


def secret_in(mapping: Mapping[object, object]) -> tuple[Key, str] | None:
    """Where a secret stands in what YAML gave, and what it looks like; None where there is none.

    Every list and mapping is looked at once: references can make a small text mean an endless tree.
    """
    seen: set[int] = set()
    waiting: list[tuple[Key, object]] = [((), mapping)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, str):
            if _IN_ADDRESS.search(value):
                return key, "an address with a password in it"
        elif id(value) in seen:
            continue
        elif isinstance(value, Mapping):
            seen.add(id(value))
            for name, inner in value.items():
                here = (*key, name) if isinstance(name, str) else key
                if inner not in (None, "", False) and isinstance(name, str) and is_secret(name):
                    return here, "a secret, by its name"
                waiting.append((here, inner))
        elif isinstance(value, Sequence) and not isinstance(value, bytes):
            seen.add(id(value))
            waiting += [(key, item) for item in value]
    return None


def is_secret(name: str) -> bool:
    """Whether a key of that name holds a secret: `password`, `apiToken`, `nas_api_key` and the like."""
    parts = [part.lower() for part in _PART.findall(name)]
    return not _WORDS.isdisjoint(parts) or not _PAIRS.isdisjoint(itertools.pairwise(parts))
