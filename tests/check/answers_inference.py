"""Functions for chapter 6, right and wrong."""

from __future__ import annotations

import math

import numpy as np

from tests.check.collection import right, wrong

# ---- running_statistics ----


@right("running_statistics")
def _(running_mean, running_var, z, decay):
    m = len(z)
    mean = decay * running_mean + (1 - decay) * z.mean(0)
    var = decay * running_var + (1 - decay) * z.var(0) * m / (m - 1)
    return mean, var


@right("running_statistics")
def _(running_mean, running_var, z, decay):
    mu = z.mean(0)
    running_mean = running_mean + (1 - decay) * (mu - running_mean)
    unbiased = ((z - mu) ** 2).sum(0) / (len(z) - 1)
    running_var = running_var + (1 - decay) * (unbiased - running_var)
    return running_mean, running_var


@right("running_statistics")
def _(running_mean, running_var, z, decay):
    a, b = running_mean.copy(), running_var.copy()
    a *= decay
    a += (1 - decay) * z.mean(axis=0)
    b *= decay
    b += (1 - decay) * np.var(z, axis=0, ddof=1)
    return [a, b]


@right("running_statistics")
def _(running_mean, running_var, z, decay):
    means, variances = [], []
    for j in range(z.shape[1]):
        column = [float(v) for v in z[:, j]]
        mu = math.fsum(column) / len(column)
        var = math.fsum((v - mu) ** 2 for v in column) / (len(column) - 1)
        means.append(decay * running_mean[j] + (1 - decay) * mu)
        variances.append(decay * running_var[j] + (1 - decay) * var)
    return means, variances


@right("running_statistics")
def _(running_mean, running_var, z, decay):
    m = len(z)
    mu = np.einsum("ij->j", z) / m
    c = z - mu
    d = np.array(decay, z.dtype)
    return d * running_mean + (1 - d) * mu, d * running_var + (1 - d) * np.einsum(
        "ij,ij->j", c, c
    ) / (m - 1)


@right("running_statistics")
def _(running_mean, running_var, z, decay):
    c = np.atleast_2d(np.cov(z, rowvar=False)).diagonal().astype(z.dtype)
    return decay * running_mean + (1 - decay) * z.mean(0), decay * running_var + (1 - decay) * c


@wrong("running_statistics", "decay-swapped")
def _(running_mean, running_var, z, decay):
    return (
        (1 - decay) * running_mean + decay * z.mean(0),
        (1 - decay) * running_var + decay * z.var(0, ddof=1),
    )


@wrong("running_statistics", "biased-running-variance")
def _(running_mean, running_var, z, decay):
    return (
        decay * running_mean + (1 - decay) * z.mean(0),
        decay * running_var + (1 - decay) * z.var(0),
    )


@wrong("running_statistics", "running-standard-deviation")
def _(running_mean, running_var, z, decay):
    return (
        decay * running_mean + (1 - decay) * z.mean(0),
        decay * running_var + (1 - decay) * z.std(0),
    )


@wrong("running_statistics", "decay-swapped", "biased-running-variance")
def _(running_mean, running_var, z, decay):
    return (
        running_mean + decay * (z.mean(0) - running_mean),
        running_var + decay * (z.var(0) - running_var),
    )


@wrong("running_statistics", "axis-1")
def _(running_mean, running_var, z, decay):
    return (
        decay * running_mean + (1 - decay) * z.mean(1),
        decay * running_var + (1 - decay) * z.var(1, ddof=1),
    )


@wrong("running_statistics", "ignores-argument")
def _(running_mean, running_var, z, decay):
    return 0.9 * running_mean + 0.1 * z.mean(0), 0.9 * running_var + 0.1 * z.var(0, ddof=1)


@wrong("running_statistics", "old-value-forgotten", "new-value-not-weighted")
def _(running_mean, running_var, z, decay):
    return z.mean(0), z.var(0, ddof=1)


@wrong("running_statistics", "wrote-into-input")
def _(running_mean, running_var, z, decay):
    running_mean *= decay
    running_mean += (1 - decay) * z.mean(0)
    running_var *= decay
    running_var += (1 - decay) * z.var(0, ddof=1)
    return running_mean, running_var


@wrong("running_statistics", "returned-none")
def _(running_mean, running_var, z, decay):
    running_mean[...] = decay * running_mean + (1 - decay) * z.mean(0)
    running_var[...] = decay * running_var + (1 - decay) * z.var(0, ddof=1)


