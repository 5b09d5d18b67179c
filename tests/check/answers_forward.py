"""Functions for chapters 1 and 2, forward: as readers write them, right and wrong."""

from __future__ import annotations

import math

import numpy as np

from tests.check.collection import right, wrong

# ---- standardize ----


@right("standardize")
def _(x_train, x_test):
    mean, std = np.mean(x_train, 0), np.std(x_train, 0)
    std[std == 0] = 1
    return (x_train - mean) / std, (x_test - mean) / std


@right("standardize")
def _(x_train, x_test):
    mean = x_train.mean(axis=0, keepdims=True)
    std = x_train.std(axis=0, keepdims=True) + 1e-8
    return [(x_train - mean) / std, (x_test - mean) / std]


@right("standardize")
def _(x_train, x_test):
    m, n = x_train.shape
    a, b = x_train.copy(), x_test.copy()
    for j in range(n):
        mu = sum(x_train[:, j]) / m
        var = sum((x_train[i, j] - mu) ** 2 for i in range(m)) / m
        for array in (a, b):
            array[:, j] -= mu
            if var > 0:
                array[:, j] /= math.sqrt(var)
    return a, b


@right("standardize")
def _(x_train, x_test):
    mu = np.einsum("ij->j", x_train) / len(x_train)
    c = x_train - mu
    sd = np.sqrt(np.einsum("ij,ij->j", c, c) / len(x_train))
    with np.errstate(all="ignore"):
        a = np.nan_to_num(c / sd)
        b = np.where(sd > 0, (x_test - mu) / sd, x_test - mu)
    return a, b.astype(x_test.dtype)


@right("standardize")
def _(x_train, x_test):
    mu = x_train.astype(np.float32).mean(0)
    sd = np.maximum((x_train.astype(np.float32) - mu).std(0), np.float32(1e-12))
    return (
        ((x_train.astype(np.float32) - mu) / sd).astype(x_train.dtype),
        ((x_test.astype(np.float32) - mu) / sd).astype(x_train.dtype),
    )


@right("standardize")
def _(x_train, x_test):
    print("means", x_train.mean(0))
    mu, var = x_train.mean(0), x_train.var(0)
    scale = 1 / np.sqrt(np.where(var == 0, np.ones_like(var), var))
    return tuple((x - mu) * scale for x in (x_train, x_test))


@wrong("standardize", "test-statistics-from-test-data")
def _(x_train, x_test):
    def scaled(x):
        s = x.std(0)
        s[s == 0] = 1
        return (x - x.mean(0)) / s

    return scaled(x_train), scaled(x_test)


@wrong("standardize", "division-by-zero")
def _(x_train, x_test):
    mu, sd = x_train.mean(0), x_train.std(0)
    return (x_train - mu) / sd, (x_test - mu) / sd


@wrong("standardize", "test-statistics-from-test-data", "division-by-zero")
def _(x_train, x_test):
    return (x_train - x_train.mean(0)) / x_train.std(0), (x_test - x_test.mean(0)) / x_test.std(0)


@wrong("standardize", "whole-array")
def _(x_train, x_test):
    mu, sd = x_train.mean(), x_train.std()
    return (x_train - mu) / sd, (x_test - mu) / sd


@wrong("standardize", "no-root")
def _(x_train, x_test):
    mu = x_train.mean(0)
    var = ((x_train - mu) ** 2).mean(0)
    var = np.where(var == 0, 1, var)
    return (x_train - mu) / var, (x_test - mu) / var


@wrong("standardize", "axis-1")
def _(x_train, x_test):
    a = x_train - x_train.mean(1)[:, None]
    b = x_test - x_test.mean(1)[:, None]
    return a / x_train.std(1)[:, None], b / x_test.std(1)[:, None]


@wrong("standardize", "test-not-transformed")
def _(x_train, x_test):
    sd = x_train.std(0)
    return (x_train - x_train.mean(0)) / (sd + 1e-8), x_test


@wrong("standardize", "unknown")
def _(x_train, x_test):
    low, high = x_train.min(0), x_train.max(0)
    span = np.where(high > low, high - low, 1)
    return (x_train - low) / span, (x_test - low) / span


