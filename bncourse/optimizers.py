"""Four ways to turn a gradient into an update, each a few lines on one flat vector.

All of them change `theta` in place: θ ← θ − update. Their state is created at the first step.
"""

from __future__ import annotations

from typing import Any
from weakref import ref

import numpy as np

from bncourse import _checks as check
from bncourse.arrays import Floats


class Optimizer:
    """What the optimisers share: a learning rate, checks, and state of the shape of theta.

    Parameters
    ----------
    learning_rate : float
        α, above 0. It may be changed between steps.

    Attributes
    ----------
    steps : int
        Updates made so far.

    Raises
    ------
    ValueError
        If a hyperparameter is outside its interval.
    """

    #: Names of the arrays that are kept from step to step.
    _state: tuple[str, ...] = ()

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = check.number(learning_rate, "learning_rate", low=0.0, open_low=True)
        self.steps = 0
        self._network: ref[Any] | None = None

    def belong_to(self, network: Any) -> None:
        """Bind the optimiser to a network: its averages are of that network's gradients.

        `train` does so. A loop written by hand, which calls `step` only, stays free.

        Parameters
        ----------
        network : Sequential
            With the parameters ``network.theta``.

        Raises
        ------
        ValueError
            If the optimiser belongs to another network, or its state does not fit this one.
        TypeError
            If it is not a network.
        """
        if not hasattr(network, "theta"):
            raise TypeError(f"network: expected a Sequential, got {network!r}")
        if self._network is not None and self._network() is not network:
            raise ValueError(
                f"optimizer: expected the network that this {type(self).__name__} trained "
                "before, got another one: make a new optimizer for it"
            )
        self.check_fit(network.theta, network.dtheta)
        self._network = ref(network)

    def __getstate__(self) -> dict[str, Any]:
        # A copy is for a copy of the network.
        return vars(self) | {"_network": None}

    def step(self, theta: Floats, dtheta: Floats) -> None:
        """Change `theta` in place by one update.

        Parameters
        ----------
        theta : array
            Parameters, usually ``net.theta``.
        dtheta : array
            Gradient of the loss, of the same shape and dtype, usually ``net.dtheta``.

        Raises
        ------
        ValueError
            If the shapes or dtypes differ, or are not those of the step before.
        TypeError
            If one of them is not an array.
        """
        self.check_fit(theta, dtheta)
        if self.steps == 0:
            self._scratch = np.empty_like(theta)
            for name in self._state:
                setattr(self, name, np.zeros_like(theta))
        self.steps += 1
        self._step(theta, dtheta)

    def check_fit(self, theta: Floats, dtheta: Floats) -> None:
        """Raise what `step` would raise, and change nothing."""
        check.float_array(theta, "theta")
        check.float_array(dtheta, "dtheta")
        if theta.shape != dtheta.shape or theta.dtype != dtheta.dtype:
            raise ValueError(
                f"dtheta: expected shape {theta.shape} and dtype {theta.dtype}, as "
                f"theta has, got shape {dtheta.shape} and dtype {dtheta.dtype}"
            )
        if not theta.flags.writeable:
            raise ValueError("theta: expected an array that can be written, got a read-only one")
        if self.steps and (theta.shape, theta.dtype) != (self._scratch.shape, self._scratch.dtype):
            raise ValueError(
                f"theta: expected shape {self._scratch.shape} and dtype {self._scratch.dtype}, "
                "as in the step before with this optimizer, "
                f"got shape {theta.shape} and dtype {theta.dtype}"
            )

    def _step(self, theta: Floats, dtheta: Floats) -> None:
        raise NotImplementedError


class GradientDescent(Optimizer):
    r"""Plain gradient descent.

    .. math:: \theta \leftarrow \theta - \alpha\, d\theta

    Parameters
    ----------
    learning_rate : float
        α, above 0.

    Raises
    ------
    ValueError
        If `learning_rate` is not above 0.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> GradientDescent(0.1).step(theta, np.array([0.5, 4.0]))
    >>> theta
    array([ 0.95, -2.4 ])
    """

    def _step(self, theta: Floats, dtheta: Floats) -> None:
        theta -= np.multiply(dtheta, self.learning_rate, out=self._scratch)


