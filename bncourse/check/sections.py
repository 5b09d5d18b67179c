"""Where in the book a mistake is explained: labels, and the page of each."""

from __future__ import annotations

#: The core page of each label's key.
PAGES = {
    "motivation": "01-motivation",
    "algorithm": "02-algorithm",
    "bias": "03-beta-replaces-b",
    "minibatches": "04-mini-batches",
    "intuition": "05-intuition",
    "inference": "06-test-time",
}

#: The sections that a deeper page has.
DEEPER = {
    "sec-algorithm-backward": "02-1-backward",
    "sec-algorithm-float32": "02-3-float32",
    "sec-bias-rate": "03-1-scale",
    "sec-inference-fold": "06-2-fold",
}

#: What each section is on.
TOPICS = {
    "sec-motivation-standardize": "on putting the inputs on one scale",
    "sec-algorithm-statistics": "on the mean and the variance of a batch",
    "sec-algorithm-epsilon": "on ε",
    "sec-algorithm-axis": "on what the mean is taken over",
    "sec-algorithm-scale": "on γ and β",
    "sec-algorithm-backward": "on the way back",
    "sec-algorithm-float32": "on arithmetic in float32",
    "sec-bias-subtract": "on subtracting the mean",
    "sec-bias-rate": "on the length of w and the rate",
    "sec-minibatches-deal": "on dealing the examples",
    "sec-minibatches-loop": "on the training loop",
    "sec-minibatches-loss": "on the loss and its gradient",
    "sec-intuition-shake": "on shaking the activations",
    "sec-inference-average": "on the moving average",
    "sec-inference-variance": "on the variance of many batches",
    "sec-inference-evaluate": "on predicting with stored statistics",
    "sec-inference-fold": "on folding batch norm into the weights",
}

#: What each piece is about, for what has no section of its own.
OF_PIECE = {
    "standardize": "sec-motivation-standardize",
    "batch_norm": "sec-algorithm-statistics",
    "batch_norm_backward": "sec-algorithm-backward",
    "layer_norm": "sec-algorithm-axis",
    "running_statistics": "sec-inference-average",
    "evaluate": "sec-inference-evaluate",
    "moving_average": "sec-inference-average",
    "total_statistics": "sec-inference-variance",
    "fold": "sec-inference-fold",
    "mini_batches": "sec-minibatches-deal",
    "training_step": "sec-minibatches-loop",
    "effective_rate": "sec-bias-rate",
    "cross_entropy": "sec-minibatches-loss",
    "training_loop": "sec-minibatches-loop",
    "SubtractMean": "sec-bias-subtract",
    "Shake": "sec-intuition-shake",
}


def page(label: str) -> str:
    """Return the page that a section is on, without its ending."""
    return DEEPER.get(label) or PAGES[label.split("-")[1]]


def reading(label: str) -> str:
    """Return where to read, in words."""
    chapter, below = page(label).split("-")[:2]
    place = f"Page {int(chapter)}.{below}" if below.isdigit() else f"Chapter {int(chapter)}"
    return f"{place}, {TOPICS[label]}."
