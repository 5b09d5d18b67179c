"""The loss: softmax and cross-entropy, together, because their gradient is simpler together."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from bncourse import _checks as check
from bncourse.arrays import Floats, Integers


class Loss(Protocol):
    """What training asks of a loss: its value and its gradient with respect to the output."""

    def __call__(self, z: Floats, y: Integers) -> tuple[float, Floats]:
        """Return ``(loss, dz)``."""
        ...


class SoftmaxCrossEntropy:
    r"""Mean cross-entropy of the softmax of the logits.

    With :math:`\hat y_k = e^{z_k} / \sum_j e^{z_j}` for each example,

    .. math::

        \begin{aligned}
        J &= -\frac{1}{m}\sum_i \ln \hat y^{(i)}_{y^{(i)}}, \\
        \frac{\partial J}{\partial z^{(i)}_k}
          &= \frac{1}{m}\left(\hat y^{(i)}_k - [k = y^{(i)}]\right)
        \end{aligned}

    The loss is in nats: guessing evenly among K classes costs ln K.

    Examples
    --------
    >>> loss, dz = SoftmaxCrossEntropy()(np.zeros((1, 2)), np.array([1]))
    >>> round(loss, 4), dz
    (0.6931, array([[ 0.5, -0.5]]))
    """

    def __call__(self, z: Floats, y: Integers) -> tuple[float, Floats]:
        """Compute the loss and its gradient.

        Parameters
        ----------
        z : array, shape (m, k)
            Logits, one example per row.
        y : array of int, shape (m,)
            Labels from 0 to k − 1.

        Returns
        -------
        loss : float
            J, in nats.
        dz : array, shape (m, k), of the dtype of `z`
            ∂J/∂z.

        Raises
        ------
        ValueError
            If a shape, a dtype or a label is not as above.
        TypeError
            If one of them is not an array.
        """
        z = check.batch(z, None, "z")
        m = len(z)
        y = check.labels(y, m, z.shape[1])
        rows = np.arange(m)
        # Softmax does not change when a constant is taken from all logits of an example, and
        # with the largest one at 0 no exponential overflows.
        shifted = z - z.max(axis=1, keepdims=True)
        correct = shifted[rows, y]
        dz = np.exp(shifted, out=shifted)
        total = dz.sum(axis=1, keepdims=True)
        loss = float((np.log(total[:, 0]) - correct).sum() / m)
        dz /= total
        dz[rows, y] -= 1
        dz /= m
        return loss, dz
