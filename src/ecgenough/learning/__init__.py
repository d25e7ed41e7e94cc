"""Learning: losses, rates, which parameters move, and the one training loop."""
