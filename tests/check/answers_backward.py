"""Functions for the backward pass, the effective rate and the loss, right and wrong."""

from __future__ import annotations

import math

import numpy as np

from tests.check.collection import right, wrong

# ---- batch_norm_backward ----


@right("batch_norm_backward")
def _(dz_tilde, z, gamma, epsilon):
    """Node by node, as in the original paper."""
    m = len(z)
    mu, var = z.mean(0), z.var(0)
    inv = 1 / np.sqrt(var + epsilon)
    dz_norm = dz_tilde * gamma
    dvar = (dz_norm * (z - mu)).sum(0) * -0.5 * inv**3
    dmu = (-dz_norm * inv).sum(0) + dvar * (-2 * (z - mu)).mean(0)
    dz = dz_norm * inv + dvar * 2 * (z - mu) / m + dmu / m
    return dz, (dz_tilde * (z - mu) * inv).sum(0), dz_tilde.sum(0)


@right("batch_norm_backward")
def _(dz_tilde, z, gamma, epsilon):
    m = z.shape[0]
    std = np.sqrt(z.var(0) + epsilon)
    z_norm = (z - z.mean(0)) / std
    dgamma, dbeta = np.sum(dz_tilde * z_norm, 0), np.sum(dz_tilde, 0)
    dz = gamma / (m * std) * (m * dz_tilde - dbeta - z_norm * dgamma)
    return dz, dgamma, dbeta


@right("batch_norm_backward")
def _(dz_tilde, z, gamma, epsilon):
    c = z - z.mean(0)
    var = np.einsum("ij,ij->j", c, c) / len(z)
    z_norm = c * (var + epsilon) ** -0.5
    dgamma = np.einsum("ij,ij->j", dz_tilde, z_norm)
    dbeta = np.einsum("ij->j", dz_tilde)
    dz = dz_tilde - dbeta / len(z)
    dz -= z_norm * (dgamma / len(z))
    dz *= gamma
    dz *= (var + epsilon) ** -0.5
    return [dz, dgamma, dbeta]


@right("batch_norm_backward")
def _(dz_tilde, z, gamma, epsilon):
    """By the whole matrix of derivatives, unit for unit."""
    m, n = z.shape
    dz, dgamma, dbeta = np.empty_like(z), np.empty_like(gamma), np.empty_like(gamma)
    for j in range(n):
        c = z[:, j] - z[:, j].mean()
        s = math.sqrt((c**2).mean() + epsilon)
        x = c / s
        jacobian = (np.eye(m) - 1 / m - np.outer(x, x) / m) / s
        dz[:, j] = gamma[j] * jacobian @ dz_tilde[:, j]
        dgamma[j], dbeta[j] = x @ dz_tilde[:, j], dz_tilde[:, j].sum()
    return dz, dgamma, dbeta


@right("batch_norm_backward")
def _(dz_tilde, z, gamma, epsilon):
    def back(d, x, g):
        n = len(x)
        mean = sum(x) / n
        s = math.sqrt(sum((v - mean) ** 2 for v in x) / n + epsilon)
        x = [(v - mean) / s for v in x]
        a, b = sum(d), sum(p * q for p, q in zip(d, x, strict=True))
        return [g / s * (p - a / n - q * b / n) for p, q in zip(d, x, strict=True)], b, a

    columns = [
        back(d, x, g)
        for d, x, g in zip(
            dz_tilde.astype(float).T.tolist(), z.astype(float).T.tolist(), gamma, strict=True
        )
    ]
    dz = [list(row) for row in zip(*(column[0] for column in columns), strict=True)]
    return dz, [column[1] for column in columns], [column[2] for column in columns]


@right("batch_norm_backward")
def _(dz_tilde, z, gamma, epsilon):
    d, a, g = (x.astype(np.float32) for x in (dz_tilde, z, gamma))
    a = a - a.mean(0)
    s = np.sqrt((a * a).mean(0) + np.float32(epsilon))
    a = a / s
    dgamma, dbeta = (d * a).sum(0), d.sum(0)
    dz = g / s * (d - d.mean(0) - a * (d * a).mean(0))
    return tuple(x.astype(z.dtype) for x in (dz, dgamma, dbeta))


