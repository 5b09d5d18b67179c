"""Where the right and the wrong functions of the tests are kept, by call."""

from __future__ import annotations

from collections import defaultdict

RIGHT = defaultdict(list)
WRONG = defaultdict(list)


def right(call):
    """Keep a function that `check.<call>` must accept."""

    def keep(f):
        RIGHT[call].append(f)
        return f

    return keep


def wrong(call, *names):
    """Keep a function that `check.<call>` must give one of these names."""

    def keep(f):
        WRONG[call].append((names, f))
        return f

    return keep