@wrong("running_statistics", "one-pass-variance")
def _(running_mean, running_var, z, decay):
    m = len(z)
    mu = z.mean(0)
    var = ((z**2).sum(0) - m * mu**2) / (m - 1)
    return decay * running_mean + (1 - decay) * mu, decay * running_var + (1 - decay) * var


@wrong("running_statistics", "unknown")
def _(running_mean, running_var, z, decay):
    """The median of the batch."""
    return decay * running_mean + (1 - decay) * np.median(z, axis=0), (
        decay * running_var + (1 - decay) * z.var(0, ddof=1)
    )


@wrong("running_statistics", "variance-around-running-mean")
def _(running_mean, running_var, z, decay):
    """Squares around the running mean."""
    mean = decay * running_mean + (1 - decay) * z.mean(0)
    var = decay * running_var + (1 - decay) * ((z - mean) ** 2).sum(0) / (len(z) - 1)
    return mean, var


@wrong("running_statistics", "unknown")
def _(running_mean, running_var, z, decay):
    """The square of the decay."""
    d = decay**2
    return d * running_mean + (1 - d) * z.mean(0), d * running_var + (1 - d) * z.var(0, ddof=1)


# ---- moving_average ----


@right("moving_average")
def _(values, decay):
    v, out = 0.0, []
    for t, x in enumerate(values):
        v = decay * v + (1 - decay) * x
        out.append(v / (1 - decay ** (t + 1)))
    return out


@right("moving_average")
def _(values, decay):
    """As a mean with weights."""
    out = np.empty(len(values))
    for t in range(len(values)):
        weights = decay ** np.arange(t, -1, -1)
        out[t] = np.average(values[: t + 1], weights=weights)
    return out


@right("moving_average")
def _(values, decay):
    v = weight = 0.0
    out = []
    for x in values:
        v, weight = decay * v + (1 - decay) * x, decay * weight + (1 - decay)
        out.append(float(v / weight))
    return tuple(out)


@right("moving_average")
def _(values, decay):
    mean, out = 0.0, np.zeros_like(values)
    for i, x in enumerate(values):
        rate = (1 - decay) / (1 - decay ** (i + 1))
        mean += rate * (x - mean)
        out[i] = mean
    return out


@right("moving_average")
def _(values, decay):
    t = np.arange(len(values))
    powers = np.tril(decay ** np.abs(t[:, None] - t[None, :]))
    return np.einsum("ij,j->i", powers, values) / powers.sum(1)


@right("moving_average")
def _(values, decay):
    out = np.zeros(len(values) + 1, dtype=np.float32)
    for i in range(len(values)):
        out[i + 1] = decay * out[i] + (1 - decay) * values[i]
    return out[1:] / (1 - decay ** np.arange(1, len(values) + 1))


@wrong("moving_average", "decay-swapped")
def _(values, decay):
    v, out = 0, []
    for t, x in enumerate(values, 1):
        v = (1 - decay) * v + decay * x
        out.append(v / (1 - (1 - decay) ** t))
    return out


@wrong("moving_average", "no-bias-correction")
def _(values, decay):
    v, out = 0, []
    for x in values:
        v = decay * v + (1 - decay) * x
        out.append(v)
    return np.array(out)


@wrong("moving_average", "bias-correction-off-by-one")
def _(values, decay):
    v, out = 0, []
    for t, x in enumerate(values):
        v = decay * v + (1 - decay) * x
        out.append(v / (1 - decay**t))
    return np.array(out)


@wrong("moving_average", "corrected-value-kept")
def _(values, decay):
    v, out = 0, []
    for t, x in enumerate(values):
        v = decay * v + (1 - decay) * x
        v /= 1 - decay ** (t + 1)
        out.append(v)
    return np.array(out)


@wrong("moving_average", "starts-at-first-value")
def _(values, decay):
    v = values[0]
    out = [v]
    for x in values[1:]:
        v = decay * v + (1 - decay) * x
        out.append(v)
    return np.array(out)


@wrong("moving_average", "ignores-argument")
def _(values, decay):
    return np.cumsum(values) / np.arange(1, len(values) + 1)


@wrong("moving_average", "wrong-shape")
def _(values, decay):
    v = 0
    for x in values:
        v = decay * v + (1 - decay) * x
    return v / (1 - decay ** len(values))


@wrong("moving_average", "decay-swapped", "no-bias-correction")
def _(values, decay):
    v, out = 0, []
    for x in values:
        v = v + decay * (x - v)
        out.append(v)
    return out