class Momentum(Optimizer):
    r"""Gradient descent along an exponentially weighted average of the gradients.

    .. math:: v \leftarrow d\,v + (1 - d)\,d\theta, \qquad \theta \leftarrow \theta - \alpha v

    Parameters
    ----------
    learning_rate : float
        α, above 0.
    decay : float
        d above: the weight of the old average, in [0, 1). The deeplearning.ai course calls it
        β₁ and uses this form. PyTorch's SGD has it with ``momentum=d, dampening=d``, but for
        its first step, which takes the whole gradient.

    Raises
    ------
    ValueError
        If a hyperparameter is outside its interval.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> Momentum(0.1, decay=0.75).step(theta, np.array([0.5, 4.0]))
    >>> theta
    array([ 0.9875, -2.1   ])
    """

    _state = ("v",)
    v: Floats

    def __init__(self, learning_rate: float, decay: float = 0.9) -> None:
        super().__init__(learning_rate)
        self.decay = check.number(decay, "decay", low=0.0, high=1.0)

    def _step(self, theta: Floats, dtheta: Floats) -> None:
        self.v *= self.decay
        self.v += np.multiply(dtheta, 1.0 - self.decay, out=self._scratch)
        theta -= np.multiply(self.v, self.learning_rate, out=self._scratch)


class RMSprop(Optimizer):
    r"""Divide each gradient by a running average of its magnitude.

    .. math::

        s \leftarrow d\,s + (1 - d)\,d\theta^2, \qquad
        \theta \leftarrow \theta - \alpha \frac{d\theta}{\sqrt{s} + \epsilon}

    Parameters
    ----------
    learning_rate : float
        α, above 0.
    decay : float
        d above: the weight of the old average, in [0, 1).
    epsilon : float
        Added to the root, above 0.

    Raises
    ------
    ValueError
        If a hyperparameter is outside its interval.

    Notes
    -----
    Source: Tieleman and Hinton (2012), lecture 6.5; ε outside the root as in PyTorch.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> RMSprop(0.1, decay=0.75).step(theta, np.array([0.5, 4.0]))
    >>> theta.round(3)
    array([ 0.8, -2.2])
    """

    _state = ("s",)
    s: Floats

    def __init__(self, learning_rate: float, decay: float = 0.9, epsilon: float = 1e-8) -> None:
        super().__init__(learning_rate)
        self.decay = check.number(decay, "decay", low=0.0, high=1.0)
        self.epsilon = check.number(epsilon, "epsilon", low=0.0, open_low=True)

    def _step(self, theta: Floats, dtheta: Floats) -> None:
        scratch = self._scratch
        self.s *= self.decay
        np.square(dtheta, out=scratch)
        scratch *= 1.0 - self.decay
        self.s += scratch
        np.sqrt(self.s, out=scratch)
        scratch += self.epsilon
        np.divide(dtheta, scratch, out=scratch)
        scratch *= self.learning_rate
        theta -= scratch


class Adam(Optimizer):
    r"""Momentum and RMSprop together, both corrected for starting at zero.

    At step t,

    .. math::

        \begin{aligned}
        v &\leftarrow \beta_1 v + (1 - \beta_1)\,d\theta, \\
        s &\leftarrow \beta_2 s + (1 - \beta_2)\,d\theta^2
        \end{aligned}

    .. math::

        \theta \leftarrow \theta - \alpha\,
          \frac{v / (1 - \beta_1^t)}{\sqrt{s / (1 - \beta_2^t)} + \epsilon}

    Parameters
    ----------
    learning_rate : float
        α, above 0.
    beta1, beta2 : float
        Weights of the old averages, in [0, 1).
    epsilon : float
        Added to the root, above 0.

    Raises
    ------
    ValueError
        If a hyperparameter is outside its interval.

    Notes
    -----
    Source: Kingma and Ba (2015), arXiv:1412.6980, algorithm 1.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> Adam(0.1).step(theta, np.array([0.5, 4.0]))
    >>> theta.round(3)
    array([ 0.9, -2.1])
    """

    _state = ("v", "s")
    v: Floats
    s: Floats

    def __init__(
        self,
        learning_rate: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(learning_rate)
        self.beta1 = check.number(beta1, "beta1", low=0.0, high=1.0)
        self.beta2 = check.number(beta2, "beta2", low=0.0, high=1.0)
        self.epsilon = check.number(epsilon, "epsilon", low=0.0, open_low=True)

    def _step(self, theta: Floats, dtheta: Floats) -> None:
        scratch = self._scratch
        self.v *= self.beta1
        self.v += np.multiply(dtheta, 1.0 - self.beta1, out=scratch)
        self.s *= self.beta2
        np.square(dtheta, out=scratch)
        scratch *= 1.0 - self.beta2
        self.s += scratch
        # Both corrections are numbers, so they are applied to numbers instead of vectors:
        # √(s/c₂) + ε = (√s + ε√c₂)/√c₂.
        correction1 = 1.0 - self.beta1**self.steps
        correction2 = (1.0 - self.beta2**self.steps) ** 0.5
        np.sqrt(self.s, out=scratch)
        scratch += self.epsilon * correction2
        np.divide(self.v, scratch, out=scratch)
        scratch *= self.learning_rate * correction2 / correction1
        theta -= scratch