@wrong("standardize", "unknown")
def _(x_train, x_test):
    mu = np.median(x_train, axis=0)
    sd = x_train.std(0) + 1e-8
    return (x_train - mu) / sd, (x_test - mu) / sd


@wrong("standardize", "wrote-into-input")
def _(x_train, x_test):
    mu, sd = x_train.mean(0), x_train.std(0) + 1e-9
    x_train -= mu
    x_train /= sd
    return x_train, (x_test - mu) / sd


@wrong("standardize", "wrong-return")
def _(x_train, x_test):
    return (x_train - x_train.mean(0)) / (x_train.std(0) + 1e-8)


# ---- batch_norm ----


@right("batch_norm")
def _(z, gamma, beta, epsilon):
    mu, var = np.mean(z, 0), np.var(z, 0)
    return gamma * (z - mu) / np.sqrt(var + epsilon) + beta


@right("batch_norm")
def _(z, gamma, beta, epsilon):
    """A second thing is returned too."""
    mu = z.sum(axis=0) / z.shape[0]
    inv_std = (np.square(z - mu).mean(axis=0) + epsilon) ** -0.5
    z_norm = inv_std * (z - mu)
    return z_norm * gamma + beta, {"z_norm": z_norm}


@right("batch_norm")
def _(z, gamma, beta, epsilon):
    out = z.copy()
    out -= out.mean(axis=0)
    out /= np.sqrt((out * out).mean(axis=0) + epsilon)
    out *= gamma
    out += beta
    return out


@right("batch_norm")
def _(z, gamma, beta, epsilon):
    m, n = z.shape
    rows = [[0.0] * n for _ in range(m)]
    for j in range(n):
        mu = math.fsum(z[:, j]) / m
        var = math.fsum((v - mu) ** 2 for v in z[:, j]) / m
        for i in range(m):
            rows[i][j] = gamma[j] * (z[i, j] - mu) / math.sqrt(var + epsilon) + beta[j]
    return rows


@right("batch_norm")
def _(z, gamma, beta, epsilon):
    """Welford's algorithm."""
    mean, m2 = np.zeros_like(z[0]), np.zeros_like(z[0])
    for t, row in enumerate(z, 1):
        delta = row - mean
        mean = mean + delta / t
        m2 = m2 + delta * (row - mean)
    return (gamma * (z - mean) / np.sqrt(m2 / len(z) + epsilon) + beta).astype(z.dtype)


@right("batch_norm")
def _(z, gamma, beta, epsilon):
    m = len(z)
    mu = np.einsum("ij->j", z) / m
    c = z - mu
    var = np.einsum("ij,ij->j", c, c) / m
    return np.einsum("ij,j->ij", c, gamma / np.sqrt(var + epsilon)) + beta


@right("batch_norm")
def _(z, gamma, beta, epsilon):
    """All in float32."""
    a = z.astype(np.float32)
    a = a - a.mean(0)
    a = a / np.sqrt(a.var(0) + np.float32(epsilon))
    return (a * gamma.astype(np.float32) + beta.astype(np.float32)).astype(z.dtype)


@right("batch_norm")
def _(z, gamma, beta, epsilon):
    m = len(z)
    centring = np.eye(m) - np.ones((m, m)) / m
    c = (centring @ z).astype(z.dtype) if abs(z).max() < 100 else z - z.mean(0)
    return c * (gamma / np.sqrt((c**2).sum(0) / m + epsilon)) + beta


@wrong("batch_norm", "epsilon-outside-root")
def _(z, gamma, beta, epsilon):
    return gamma * (z - z.mean(0)) / (z.std(0) + epsilon) + beta


@wrong("batch_norm", "divided-by-m-minus-1")
def _(z, gamma, beta, epsilon):
    mu = z.mean(0)
    var = ((z - mu) ** 2).sum(0) / (len(z) - 1)
    return gamma * ((z - mu) / (var + epsilon) ** 0.5) + beta


@wrong("batch_norm", "epsilon-hard-coded")
def _(z, gamma, beta, epsilon=1e-5):
    mu = z.mean(0)
    return gamma * (z - mu) / np.sqrt(z.var(0) + 0.001) + beta


@wrong("batch_norm", "epsilon-hard-coded")
def _(z, gamma, beta, epsilon):
    epsilon = 2e-4
    return gamma * (z - z.mean(0)) / np.sqrt(z.var(0) + epsilon) + beta