def _normalised(z, epsilon):
    std = np.sqrt(z.var(0) + epsilon)
    return (z - z.mean(0)) / std, std


@wrong("batch_norm_backward", "gradient-stopped-at-both")
def _(dz_tilde, z, gamma, epsilon):
    x, std = _normalised(z, epsilon)
    return dz_tilde * gamma / std, (dz_tilde * x).sum(0), dz_tilde.sum(0)


@wrong("batch_norm_backward", "gradient-stopped-at-variance")
def _(dz_tilde, z, gamma, epsilon):
    x, std = _normalised(z, epsilon)
    dx = dz_tilde * gamma
    return (dx - dx.mean(0)) / std, (dz_tilde * x).sum(0), dz_tilde.sum(0)


@wrong("batch_norm_backward", "gradient-stopped-at-mean")
def _(dz_tilde, z, gamma, epsilon):
    m = len(z)
    x, std = _normalised(z, epsilon)
    dvar = (dz_tilde * gamma * (z - z.mean(0))).sum(0) * -0.5 / std**3
    dz = dz_tilde * gamma / std + dvar * 2 * (z - z.mean(0)) / m
    return dz, (dz_tilde * x).sum(0), dz_tilde.sum(0)


@wrong("batch_norm_backward", "gradient-mean-instead-of-sum")
def _(dz_tilde, z, gamma, epsilon):
    x, std = _normalised(z, epsilon)
    dgamma, dbeta = (dz_tilde * x).mean(0), dz_tilde.mean(0)
    return gamma / std * (dz_tilde - dbeta - x * dgamma), dgamma, dbeta


@wrong("batch_norm_backward", "gradient-sum-instead-of-mean")
def _(dz_tilde, z, gamma, epsilon):
    x, std = _normalised(z, epsilon)
    dgamma, dbeta = (dz_tilde * x).sum(0), dz_tilde.sum(0)
    return gamma / std * (dz_tilde - dbeta - x * dgamma), dgamma, dbeta


@wrong("batch_norm_backward", "gamma-forgotten")
def _(dz_tilde, z, gamma, epsilon):
    m = len(z)
    x, std = _normalised(z, epsilon)
    dgamma, dbeta = (dz_tilde * x).sum(0), dz_tilde.sum(0)
    return (dz_tilde - dbeta / m - x * dgamma / m) / std, dgamma, dbeta


@wrong("batch_norm_backward", "outputs-swapped")
def _(dz_tilde, z, gamma, epsilon):
    m = len(z)
    x, std = _normalised(z, epsilon)
    dgamma, dbeta = (dz_tilde * x).sum(0), dz_tilde.sum(0)
    return gamma / std * (dz_tilde - dbeta / m - x * dgamma / m), dbeta, dgamma


@wrong("batch_norm_backward", "sign-turned")
def _(dz_tilde, z, gamma, epsilon):
    m = len(z)
    x, std = _normalised(z, epsilon)
    dgamma, dbeta = (dz_tilde * x).sum(0), dz_tilde.sum(0)
    return gamma / std * (dz_tilde - dbeta / m + x * dgamma / m), dgamma, dbeta


@wrong("batch_norm_backward", "wrong-shape")
def _(dz_tilde, z, gamma, epsilon):
    m = len(z)
    x, std = _normalised(z, epsilon)
    dgamma = (dz_tilde * x).sum(0, keepdims=True)
    dbeta = dz_tilde.sum(0, keepdims=True)
    return gamma / std * (dz_tilde - dbeta / m - x * dgamma / m), dgamma, dbeta


@wrong("batch_norm_backward", "unknown")
def _(dz_tilde, z, gamma, epsilon):
    """Half of the path through the variance (the 2 of the square is missing)."""
    m = len(z)
    x, std = _normalised(z, epsilon)
    dgamma, dbeta = (dz_tilde * x).sum(0), dz_tilde.sum(0)
    return gamma / std * (dz_tilde - dbeta / m - 0.5 * x * dgamma / m), dgamma, dbeta


@wrong("batch_norm_backward", "unknown")
def _(dz_tilde, z, gamma, epsilon):
    """Divides the path through the mean by m − 1."""
    m = len(z)
    x, std = _normalised(z, epsilon)
    dgamma, dbeta = (dz_tilde * x).sum(0), dz_tilde.sum(0)
    return gamma / std * (dz_tilde - dbeta / (m - 1) - x * dgamma / m), dgamma, dbeta


