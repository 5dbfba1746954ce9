"""Names of histories: each is new, also after a restart and beside other processes."""

import itertools
import secrets


class Epochs:
    """Makes epochs of this process."""

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(3)
        self._numbers = itertools.count(1)

    def new(self) -> str:
        """One that was never told."""
        return f"{self._prefix}-{next(self._numbers)}"
