"""The command `ecgenough`, also as `python -m ecgenough`."""

import os

# Threads that wait for work sleep: spinning ones slow two trainings on one machine many times over. PyTorch's OpenMP
# reads this once, as it loads, so it stands before everything else.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from ecgenough.cli import main

if __name__ == "__main__":
    main()