# ---- effective_rate ----


@right("effective_rate")
def _(w, learning_rate):
    return learning_rate / np.linalg.norm(w, axis=1) ** 2


@right("effective_rate")
def _(w, learning_rate):
    return np.array([learning_rate / (row @ row) for row in w])


@right("effective_rate")
def _(w, learning_rate):
    return learning_rate / np.einsum("ij,ij->i", w, w)


@right("effective_rate")
def _(w, learning_rate):
    return [learning_rate / sum(float(v) ** 2 for v in row) for row in w]


@right("effective_rate")
def _(w, learning_rate):
    a = w.astype(np.float32)
    return (learning_rate * (a * a).sum(1) ** -1).astype(w.dtype)


@right("effective_rate")
def _(w, learning_rate):
    copy = w.copy()
    copy *= copy
    return learning_rate / copy.sum(axis=-1)


@right("effective_rate")
def _(w, learning_rate):
    return learning_rate / np.diag(w @ w.T)


@wrong("effective_rate", "rate-divided-by-length")
def _(w, learning_rate):
    return learning_rate / np.sqrt((w**2).sum(1))


@wrong("effective_rate", "whole-array")
def _(w, learning_rate):
    return learning_rate / (w * w).sum()


@wrong("effective_rate", "whole-array")
def _(w, learning_rate):
    return learning_rate / np.linalg.norm(w) ** 2 * np.ones(w.shape[0], w.dtype)


@wrong("effective_rate", "rows-and-columns-swapped")
def _(w, learning_rate):
    return learning_rate / (w**2).sum(axis=0)


@wrong("effective_rate", "wrong-shape")
def _(w, learning_rate):
    return learning_rate / (w**2).sum(axis=1, keepdims=True)


@wrong("effective_rate", "mean-instead-of-sum")
def _(w, learning_rate):
    return learning_rate / np.square(w).mean(1)


@wrong("effective_rate", "ignores-argument")
def _(w, learning_rate):
    return 0.1 / np.square(w).sum(1)


@wrong("effective_rate", "summed-before-squaring")
def _(w, learning_rate):
    return learning_rate / w.sum(1) ** 2


@wrong("effective_rate", "unknown")
def _(w, learning_rate):
    """No rate is above 1."""
    return np.minimum(learning_rate / (w**2).sum(1), 1)


@wrong("effective_rate", "unknown")
def _(w, learning_rate):
    return learning_rate / np.abs(w).sum(1)


@wrong("effective_rate", "unknown")
def _(w, learning_rate):
    return learning_rate**2 / (w**2).sum(1)


# ---- cross_entropy ----


def _log_softmax(logits):
    shifted = logits - logits.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


@right("cross_entropy")
def _(logits, labels):
    m = len(labels)
    log_p = _log_softmax(logits)
    one_hot = np.zeros_like(logits)
    one_hot[np.arange(m), labels] = 1
    return -(one_hot * log_p).sum() / m, (np.exp(log_p) - one_hot) / m


@right("cross_entropy")
def _(logits, labels):
    m, k = logits.shape
    loss, d = 0.0, np.zeros_like(logits)
    for i in range(m):
        top = max(logits[i])
        e = [math.exp(v - top) for v in logits[i]]
        loss += (math.log(sum(e)) + top - logits[i, labels[i]]) / m
        for j in range(k):
            d[i, j] = (e[j] / sum(e) - (j == labels[i])) / m
    return loss, d


@right("cross_entropy")
def _(logits, labels):
    total = np.logaddexp.reduce(logits, axis=1)
    p = np.exp(logits - total[:, None])
    p[range(len(p)), labels] -= 1
    return float((total - logits[range(len(p)), labels]).mean()), p / logits.dtype.type(len(p))


@right("cross_entropy")
def _(logits, labels):
    a = logits.astype(np.float32)
    log_p = _log_softmax(a)
    d = np.exp(log_p) - np.eye(a.shape[1], dtype=np.float32)[labels]
    loss = -np.take_along_axis(log_p, labels[:, None], 1).mean()
    return loss, (d / len(a)).astype(logits.dtype)