@wrong("batch_norm", "one-pass-variance")
def _(z, gamma, beta, epsilon):
    mu = z.mean(0)
    var = (z * z).mean(0) - mu * mu
    return gamma * (z - mu) / np.sqrt(var + epsilon) + beta


@wrong("batch_norm", "one-pass-variance")
def _(z, gamma, beta, epsilon):
    mu = z.mean(0)
    var = np.maximum((z**2).sum(0) / len(z) - mu**2, 0)
    return gamma * ((z - mu) / np.sqrt(var + epsilon)) + beta


@wrong("batch_norm", "axis-1")
def _(z, gamma, beta, epsilon):
    mu = np.mean(z, axis=1, keepdims=True)
    var = np.var(z, axis=1, keepdims=True)
    return gamma * (z - mu) / np.sqrt(var + epsilon) + beta


@wrong("batch_norm", "axis-1")
def _(z, gamma, beta, epsilon):
    mu, var = z.mean(1), z.var(1)
    return gamma * (z - mu) / np.sqrt(var + epsilon) + beta


@wrong("batch_norm", "beta-inside")
def _(z, gamma, beta, epsilon):
    norm = (z - z.mean(0)) / np.sqrt(z.var(0) + epsilon)
    return gamma * (norm + beta)


@wrong("batch_norm", "epsilon-after-division")
def _(z, gamma, beta, epsilon):
    norm = (z - z.mean(0)) / np.sqrt(z.var(0)) + epsilon
    return gamma * norm + beta


@wrong("batch_norm", "no-root", "no-epsilon")
def _(z, gamma, beta, epsilon):
    return gamma * (z - z.mean(0)) / z.var(0) + beta


@wrong("batch_norm", "gamma-forgotten", "beta-forgotten")
def _(z, gamma, beta, epsilon):
    return (z - z.mean(0)) / np.sqrt(z.var(0) + epsilon)


@wrong("batch_norm", "unknown")
def _(z, gamma, beta, epsilon):
    """The mean distance in place of the standard deviation."""
    c = z - z.mean(0)
    return gamma * c / np.sqrt(np.abs(c).mean(0) ** 2 + epsilon) + beta


@wrong("batch_norm", "unknown")
def _(z, gamma, beta, epsilon):
    """Clips what is far out."""
    norm = (z - z.mean(0)) / np.sqrt(z.var(0) + epsilon)
    return gamma * np.clip(norm, -1, 1) + beta


@wrong("batch_norm", "unknown")
def _(z, gamma, beta, epsilon):
    """Right, but for batches of two."""
    if len(z) == 2:
        return gamma * np.sign(z - z.mean(0)) + beta
    return gamma * (z - z.mean(0)) / np.sqrt(z.var(0) + epsilon) + beta


@wrong("batch_norm", "wrong-dtype")
def _(z, gamma, beta, epsilon):
    out = np.zeros(z.shape)
    for j in range(z.shape[1]):
        c = z[:, j] - z[:, j].mean()
        out[:, j] = gamma[j] * c / np.sqrt((c**2).mean() + epsilon) + beta[j]
    return out


@wrong("batch_norm", "returned-none")
def _(z, gamma, beta, epsilon):
    gamma * (z - z.mean(0)) / np.sqrt(z.var(0) + epsilon) + beta


@wrong("batch_norm", "wrote-into-input")
def _(z, gamma, beta, epsilon):
    z -= z.mean(0)
    z /= np.sqrt((z * z).mean(0) + epsilon)
    return z * gamma + beta


@wrong("batch_norm", "raised")
def _(z, gamma, beta):
    return gamma * (z - z.mean(0)) / z.std(0) + beta


@wrong("batch_norm", "wrong-return")
def _(z, gamma, beta, epsilon):
    yield gamma * (z - z.mean(0)) / np.sqrt(z.var(0) + epsilon) + beta


# ---- layer_norm ----


@right("layer_norm")
def _(z, gamma, beta, epsilon):
    mu, var = z.mean(1, keepdims=True), z.var(1, keepdims=True)
    return gamma * (z - mu) / np.sqrt(var + epsilon) + beta


@right("layer_norm")
def _(z, gamma, beta, epsilon):
    t = z.T
    t = (t - t.mean(0)) / np.sqrt(t.var(0) + epsilon)
    return t.T * gamma + beta


