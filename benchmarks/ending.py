"""How a benchmark ends."""

import sys
from collections.abc import Callable

from ecgenough.errors import EcgenoughError


def end_with_a_sentence(main: Callable[[], None]) -> None:
    """Run `main`; where the work fails or was asked for wrongly, say so in a sentence and exit with its status."""
    try:
        main()
    except EcgenoughError as error:
        print(error, file=sys.stderr)
        sys.exit(error.status)
