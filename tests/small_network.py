"""A small network for images of 8 × 8 pixels, named by import path in tests."""

import torch

from activelab.images import ImageClassifier


def network(n_classes):
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(8 * 36, n_classes),
    )


def classifier():
    return ImageClassifier(network, epochs=6, batch_size=32, lr=0.01, flip=False)