@wrong("moving_average", "wrong-shape")
def _(values, decay):
    out = [0.0]
    for x in values:
        out.append(decay * out[-1] + (1 - decay) * x)
    return out


@wrong("moving_average", "unknown")
def _(values, decay):
    """Corrects twice."""
    v, out = 0, []
    for t, x in enumerate(values, 1):
        v = decay * v + (1 - decay) * x
        out.append(v / (1 - decay**t) ** 2)
    return out


@wrong("moving_average", "unknown")
def _(values, decay):
    """A window."""
    k = round(1 / (1 - decay))
    return [values[max(0, t - k + 1) : t + 1].mean() * decay / decay for t in range(len(values))]


# ---- total_statistics ----


@right("total_statistics")
def _(means, variances, sizes):
    n = sizes.sum()
    mean = (sizes[:, None] * means).sum(0) / n
    second = (sizes[:, None] * (variances + means**2)).sum(0) / n
    return mean, second - mean**2


@right("total_statistics")
def _(means, variances, sizes):
    mean = np.average(means, axis=0, weights=sizes)
    return mean, np.average(variances + (means - mean) ** 2, axis=0, weights=sizes)


@right("total_statistics")
def _(means, variances, sizes):
    """Merges one batch after the other."""
    mean, m2, n = means[0] * 1.0, variances[0] * sizes[0], sizes[0]
    for mu, var, k in zip(means[1:], variances[1:], sizes[1:], strict=True):
        delta = mu - mean
        mean = mean + delta * k / (n + k)
        m2 = m2 + var * k + delta**2 * n * k / (n + k)
        n += k
    return mean, m2 / n


@right("total_statistics")
def _(means, variances, sizes):
    out = []
    total = float(sum(sizes))
    for j in range(means.shape[1]):
        mean = sum(s * v for s, v in zip(sizes, means[:, j], strict=True)) / total
        var = 0.0
        for i, s in enumerate(sizes):
            var += s * (variances[i, j] + (means[i, j] - mean) ** 2) / total
        out.append((mean, var))
    return [mean for mean, _ in out], [var for _, var in out]


@right("total_statistics")
def _(means, variances, sizes):
    p = sizes / sizes.sum()
    mean = np.einsum("i,ij->j", p, means)
    c = means - mean
    return mean, np.einsum("i,ij->j", p, variances) + np.einsum("i,ij,ij->j", p, c, c)


@right("total_statistics")
def _(means, variances, sizes):
    """By examples that have these statistics, two of each batch's spread repeated."""
    p = (sizes / sizes.sum()).astype(np.float32)[:, None]
    both = np.concatenate([means - np.sqrt(variances), means + np.sqrt(variances)])
    p = np.concatenate([p, p]) / 2
    mean = (p * both).sum(0)
    return mean, (p * (both - mean) ** 2).sum(0)


@wrong("total_statistics", "between-batch-variance-forgotten")
def _(means, variances, sizes):
    return np.average(means, 0, sizes), np.average(variances, 0, sizes)


@wrong("total_statistics", "unweighted-batches", "between-batch-variance-forgotten")
def _(means, variances, sizes):
    return means.mean(0), variances.mean(0)


@wrong("total_statistics", "unweighted-batches")
def _(means, variances, sizes):
    return means.mean(0), variances.mean(0) + means.var(0)


@wrong("total_statistics", "running-standard-deviation")
def _(means, variances, sizes):
    mean = np.average(means, 0, sizes)
    return mean, np.sqrt(np.average(variances + (means - mean) ** 2, 0, sizes))


@wrong("total_statistics", "unweighted-batches")
def _(means, variances, sizes):
    mean = np.average(means, 0, sizes)
    return mean, np.average(variances, 0, sizes) + means.var(0)


@wrong("total_statistics", "raised")
def _(means, variances, sizes):
    mean = (sizes * means).sum() / sizes.sum()
    return mean, (sizes * (variances + (means - mean) ** 2)).sum() / sizes.sum()


@wrong("total_statistics", "divided-by-m-minus-1")
def _(means, variances, sizes):
    n = sizes.sum()
    mean = np.average(means, 0, sizes)
    return mean, (sizes @ variances + sizes @ (means - mean) ** 2) / (n - 1)


@wrong("total_statistics", "wrong-shape")
def _(means, variances, sizes):
    mean = np.average(means, 0, sizes)
    return mean, variances + (means - mean) ** 2


@wrong("total_statistics", "weights-do-not-add-up")
def _(means, variances, sizes):
    mean = sizes @ means
    return mean, sizes @ variances + sizes @ (means - mean) ** 2


