"""`python -m ecgenough` is the command `ecgenough`."""

from ecgenough.cli import main

main()
