"""The formulas of the package in exact rational arithmetic, as references for hard inputs.

Every float is a fraction, and +, −, ×, ÷ of fractions are exact. Only roots and exponentials are
not rational; they are computed here to about 90 decimal digits, so that every difference from
these references is an error of the code under test.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, localcontext
from fractions import Fraction
from math import isqrt
from typing import Any

import numpy as np

DIGITS = 90
BITS = 300


def rational(array: Any) -> Any:
    """Return the same numbers as an object array of fractions."""
    array = np.asarray(array)
    exact = np.empty(array.shape, object)
    for index in np.ndindex(array.shape):
        exact[index] = Fraction(float(array[index]))
    return exact


def root(value: Fraction) -> Fraction:
    """Return √value to 300 bits."""
    p, q = value.numerator, value.denominator
    shift = max(0, BITS - (p.bit_length() + q.bit_length()) // 2)
    return Fraction(isqrt((p * q) << (2 * shift)), q << shift)


def roots(values: Any) -> Any:
    return np.array([root(v) for v in values], object)


def exponential(value: Fraction) -> Fraction:
    """Return e to the power of a value up to 0, to 90 digits."""
    with localcontext() as context:
        context.prec = DIGITS
        # Below e^-20000 nothing is left of it beside 1, in any of our formats.
        if value < -20_000:
            return Fraction(0)
        return Fraction((Decimal(value.numerator) / Decimal(value.denominator)).exp())


def logarithm(value: Fraction) -> Fraction:
    """Return ln value to 90 digits."""
    with localcontext() as context:
        context.prec = DIGITS
        return Fraction((Decimal(value.numerator) / Decimal(value.denominator)).ln())


def batch_norm(z: Any, gamma: Any, beta: Any, epsilon: float) -> dict[str, Any]:
    """Return z_norm, z_tilde, mu, var and the standard deviation √(var + ε)."""
    z, gamma, beta = rational(z), rational(gamma), rational(beta)
    m = len(z)
    mu = z.sum(axis=0) / m
    centred = z - mu
    var = (centred * centred).sum(axis=0) / m
    sd = roots(var + Fraction(epsilon))
    # A constant unit without ε has no normalised values; None marks it.
    z_norm = centred / np.array([s or None for s in sd], object) if all(sd) else None
    z_tilde = None if z_norm is None else gamma * z_norm + beta
    return {"z_norm": z_norm, "z_tilde": z_tilde, "mu": mu, "var": var, "sd": sd}


def batch_norm_gradient(dz_tilde: Any, z: Any, gamma: Any, epsilon: float) -> dict[str, Any]:
    """Return dz, dgamma and dbeta by the chain rule through μ and σ², step by step.

    Not the simplified formula of the package: the two agree only if the algebra is right.
    """
    forward = batch_norm(z, gamma, np.zeros(len(gamma)), epsilon)
    dz_tilde, gamma, z = rational(dz_tilde), rational(gamma), rational(z)
    m, sd, z_norm = len(z), forward["sd"], forward["z_norm"]
    centred = z - forward["mu"]
    dz_norm = dz_tilde * gamma
    dvar = (dz_norm * centred).sum(axis=0) * Fraction(-1, 2) / (sd * sd * sd)
    dcentred = dz_norm / sd + 2 * centred * dvar / m
    return {
        "dz": dcentred - dcentred.sum(axis=0) / m,
        "dgamma": (dz_tilde * z_norm).sum(axis=0),
        "dbeta": dz_tilde.sum(axis=0),
    }


def cross_entropy(z: Any, y: Iterable[int]) -> tuple[Fraction, Any]:
    """Return the loss and its gradient with respect to the logits."""
    z, labels = rational(z), list(y)
    m = len(z)
    loss, gradient = Fraction(0), np.empty(z.shape, object)
    for i, label in enumerate(labels):
        largest = max(z[i])
        powers = [exponential(v - largest) for v in z[i]]
        total = sum(powers, Fraction(0))
        loss += (logarithm(total) - (z[i, label] - largest)) / m
        for k, power in enumerate(powers):
            gradient[i, k] = (power / total - (k == label)) / m
    return loss, gradient


def difference(ours: Any, exact: Any) -> Any:
    """Return |ours − exact| as floats, subtracted exactly."""
    return np.abs(rational(ours) - exact).astype(float)
