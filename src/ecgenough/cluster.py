"""A Ray cluster: joined where an address is given, else started on this machine."""

from typing import Any

from ecgenough.errors import WrongRequest
from ecgenough.extras import needed


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
        ray().init(address=address, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise WrongRequest(f"no Ray cluster answers at {address}: {reason}") from None
