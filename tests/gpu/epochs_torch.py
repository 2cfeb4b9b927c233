#!/usr/bin/env python3
"""Seconds an epoch of the networks of dlcore/examples/device_check.rs in PyTorch, on its card if it has one.

    python epochs_torch.py [samples]

The numbers are random: only time is taken.
"""

import sys
import time

import torch
from torch import nn


class LastStep(nn.Module):
    """An LSTM's output at the last step."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(28, 32, batch_first=True)

    def forward(self, x):
        return self.lstm(x)[0][:, -1]


def networks():
    dense = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 10))
    convnet = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 64), nn.ReLU(), nn.Linear(64, 10),
    )
    lstm = nn.Sequential(LastStep(), nn.Linear(32, 10))
    yield "MNIST, two dense layers", dense, (784,), 128
    yield "MNIST, the convnet of 5.1", convnet, (1, 28, 28), 64
    yield "MNIST by rows, an LSTM", lstm, (28, 28), 128


def epoch(network, optimizer, x, y, batch):
    order = torch.randperm(len(x), device=x.device)
    for start in range(0, len(x), batch):
        chosen = order[start : start + batch]
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x[chosen]), y[chosen]).backward()
        optimizer.step()


def main():
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else 60000
    device = "cuda" if torch.cuda.is_available() else "cpu"
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    for name, network, shape, batch in networks():
        network.to(device)
        x, y = torch.rand(samples, *shape, device=device), torch.randint(10, (samples,), device=device)
        optimizer = torch.optim.RMSprop(network.parameters(), lr=1e-3, alpha=0.9)
        epoch(network, optimizer, x[: 4 * batch], y[: 4 * batch], batch)
        wait()
        started = time.perf_counter()
        epoch(network, optimizer, x, y, batch)
        wait()
        print(f"{name}: {time.perf_counter() - started:.2f} s an epoch of {samples} samples on {device}")


if __name__ == "__main__":
    main()
