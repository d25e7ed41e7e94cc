"""Running the service: one process that ends well when it is told to."""

import socket
from types import FrameType

import uvicorn

from ecgenough.errors import EcgenoughError
from ecgenough.model import Model
from ecgenough.serving.answering import Service
from ecgenough.serving.limits import Limits
from ecgenough.serving.service import build_app

GRACE = 30  # seconds for requests in work when the process is told to end


class Server(uvicorn.Server):
    """A server that refuses new requests once it is told to end, and finishes those in work."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self.service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.force_exit = self.should_exit  # told twice: at once
        self.should_exit = self.service.state.draining = True


def serve(
    model: Model, name: str, weights_sha256: str, host: str, port: int, limits: Limits, token: str | None
) -> None:
    """Answer requests until told to end. Raises EcgenoughError where the address cannot be had."""
    try:
        address = socket.create_server((host, port), backlog=1024)
    except OSError as error:
        raise EcgenoughError(
            f"{host}:{port} cannot be listened on: {error.strerror or error}. Name another --host or --port."
        ) from None
    door, service = build_app(model, name, limits, token, weights_sha256)
    config = uvicorn.Config(
        door, log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE, server_header=False, lifespan="on"
    )
    with address:
        Server(config, service).run(sockets=[address])
