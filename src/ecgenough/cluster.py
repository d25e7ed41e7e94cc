"""A Ray cluster: joined where an address is given, else started on this machine."""

import socket
from typing import Any

from ecgenough.errors import WrongRequest
from ecgenough.extras import needed

ANSWERS_WITHIN = 10.0  # seconds; Ray itself goes on trying for many minutes


def ray() -> Any:
    """The library. Raises WrongRequest where it is not installed."""
    return needed("ray", "cluster", "--on ray")


def connect(address: str | None, cpus: int | None) -> None:
    """Join the cluster at `address`, or start one of `cpus` processors here; nothing where this process is in one.

    Raises WrongRequest where no cluster answers there.
    """
    quiet = {"log_to_driver": False, "logging_level": "warning"}
    if ray().is_initialized():
        return
    if address is None:
        ray().init(address="local", num_cpus=cpus, include_dashboard=False, **quiet)
        return
    try:
        _knock(address)
        ray().init(address=address, **quiet)
    except (OSError, OverflowError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise WrongRequest(
            f"no Ray cluster answers at {address}: {reason}. Leave --address out to have one started here."
        ) from None


def _knock(address: str) -> None:
    """Raise OSError where the host does not answer at the port; other addresses, such as "auto", are left to Ray."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWERS_WITHIN).close()
