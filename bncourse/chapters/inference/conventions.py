"""What the frameworks call the pieces of batch norm, and what they take for granted.

Of PyTorch, Keras 3, ``flax.linen`` (not ``flax.nnx``) and ONNX's operator set 15, in the versions
of ``tests/conformance/requirements.txt``. Every entry is tested against what these said and
computed; Flax with ``use_fast_variance=False``, which is not its default.
"""

from __future__ import annotations

from dataclasses import dataclass

from bncourse.normalization import BatchNorm


@dataclass(frozen=True)
class Convention:
    """One framework's batch norm.

    Attributes
    ----------
    framework, layer : str
        Which.
    argument : str
        Name of the running statistics' hyperparameter.
    default : float
        Its default value.
    weighs : {"old", "new"}
        The value that it multiplies.
    epsilon : float
        Default of ε.
    running_variance : {"biased", "unbiased"}
        What goes into the running variance.
    initial : tuple of float, or None
        Running mean and variance at the start; None if the caller supplies them.
    axis : int
        Axis of the features in the default layout.
    version : str
        Of the package that was asked, its first two numbers; empty for this one.
    """

    framework: str
    layer: str
    argument: str
    default: float
    weighs: str
    epsilon: float
    running_variance: str
    initial: tuple[float, float] | None
    axis: int
    version: str = ""

    @property
    def decay(self) -> float:
        """The default as this book's decay: the weight of the old value."""
        return self.default if self.weighs == "old" else round(1.0 - self.default, 12)

    def batch_norm(self, n: int) -> BatchNorm:
        """Return our layer, set up as the framework's is by default.

        Parameters
        ----------
        n : int
            Units.

        Returns
        -------
        BatchNorm
        """
        return BatchNorm(
            n,
            epsilon=self.epsilon,
            decay=self.decay,
            unbiased=self.running_variance == "unbiased",
        )

    def row(self) -> list[str]:
        """Return its row in the table of conventions, as words."""
        start = "given" if self.initial is None else f"{self.initial[0]:g}, {self.initial[1]:g}"
        return [
            f"{self.framework} {self.version}".strip(),
            f"{self.argument} = {self.default:g}",
            self.weighs,
            f"{self.decay:g}",
            f"{self.epsilon:.5f}".rstrip("0"),
            self.running_variance,
            start,
            f"{self.axis}".replace("-", "−"),
        ]


CONVENTIONS = (
    Convention(
        "PyTorch",
        "torch.nn.BatchNorm1d",
        "momentum",
        0.1,
        "new",
        1e-5,
        "unbiased",
        (0.0, 1.0),
        1,
        "2.13",
    ),
    Convention(
        "Keras",
        "keras.layers.BatchNormalization",
        "momentum",
        0.99,
        "old",
        1e-3,
        "biased",
        (0.0, 1.0),
        -1,
        "3.15",
    ),
    Convention(
        "Flax",
        "flax.linen.BatchNorm",
        "momentum",
        0.99,
        "old",
        1e-5,
        "biased",
        (0.0, 1.0),
        -1,
        "0.12",
    ),
    Convention(
        "ONNX",
        "BatchNormalization, opset 15",
        "momentum",
        0.9,
        "old",
        1e-5,
        "biased",
        None,
        1,
        "1.23",
    ),
    Convention("bncourse", "BatchNorm", "decay", 0.9, "old", 1e-5, "unbiased", (0.0, 1.0), 1),
)
