"""A rival's side of the turns: asked by a line, it answers by a line of JSON. Needs nothing but the rival's own environment."""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

LEADS, SAMPLES, BATCH = 12, 1000, 64  # ten seconds at 100 Hz
MARK = "answer: "  # before each, for what a rival prints is none


def answer(works: Mapping[str, Callable[[], Any]]) -> None:
    """Do each work that is asked for by its name and answer with what it returns, until nothing more is asked."""
    for line in sys.stdin:
        print(MARK + json.dumps(works[line.strip()]()), flush=True)


def size(network: nn.Module) -> dict[str, int]:
    """Parameters of a network, and the operations of a forward pass over one ECG."""
    network.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, LEADS, SAMPLES))
    network.train()
    return {
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "operations": int(counter.get_total_flops()),
    }