@right("cross_entropy")
def _(logits, labels):
    """A shift that is the same for all examples would not do; this one is each example's own."""
    shift = np.max(logits, axis=1)[:, np.newaxis]
    e = np.exp(logits - shift)
    z = np.einsum("ij->i", e)
    rows = np.arange(len(labels))
    loss = np.sum(np.log(z) + shift[:, 0] - logits[rows, labels]) / len(labels)
    d = e / z[:, None]
    d[rows, labels] -= 1
    d /= len(labels)
    return [loss, d]


@right("cross_entropy")
def _(logits, labels):
    log_p = [row - row.max() - np.log(np.exp(row - row.max()).sum()) for row in logits]
    loss = -np.mean([row[label] for row, label in zip(log_p, labels, strict=True)])
    d = np.exp(np.array(log_p))
    for row, label in zip(d, labels, strict=True):
        row[label] -= 1
    return np.array(loss), d / len(d)


@wrong("cross_entropy", "overflow")
def _(logits, labels):
    m = len(labels)
    e = np.exp(logits)
    p = e / e.sum(1, keepdims=True)
    loss = -np.log(p[np.arange(m), labels]).mean()
    d = p.copy()
    d[np.arange(m), labels] -= 1
    return loss, d / m


@wrong("cross_entropy", "log-of-zero")
def _(logits, labels):
    m = len(labels)
    e = np.exp(logits - logits.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    y = np.eye(logits.shape[1], dtype=logits.dtype)[labels]
    return -(y * np.log(p)).sum() / m, (p - y) / m


@wrong("cross_entropy", "log-clipped")
def _(logits, labels):
    m = len(labels)
    e = np.exp(logits - logits.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    y = np.eye(logits.shape[1], dtype=logits.dtype)[labels]
    return -np.log(np.clip(p[np.arange(m), labels], 1e-9, 1)).mean(), (p - y) / m


@wrong("cross_entropy", "log-clipped")
def _(logits, labels):
    m = len(labels)
    e = np.exp(logits - logits.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    y = np.eye(logits.shape[1], dtype=logits.dtype)[labels]
    return -(y * np.log(p + 1e-10)).sum() / m, (p - y) / m


@wrong("cross_entropy", "gradient-sum-instead-of-mean")
def _(logits, labels):
    log_p = _log_softmax(logits)
    d = np.exp(log_p)
    d[np.arange(len(d)), labels] -= 1
    return -log_p[np.arange(len(d)), labels].mean(), d


@wrong("cross_entropy", "axis-0")
def _(logits, labels):
    m = len(labels)
    shifted = logits - logits.max(0)
    log_p = shifted - np.log(np.exp(shifted).sum(0))
    d = np.exp(log_p)
    d[np.arange(m), labels] -= 1
    return -log_p[np.arange(m), labels].mean(), d / m


@wrong("cross_entropy", "divided-by-all-logits")
def _(logits, labels):
    log_p = _log_softmax(logits)
    y = np.eye(logits.shape[1], dtype=logits.dtype)[labels]
    return -(y * log_p).mean(), (np.exp(log_p) - y) / len(y)


@wrong("cross_entropy", "labels-not-subtracted")
def _(logits, labels):
    log_p = _log_softmax(logits)
    m = len(labels)
    return -log_p[np.arange(m), labels].mean(), np.exp(log_p) / m


@wrong("cross_entropy", "wrong-return")
def _(logits, labels):
    return -_log_softmax(logits)[np.arange(len(labels)), labels].mean()


@wrong("cross_entropy", "unknown")
def _(logits, labels):
    """The squared error of the softmax."""
    p = np.exp(_log_softmax(logits))
    d = p - np.eye(logits.shape[1], dtype=logits.dtype)[labels]
    return (d**2).sum(1).mean(), 2 * d / len(d)


@wrong("cross_entropy", "unknown")
def _(logits, labels):
    """Smoothed labels."""
    log_p = _log_softmax(logits)
    k = logits.shape[1]
    y = 0.9 * np.eye(k, dtype=logits.dtype)[labels] + logits.dtype.type(0.1 / k)
    return -(y * log_p).sum() / len(y), (np.exp(log_p) - y) / len(y)