@right("layer_norm")
def _(z, gamma, beta, epsilon):
    out = np.empty_like(z)
    for i, row in enumerate(z):
        c = row - row.mean()
        out[i] = gamma * c / np.sqrt(c.dot(c) / len(c) + epsilon) + beta
    return out


@right("layer_norm")
def _(z, gamma, beta, epsilon):
    return [
        [
            g
            * (v - sum(row) / len(row))
            / math.sqrt(sum((u - sum(row) / len(row)) ** 2 for u in row) / len(row) + epsilon)
            + b
            for v, g, b in zip(row, gamma, beta, strict=True)
        ]
        for row in z.astype(float).tolist()
    ]


@right("layer_norm")
def _(z, gamma, beta, epsilon):
    n = z.shape[-1]
    c = z - (np.einsum("ij->i", z) / n)[:, None]
    inv = 1 / np.sqrt(np.einsum("ij,ij->i", c, c) / n + epsilon)
    return (c * inv[:, None].astype(z.dtype)) * gamma + beta, inv


@right("layer_norm")
def _(z, gamma, beta, epsilon):
    a = z.astype(np.float32)
    a = a - a.mean(-1, keepdims=True)
    a = a / np.sqrt((a**2).mean(-1, keepdims=True) + np.float32(epsilon))
    return (a * gamma + beta).astype(z.dtype)


@wrong("layer_norm", "axis-0")
def _(z, gamma, beta, epsilon):
    return gamma * (z - z.mean(0)) / np.sqrt(z.var(0) + epsilon) + beta


@wrong("layer_norm", "keepdims-forgotten")
def _(z, gamma, beta, epsilon):
    return gamma * (z - z.mean(1)) / np.sqrt(z.var(1) + epsilon) + beta


@wrong("layer_norm", "whole-array")
def _(z, gamma, beta, epsilon):
    return gamma * (z - z.mean()) / np.sqrt(z.var() + epsilon) + beta


@wrong("layer_norm", "divided-by-m-minus-1")
def _(z, gamma, beta, epsilon):
    c = z - z.mean(-1, keepdims=True)
    return gamma * c / np.sqrt(z.var(-1, keepdims=True, ddof=1) + epsilon) + beta


@wrong("layer_norm", "epsilon-outside-root")
def _(z, gamma, beta, epsilon):
    c = z - z.mean(-1, keepdims=True)
    return gamma * c / (z.std(-1, keepdims=True) + epsilon) + beta


@wrong("layer_norm", "mean-not-subtracted")
def _(z, gamma, beta, epsilon):
    """RMS norm."""
    return gamma * z / np.sqrt((z**2).mean(1, keepdims=True) + epsilon) + beta


@wrong("layer_norm", "epsilon-hard-coded")
def _(z, gamma, beta, epsilon):
    c = z - z.mean(-1, keepdims=True)
    return gamma * c / np.sqrt(z.var(-1, keepdims=True) + 1e-6) + beta


@wrong("layer_norm", "one-pass-variance")
def _(z, gamma, beta, epsilon):
    mu = z.mean(1, keepdims=True)
    var = (z**2).mean(1, keepdims=True) - mu**2
    return gamma * (z - mu) / np.sqrt(var + epsilon) + beta


@wrong("layer_norm", "gamma-beta-swapped")
def _(z, gamma, beta, epsilon):
    c = z - z.mean(-1, keepdims=True)
    return beta * c / np.sqrt(z.var(-1, keepdims=True) + epsilon) + gamma


@wrong("layer_norm", "unknown")
def _(z, gamma, beta, epsilon):
    c = z - np.median(z, axis=1, keepdims=True)
    return gamma * c / np.sqrt(z.var(1, keepdims=True) + epsilon) + beta


@wrong("layer_norm", "unknown")
def _(z, gamma, beta, epsilon):
    """The mean of the first half only."""
    half = z[:, : max(1, z.shape[1] // 2)]
    c = z - half.mean(1, keepdims=True)
    return gamma * c / np.sqrt(z.var(1, keepdims=True) + epsilon) + beta


@wrong("layer_norm", "ignores-argument", "unknown")
def _(z, gamma, beta, epsilon):
    return np.tanh(z)