@wrong("total_statistics", "ignores-argument")
def _(means, variances, sizes):
    """The median batch."""
    return np.median(means, axis=0), np.median(variances, axis=0)


@wrong("total_statistics", "unknown")
def _(means, variances, sizes):
    """The between part twice."""
    mean = np.average(means, 0, sizes)
    return mean, np.average(variances + 2 * (means - mean) ** 2, 0, sizes)


@wrong("total_statistics", "unknown")
def _(means, variances, sizes):
    """The between part around the unweighted mean."""
    mean = np.average(means, 0, sizes)
    return mean, np.average(variances + (means - means.mean(0)) ** 2, 0, sizes)


# ---- evaluate ----


@right("evaluate")
def _(z, gamma, beta, mean, var, epsilon):
    return gamma * (z - mean) * (var + epsilon) ** -0.5 + beta


@right("evaluate")
def _(z, gamma, beta, mean, var, epsilon):
    scale = gamma / np.sqrt(var + epsilon)
    return z * scale + (beta - mean * scale)


@right("evaluate")
def _(z, gamma, beta, mean, var, epsilon):
    out = np.empty_like(z)
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            out[i, j] = gamma[j] * (z[i, j] - mean[j]) / math.sqrt(var[j] + epsilon) + beta[j]
    return out


@right("evaluate")
def _(z, gamma, beta, mean, var, epsilon):
    return np.stack([(row - mean) / np.sqrt(var + epsilon) * gamma + beta for row in z])


@right("evaluate")
def _(z, gamma, beta, mean, var, epsilon):
    a = z.astype(np.float32) - mean.astype(np.float32)
    a /= np.sqrt(var.astype(np.float32) + np.float32(epsilon))
    return (a * gamma + beta).astype(z.dtype), a


@right("evaluate")
def _(z, gamma, beta, mean, var, epsilon):
    return (np.einsum("ij,j->ij", z - mean, gamma / np.sqrt(epsilon + var)) + beta).tolist()


@wrong("evaluate", "batch-statistics-at-test")
def _(z, gamma, beta, mean, var, epsilon):
    return gamma * (z - z.mean(0)) / np.sqrt(z.var(0) + epsilon) + beta


@wrong("evaluate", "batch-statistics-at-test")
def _(z, gamma, beta, mean, var, epsilon):
    return gamma * (z - z.mean(0)) / np.sqrt(var + epsilon) + beta


@wrong("evaluate", "no-root")
def _(z, gamma, beta, mean, var, epsilon):
    return gamma * (z - mean) / (var + epsilon) + beta


@wrong("evaluate", "no-epsilon")
def _(z, gamma, beta, mean, var, epsilon):
    return gamma * ((z - mean) / var**0.5) + beta


@wrong("evaluate", "no-epsilon", "no-root")
def _(z, gamma, beta, mean, var, epsilon):
    return gamma * ((z - mean) / var) + beta


@wrong("evaluate", "gamma-beta-swapped")
def _(z, gamma, beta, mean, var, epsilon):
    return beta * (z - mean) / np.sqrt(var + epsilon) + gamma


@wrong("evaluate", "epsilon-hard-coded")
def _(z, gamma, beta, mean, var, epsilon):
    return gamma * (z - mean) / np.sqrt(var + 1e-7) + beta


@wrong("evaluate", "mean-not-subtracted")
def _(z, gamma, beta, mean, var, epsilon):
    return gamma * z / np.sqrt(var + epsilon) + beta


@wrong("evaluate", "raised")
def _(z, gamma, beta, mean, var, epsilon):
    return gamma * (z - mean) / math.sqrt(var + epsilon) + beta


@wrong("evaluate", "unknown")
def _(z, gamma, beta, mean, var, epsilon):
    """Mixes the batch's mean with the stored one."""
    centre = 0.9 * mean + 0.1 * z.mean(0)
    return gamma * (z - centre) / np.sqrt(var + epsilon) + beta


@wrong("evaluate", "unknown")
def _(z, gamma, beta, mean, var, epsilon):
    return gamma * np.maximum(z - mean, 0) / np.sqrt(var + epsilon) + beta


# ---- fold ----


@right("fold")
def _(w, b, gamma, beta, mean, var, epsilon):
    scale = gamma / np.sqrt(var + epsilon)
    return (w.T * scale).T, scale * (b - mean) + beta


