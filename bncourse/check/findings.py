"""Where no name fits: which properties hold, and by which factor a number is off.

Each function here returns findings: a property of what is right, whether the answer has it, and
the words for either case. They speak of one quantity each, so the failing ones say where to look.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bncourse.check.diagnosis import Diagnosis
from bncourse.check.words import number

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Finding:
    """One property: whether the answer has it, and the words for that."""

    holds: bool
    words: str


def _close(a: Any, b: Any, tolerance: float = 1e-5) -> bool:
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.shape != b.shape:
        return False
    scale = float(np.abs(b[np.isfinite(b)]).max(initial=0.0))
    with np.errstate(all="ignore"):
        return bool((np.abs(a - b) <= tolerance * scale + 1e-9).all())


def _found(holds: bool, if_so: str, if_not: str) -> Finding:
    return Finding(bool(holds), if_so if holds else if_not)


def _alike(values: Array, tolerance: float = 1e-4) -> bool:
    if not values.size or not np.isfinite(values).all():
        return False
    return bool(np.ptp(values) <= tolerance * np.abs(values).max())


def factor(value: float, m: int) -> str:
    """Return a factor, and what it is known as: m, 1/m, m/(m − 1)."""
    known = {"m": m, "1/m": 1 / m, "m/(m − 1)": m / (m - 1), "(m − 1)/m": (m - 1) / m}
    for words, other in known.items():
        if abs(value - other) < 1e-4 * abs(other):
            return f"{number(value)}, which is {words} for the {m} numbers here"
        if abs(value + other) < 1e-4 * abs(other):
            return f"{number(value)}, which is −{words} for the {m} numbers here"
    return number(value)


def _ratios(got: Array, right: Array) -> Array:
    with np.errstate(all="ignore"):
        ratios: Array = (got / right)[np.abs(right) > 1e-6 * np.abs(right).max()]
    return ratios


def ratio_finding(symbol: str, got: Array, right: Array, m: int) -> Finding:
    """Say whether one output is right, or right but for a factor."""
    if got.shape != right.shape:
        return Finding(False, f"{symbol} has another shape")
    if _close(got, right):
        return Finding(True, f"{symbol} is right")
    ratios = _ratios(got, right)
    if len(ratios) > 1 and _alike(ratios):
        return Finding(
            False, f"{symbol} is what is right times {factor(float(np.mean(ratios)), m)}"
        )
    return Finding(False, f"{symbol} is off, by no single factor")


def of_outputs(d: Diagnosis) -> list[Finding]:
    """Say of each output whether it is right or off by a factor."""
    got, right = d.ask(), d.right()
    if got is None:
        return []
    m = len(next(v for v in d.inputs.values() if isinstance(v, np.ndarray)))
    return [
        ratio_finding(symbol, a, b, m)
        for symbol, a, b in zip(d.piece.outputs, got, right, strict=True)
    ]


def of_observed(d: Diagnosis) -> list[Finding]:
    """Say of each output, or of each fact, that was observed whether it is right."""
    got, right = d.observed[0].value, d.expected[0].value
    if not isinstance(got, tuple) or not isinstance(right, tuple):
        return []
    if d.piece.facts:
        pairs = zip(d.piece.facts, got[0], right[0], strict=True)
        return [_found(a == b, f"{fact}", f"{fact}: not so") for fact, a, b in pairs]
    m = len(d.inputs["x"])
    return [
        ratio_finding(symbol, np.asarray(a, float), b, m)
        for symbol, a, b in zip(d.piece.outputs, got, right, strict=True)
        if not np.iscomplexobj(a)
    ]


def _normalised(d: Diagnosis, values: Array, inputs: dict[str, Any]) -> Array:
    """Return (z̃ − β)/γ with one unit (or example) per column."""
    norm: Array = (values - inputs["beta"]) / inputs["gamma"]
    return norm if d.piece.axis == 0 else norm.T


def of_forward(d: Diagnosis) -> list[Finding]:
    """Return what z̃ tells of centre, spread, line, axis and ε, in a normalising forward pass."""
    base, inputs = d.ask(), d.inputs
    if base is None or base[0].shape != inputs["z"].shape:
        return []
    each = "unit" if d.piece.axis == 0 else "example"
    over = "examples" if d.piece.axis == 0 else "units"
    z = inputs["z"] if d.piece.axis == 0 else inputs["z"].T
    norm = _normalised(d, base[0], inputs)
    m, epsilon = len(z), inputs["epsilon"]
    mu, var = z.mean(axis=0), z.var(axis=0)
    found = []

    centred = z - mu
    slope = (centred * norm).sum(axis=0) / (m * var)
    residual = norm - norm.mean(axis=0) - slope * centred
    straight = _close(residual, np.zeros_like(residual)) or np.abs(residual).max() < 1e-5 * max(
        1e-9, np.abs(norm).max()
    )
    found.append(
        _found(
            straight,
            f"(z̃ − β)/γ is a straight line in z for each {each}",
            f"(z̃ − β)/γ is no straight line in the z of an {each}: something bends or clips it, "
            f"or numbers of other {each}s come in"
            if each == "example"
            else "(z̃ − β)/γ is no straight line in the z of a unit: something bends or clips it, "
            "or numbers of other units come in",
        )
    )
    means = norm.mean(axis=0)
    found.append(
        _found(
            np.abs(means).max() < 1e-6 * max(1.0, np.abs(norm).max()),
            f"(z̃ − β)/γ has mean 0 for each {each}, so the centring and β are right",
            f"(z̃ − β)/γ should have mean 0 for each {each}, and has {number(means[0])} for the "
            "first: look at what is subtracted, and at where β and γ come in",
        )
    )
    with np.errstate(all="ignore"):
        ratios = norm.var(axis=0) / (var / (var + epsilon))
    if np.allclose(ratios, 1, rtol=1e-5):
        found.append(Finding(True, "the variance of (z̃ − β)/γ is σ²/(σ² + ε), as it should be"))
    elif _alike(ratios):
        found.append(
            Finding(
                False,
                "the variance of (z̃ − β)/γ is σ²/(σ² + ε) times "
                f"{factor(float(ratios.mean()), m)}, in every {each} alike",
            )
        )
    elif straight:
        with np.errstate(all="ignore"):
            divisors = 1 / slope
        found.append(
            Finding(
                False,
                f"the first {each} has σ² = {number(var[0])} and is divided by "
                f"{number(divisors[0])}, where √(σ² + ε) is {number(np.sqrt(var[0] + epsilon))}; "
                f"the second has σ² = {number(var[1])} and is divided by {number(divisors[1])}, "
                f"where it is {number(np.sqrt(var[1] + epsilon))}",
            )
        )

    shifted = d.ask(z=inputs["z"] + 3.0)
    found.append(
        _found(
            shifted is not None and _close(shifted[0], base[0]),
            "a constant added to all of z changes nothing",
            "a constant added to all of z should change nothing, and does: "
            "some of the mean is left in",
        )
    )
    scaled = d.ask(z=2 * inputs["z"], epsilon=4 * epsilon)
    found.append(
        _found(
            scaled is not None and _close(scaled[0], base[0]),
            "twice z with four times ε gives the same",
            "twice z with four times ε should give the same, and doesn't: ε stands where it is "
            "not compared with σ²",
        )
    )
    moved = inputs["z"].copy()
    if d.piece.axis == 0:
        moved[:, 0] = moved[::-1, 0] * 1.5 + 1.0
    else:
        moved[0] = moved[0, ::-1] * 1.5 + 1.0
    other = d.ask(z=moved)
    independent = other is not None and (
        _close(other[0][:, 1:], base[0][:, 1:])
        if d.piece.axis == 0
        else _close(other[0][1:], base[0][1:])
    )
    found.append(
        _found(
            independent,
            f"no {each} depends on another",
            f"changing one {each} changes the others: some mean is taken over more than the "
            f"{over} of one {each}",
        )
    )
    if d.piece.axis == 0:
        doubled = d.ask(z=np.concatenate([inputs["z"], inputs["z"]]))
        found.append(
            _found(
                doubled is not None
                and doubled[0].shape[0] == 2 * m
                and _close(doubled[0][:m], base[0]),
                "the batch twice over gives the same",
                "the batch twice over should give the same, and doesn't: the number of examples "
                "comes in (m − 1, or a sum in place of a mean)",
            )
        )
    return found


def of_standardize(d: Diagnosis) -> list[Finding]:
    """Return what the two sets tell of centre and spread."""
    got, right = d.ask(), d.right()
    if got is None or any(a.shape != b.shape for a, b in zip(got, right, strict=True)):
        return of_outputs(d)
    x = d.inputs["x_train"]
    sd = got[0].std(axis=0)
    m = len(x)
    means = got[0].mean(axis=0)
    worst = int(np.argmax(np.where(np.isnan(means), np.inf, np.abs(means))))
    found = [
        _found(
            np.abs(means).max() < 1e-6,
            "each training feature has mean 0",
            f"each training feature should have mean 0, and that of column {worst} has "
            f"{number(means[worst])}",
        )
    ]
    if _alike(sd[:-1]):
        found.append(
            _found(
                _close(sd[:-1], np.ones(len(sd) - 1)),
                "each training feature that varies has standard deviation 1",
                "each training feature should have standard deviation 1, and has "
                f"{factor(float(sd[0]), m)}",
            )
        )
    else:
        found.append(
            Finding(
                False,
                "each training feature should have standard deviation 1, and the first two have "
                f"{number(sd[0])} and {number(sd[1])}",
            )
        )
    same = d.ask(x_test=x)
    found.append(
        _found(
            same is not None and _close(same[1], same[0]),
            "the training set given as test set comes out as the training set does",
            "the training set given as test set should come out as the training set does, "
            "and doesn't: the two are not treated by the same mean and standard deviation",
        )
    )
    return found


def of_backward(d: Diagnosis) -> list[Finding]:
    """Return what the gradients tell of the three paths, by regression."""
    got, right, inputs = d.ask(), d.right(), d.inputs
    if got is None or any(a.shape != b.shape for a, b in zip(got, right, strict=True)):
        return []
    dz, dgamma, dbeta = got
    z, gamma, epsilon, dz_tilde = (inputs[k] for k in ("z", "gamma", "epsilon", "dz_tilde"))
    m = len(z)
    var = z.var(axis=0)
    z_norm = (z - z.mean(axis=0)) / np.sqrt(var + epsilon)
    found = [
        ratio_finding("dβ", dbeta, right[2], m),
        ratio_finding("dγ", dgamma, right[1], m),
    ]
    if _close(dz, right[0]):
        return [*found, Finding(True, "dz is right")]
    terms = np.stack(
        [
            dz_tilde,
            -np.broadcast_to(dz_tilde.mean(axis=0), dz_tilde.shape),
            -z_norm * (dz_tilde * z_norm).mean(axis=0),
        ]
    )
    scaled = dz * np.sqrt(var + epsilon) / gamma
    parts = [
        np.linalg.lstsq(terms[:, :, i].T, scaled[:, i], rcond=None) for i in range(z.shape[1])
    ]
    weights = np.array([part[0] for part in parts])
    fits = np.array(
        [np.abs(terms[:, :, i].T @ weights[i] - scaled[:, i]).max() for i in range(z.shape[1])]
    )
    names = ("the direct path (dz̃)", "the path through μ", "the path through σ²")
    if (fits < 1e-6 * np.abs(scaled).max(axis=0)).all():
        for name, column in zip(names, weights.T, strict=True):
            if _alike(column) or np.abs(column).max() < 1e-6:
                value = float(column.mean())
                found.append(
                    _found(
                        abs(value - 1) < 1e-4,
                        f"{name} has its right weight in dz",
                        f"{name} is in dz with the weight {factor(value, m)}, where 1 is right"
                        if abs(value) > 1e-6
                        else f"{name} is missing from dz",
                    )
                )
            else:
                found.append(
                    Finding(
                        False,
                        f"{name} is in dz with another weight in each unit "
                        f"({number(column[0])} and {number(column[1])} in the first two), "
                        "where 1 is right: look at γ and √(σ² + ε)",
                    )
                )
    else:
        found.append(
            Finding(
                False, "dz is not made of dz̃, its mean, and z_norm times the mean of dz̃·z_norm"
            )
        )
    found.append(
        _found(
            np.abs(dz.sum(axis=0)).max() < 1e-6 * np.abs(dz).max(),
            "dz adds up to 0 over the batch, as it must, because μ is subtracted",
            "dz should add up to 0 over the batch, because μ is subtracted, and adds up to "
            f"{number(dz.sum(axis=0)[0])} in the first unit",
        )
    )
    expected = gamma * dgamma * epsilon / (var + epsilon) ** 1.5
    found.append(
        _found(
            _close((dz * z_norm).sum(axis=0), expected, 1e-4),
            "dz is as nearly at right angles to z_norm as it must be",
            "dz is not at the right angle to z_norm: look at the path through σ²",
        )
    )
    twice = d.ask(gamma=2 * gamma)
    if twice is not None:
        found.append(
            _found(
                _close(twice[0], 2 * dz) and _close(twice[1], dgamma),
                "twice γ gives twice dz and the same dγ",
                "twice γ should give twice dz and the same dγ, and doesn't",
            )
        )
    small = d.ask(z=2 * z, epsilon=4 * epsilon)
    if small is not None:
        found.append(
            _found(
                _close(small[0], dz / 2),
                "twice z with four times ε gives half of dz",
                "twice z with four times ε should give half of dz, and doesn't: "
                "look at the division by √(σ² + ε)",
            )
        )
    return found


def of_evaluate(d: Diagnosis) -> list[Finding]:
    """Return slope and centre of the line, and whether the others matter."""
    base, inputs = d.ask(), d.inputs
    if base is None or base[0].shape != inputs["z"].shape:
        return []
    alone = d.ask(z=inputs["z"][:1])
    found = [
        _found(
            alone is not None and alone[0].shape[0] == 1 and _close(alone[0], base[0][:1]),
            "an example alone comes out as it does among others",
            "an example alone should come out as it does among others, and doesn't: "
            "something is computed from the batch",
        )
    ]
    zero, one, two = (d.ask(z=np.full((1, inputs["z"].shape[1]), v)) for v in (0.0, 1.0, 2.0))
    if zero is None or one is None or two is None:
        return found
    if any(v[0].shape != (1, inputs["z"].shape[1]) for v in (zero, one, two)):
        return found
    slope, bend = (one[0] - zero[0])[0], (two[0] - 2 * one[0] + zero[0])[0]
    right = inputs["gamma"] / np.sqrt(inputs["var"] + inputs["epsilon"])
    if not _close(bend, np.zeros_like(bend)):
        return [*found, Finding(False, "z̃ is no straight line in z")]
    found.append(ratio_finding("the slope of z̃ in z", slope, right, len(inputs["z"])))
    with np.errstate(all="ignore"):
        centre = (inputs["beta"] - zero[0][0]) / slope
    found.append(
        _found(
            _close(centre, inputs["mean"]),
            "z at the stored mean gives β",
            f"z at the stored mean should give β; in your first unit z = {number(centre[0])} "
            f"does, and its stored mean is {number(inputs['mean'][0])}",
        )
    )
    return found


def of_fold(d: Diagnosis) -> list[Finding]:
    """Return whether the folded layer does what the two did, and by which factors it is off."""
    found = of_outputs(d)
    got, inputs = d.ask(), d.inputs
    if got is None or got[0].shape != inputs["w"].shape:
        return found
    ratios = got[0] / inputs["w"]
    right = inputs["gamma"] / np.sqrt(inputs["var"] + inputs["epsilon"])
    if all(_alike(row) for row in ratios):
        found.append(
            _found(
                _close(ratios[:, 0], right),
                "each row of w is multiplied by γ/√(σ² + ε)",
                f"the first row of w is multiplied by {number(ratios[0, 0])}, "
                f"where γ/√(σ² + ε) is {number(right[0])}",
            )
        )
    else:
        found.append(
            Finding(False, "the numbers of one row of w are multiplied by several factors")
        )
    if got[1].shape == inputs["b"].shape:
        without = d.ask(b=inputs["b"] + 1.0)
        if without is not None:
            weight = without[1] - got[1]
            found.append(
                _found(
                    _close(weight, right),
                    "b has the right weight in the new b",
                    f"b of the first unit has the weight {number(weight[0])} in the new b, "
                    f"where γ/√(σ² + ε) is {number(right[0])}",
                )
            )
        without = d.ask(mean=inputs["mean"] + 1.0)
        if without is not None:
            weight = without[1] - got[1]
            found.append(
                _found(
                    _close(weight, -right),
                    "the mean has the right weight in the new b",
                    f"the mean of the first unit has the weight {number(weight[0])} in the new b, "
                    f"where −γ/√(σ² + ε) is {number(-right[0])}",
                )
            )
    return found


def of_running_statistics(d: Diagnosis) -> list[Finding]:
    """Return the weights of the old and of the new values."""
    got, right, inputs = d.ask(), d.right(), d.inputs
    if got is None or any(a.shape != b.shape for a, b in zip(got, right, strict=True)):
        return []
    decay = inputs["decay"]
    found = of_outputs(d)
    new = {
        "mean": inputs["z"].mean(axis=0),
        "variance": inputs["z"].var(axis=0, ddof=1),
    }
    for i, (word, argument) in enumerate((("mean", "running_mean"), ("variance", "running_var"))):
        more = d.ask(**{argument: inputs[argument] + 1.0})
        if more is None:
            continue
        old = more[i] - got[i]
        found.append(
            _found(
                _close(old, np.full_like(old, decay)),
                f"the old {word} has the weight d",
                f"the old {word} has the weight {number(old[0])}, where d is {number(decay)}",
            )
        )
        if _alike(old):
            part = (got[i] - old * inputs[argument]) / new[word]
            if _alike(part):
                found.append(
                    _found(
                        _close(part, np.full_like(part, 1 - decay)),
                        f"the batch's {word} has the weight 1 − d",
                        f"the batch's {'unbiased ' * i}{word} has the weight {number(part[0])}, "
                        f"where 1 − d is {number(1 - decay)}",
                    )
                )
            else:
                found.append(
                    Finding(
                        False,
                        f"what comes of the batch is not its {'unbiased ' * i}{word} "
                        "times one weight",
                    )
                )
    return found


def of_moving_average(d: Diagnosis) -> list[Finding]:
    """Return the response to a constant and to a single impulse."""
    decay = d.inputs["decay"]
    constant, impulse = d.ask(values=np.full(4, 3.0)), d.ask(values=np.array([1.0, 0, 0, 0]))
    found = []
    if constant is not None and constant[0].shape == (4,):
        found.append(
            _found(
                _close(constant[0], np.full(4, 3.0)),
                "values that are all 3 have the average 3 from the first on",
                "values that are all 3 should have the average 3 from the first on, and yours is "
                f"{', '.join(number(v) for v in constant[0])}: the weights don't add up to 1",
            )
        )
    if impulse is not None and impulse[0].shape == (4,):
        response = impulse[0] * (1 - decay ** np.arange(1, 5))
        with np.errstate(all="ignore"):
            falls = response[1:] / response[:-1]
        if _alike(falls):
            found.append(
                _found(
                    _close(falls, np.full(3, decay)),
                    "an old value loses weight by d at every step",
                    f"an old value loses weight by {number(falls[0])} at every step, "
                    f"where d is {number(decay)}",
                )
            )
        else:
            found.append(Finding(False, "an old value doesn't lose weight by d at every step"))
    return found


def of_total_statistics(d: Diagnosis) -> list[Finding]:
    """Return which parts of the variance are there, and with which weights."""
    found = of_outputs(d)
    got, right, inputs = d.ask(), d.right(), d.inputs
    if got is None or any(a.shape != b.shape for a, b in zip(got, right, strict=True)):
        return found
    weight = inputs["sizes"] / inputs["sizes"].sum()
    between = d.ask(variances=np.zeros_like(inputs["variances"]))
    true_between = d.right(variances=np.zeros_like(inputs["variances"]))[1]
    if between is not None and between[1].shape == true_between.shape:
        found.append(ratio_finding("the part between the batches", between[1], true_between, 2))
    within = d.ask(means=np.zeros_like(inputs["means"]))
    if within is not None and within[1].shape == true_between.shape:
        found.append(
            ratio_finding(
                "the part within the batches", within[1], weight @ inputs["variances"], 2
            )
        )
    return found


def of_effective_rate(d: Diagnosis) -> list[Finding]:
    """Return the power of ‖w‖ in the rate, and whether rows are apart."""
    base, inputs = d.ask(), d.inputs
    if base is None or base[0].shape != (len(inputs["w"]),):
        return []
    found = of_outputs(d)
    twice = d.ask(w=2 * inputs["w"])
    if twice is not None:
        ratios = _ratios(twice[0], base[0])
        if _alike(ratios) and ratios[0] > 0:
            power = float(np.log2(ratios[0]))
            found.append(
                _found(
                    abs(power + 2) < 1e-6,
                    "twice w gives a quarter of the rate",
                    "twice w should give a quarter of the rate, and gives it "
                    f"times {number(ratios[0])}",
                )
            )
        else:
            found.append(Finding(False, "twice w should give a quarter of the rate, and doesn't"))
    other = inputs["w"].copy()
    other[0] *= 3
    moved = d.ask(w=other)
    if moved is not None and moved[0].shape == base[0].shape:
        found.append(
            _found(
                _close(moved[0][1:], base[0][1:]),
                "the rate of a unit depends on its own row of w only",
                "a longer first row of w should leave the other units' rates as they are, "
                "and changes them",
            )
        )
    return found


def of_cross_entropy(d: Diagnosis) -> list[Finding]:
    """Return whether dlogits is the slope of the reader's own loss, and what holds of each."""
    found = of_outputs(d)
    got, inputs = d.ask(), d.inputs
    if got is None or got[1].shape != inputs["logits"].shape or got[0].shape != ():
        return found
    slope = _slope(d.ask, inputs["logits"])
    if slope is not None:
        ratios = _ratios(got[1], slope)
        words = "dlogits is not the slope of your own loss"
        if _alike(ratios):
            words += f": it is the slope times {factor(float(ratios.mean()), len(slope))}"
        found.append(
            _found(_close(got[1], slope, 1e-4), "dlogits is the slope of your own loss", words)
        )
    shifted = d.ask(logits=inputs["logits"] + 2.0)
    found.append(
        _found(
            shifted is not None and _close(shifted[0], got[0]),
            "a constant added to all logits leaves the loss as it is",
            "a constant added to all logits should leave the loss as it is, and doesn't",
        )
    )
    sums = got[1].sum(axis=1)
    found.append(
        _found(
            np.abs(sums).max() < 1e-6 * max(1e-3, np.abs(got[1]).max()),
            "each row of dlogits adds up to 0",
            f"each row of dlogits should add up to 0, and the first adds up to {number(sums[0])}",
        )
    )
    return found


def _slope(ask: Callable[..., Any], logits: Array) -> Array | None:
    slope = np.zeros_like(logits)
    for index in np.ndindex(*logits.shape):
        ends = []
        for step in (1e-4, -1e-4):
            moved = logits.copy()
            moved[index] += step
            values = ask(logits=moved)
            if values is None or values[0].shape != ():
                return None
            ends.append(float(values[0]))
        slope[index] = (ends[0] - ends[1]) / 2e-4
    return slope