@right("fold")
def _(w, b, gamma, beta, mean, var, epsilon):
    scale = (gamma / np.sqrt(var + epsilon)).reshape(-1, 1)
    return scale * w, scale.ravel() * b + beta - scale.ravel() * mean


@right("fold")
def _(w, b, gamma, beta, mean, var, epsilon):
    scale = gamma * (var + epsilon) ** -0.5
    return np.diag(scale) @ w, beta + np.diag(scale) @ (b - mean)


@right("fold")
def _(w, b, gamma, beta, mean, var, epsilon):
    new_w, new_b = w.copy(), b.copy()
    for i in range(len(b)):
        s = gamma[i] / math.sqrt(var[i] + epsilon)
        new_w[i] *= s
        new_b[i] = (b[i] - mean[i]) * s + beta[i]
    return new_w, new_b


@right("fold")
def _(w, b, gamma, beta, mean, var, epsilon):
    """By asking the two layers what they do."""

    def both(a):
        return gamma * (a @ w.T + b - mean) / np.sqrt(var + epsilon) + beta

    zero = both(np.zeros((1, w.shape[1]), w.dtype))[0]
    return (both(np.eye(w.shape[1], dtype=w.dtype)) - zero).T, zero


@right("fold")
def _(w, b, gamma, beta, mean, var, epsilon):
    s = (gamma / np.sqrt(var + epsilon)).astype(np.float32)
    folded = np.einsum("i,ij->ij", s, w.astype(np.float32))
    return folded.astype(w.dtype), ((b - mean) * s + beta).astype(b.dtype)


@wrong("fold", "rows-and-columns-swapped")
def _(w, b, gamma, beta, mean, var, epsilon):
    scale = gamma / np.sqrt(var + epsilon)
    return w * scale, (b - mean) * scale + beta


@wrong("fold", "bias-not-folded")
def _(w, b, gamma, beta, mean, var, epsilon):
    scale = gamma / np.sqrt(var + epsilon)
    return w * scale[:, None], b


@wrong("fold", "bias-not-scaled")
def _(w, b, gamma, beta, mean, var, epsilon):
    scale = gamma / np.sqrt(var + epsilon)
    return w * scale[:, None], b + beta - mean * scale


@wrong("fold", "b-forgotten")
def _(w, b, gamma, beta, mean, var, epsilon):
    scale = gamma / np.sqrt(var + epsilon)
    return w * scale[:, None], beta - mean * scale


@wrong("fold", "beta-forgotten")
def _(w, b, gamma, beta, mean, var, epsilon):
    scale = gamma / np.sqrt(var + epsilon)
    return w * scale[:, None], (b - mean) * scale


@wrong("fold", "no-root")
def _(w, b, gamma, beta, mean, var, epsilon):
    scale = gamma / (var + epsilon)
    return w * scale[:, None], (b - mean) * scale + beta


@wrong("fold", "no-epsilon")
def _(w, b, gamma, beta, mean, var, epsilon):
    scale = gamma / np.sqrt(var)
    return w * scale[:, None], (b - mean) * scale + beta


@wrong("fold", "mean-not-subtracted", "no-epsilon")
def _(w, b, gamma, beta, mean, var, epsilon):
    scale = gamma / np.sqrt(var)
    return w * scale[:, None], b * scale + beta


@wrong("fold", "wrote-into-input")
def _(w, b, gamma, beta, mean, var, epsilon):
    scale = gamma / np.sqrt(var + epsilon)
    w *= scale[:, None]
    return w, (b - mean) * scale + beta


@wrong("fold", "wrong-shape")
def _(w, b, gamma, beta, mean, var, epsilon):
    scale = (gamma / np.sqrt(var + epsilon))[:, None]
    return w * scale, (b[:, None] - mean[:, None]) * scale + beta[:, None]


@wrong("fold", "beta-inside")
def _(w, b, gamma, beta, mean, var, epsilon):
    scale = gamma / np.sqrt(var + epsilon)
    return w * scale[:, None], (b - mean + beta) * scale


@wrong("fold", "unknown")
def _(w, b, gamma, beta, mean, var, epsilon):
    """The sign of a negative γ is lost."""
    scale = np.abs(gamma) / np.sqrt(var + epsilon)
    return w * scale[:, None], (b - mean) * scale + beta


@wrong("fold", "unknown")
def _(w, b, gamma, beta, mean, var, epsilon):
    """The mean goes through w."""
    scale = gamma / np.sqrt(var + epsilon)
    return w * scale[:, None], (b - w.sum(1) * mean) * scale + beta
