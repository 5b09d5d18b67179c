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
from bncourse.check.pieces import quantities
from bncourse.check.words import number, pair, symbol

Array = np.ndarray[Any, Any]
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")


@dataclass(frozen=True)
class Finding:
    """One property: whether the answer has it, and the words for that.

    The lower the rank of one that fails, the more it tells; 2 says no more than that it fails.
    """

    holds: bool
    words: str
    rank: int = 1


def _close(a: Any, b: Any, tolerance: float = 1e-5) -> bool:
    a, b = np.asarray(a, float), np.asarray(b, float)
    return a.shape == b.shape and bool(_near(a, b, tolerance).all())


def _near(a: Array, b: Array, tolerance: float = 1e-5) -> Array:
    scale = float(np.abs(b[np.isfinite(b)]).max(initial=0.0))
    with np.errstate(all="ignore"):
        near: Array = np.abs(a - b) <= tolerance * scale + 1e-9
    return near


def _found(holds: bool, if_so: str, if_not: str) -> Finding:
    return Finding(bool(holds), if_so if holds else if_not)


def _alike(values: Array, tolerance: float = 1e-4) -> bool:
    if not values.size or not np.isfinite(values).all():
        return False
    return bool(np.ptp(values) <= tolerance * np.abs(values).max())


def _count(d: Diagnosis) -> tuple[str, str, int]:
    """Return the letter for what is averaged over, its noun, and how many there are."""
    arrays = [v for v in d.inputs.values() if isinstance(v, np.ndarray)]
    first = next((v for v in arrays if v.ndim == 2), arrays[0])
    if d.piece.axis == 1:
        return "n", "units", first.shape[1]
    if "means" in d.inputs:
        return "k", "batches", len(first)
    return ("n", "inputs", first.shape[1]) if "w" in d.inputs else ("m", "examples", len(first))


def known_factor(d: Diagnosis, value: float) -> str:
    """Return what a factor is known as, such as m/(m − 1), or nothing."""
    letter, noun, m = _count(d)
    known = {letter: m, f"1/{letter}": 1 / m}
    if m > 2:
        known |= {
            f"{letter}/({letter} − 1)": m / (m - 1),
            f"({letter} − 1)/{letter}": (m - 1) / m,
        }
    for words, other in known.items():
        if abs(abs(value) - other) < 1e-4 * abs(other):
            return f"which is {'−' if value < 0 else ''}{words} for the {m} {noun} here"
    return ""


def factor(d: Diagnosis, value: float) -> str:
    """Return a factor, and what it is known as."""
    known = known_factor(d, value)
    return f"{number(value)}, {known}" if known else number(value)


def _ratios(got: Array, right: Array) -> Array:
    with np.errstate(all="ignore"):
        ratios: Array = (got / right)[np.abs(right) > 1e-6 * np.abs(right).max()]
    return ratios


def _named_ratio(d: Diagnosis, got: Array, right: Array) -> str:
    """Return which argument, or quantity on the way, one array is of the other, or nothing."""
    for name, value in (d.inputs | quantities(d.piece, d.inputs)).items():
        q = np.asarray(value)
        if q.dtype.kind != "f" or q.ndim > 1 or (q.ndim == 1 and q.shape != right.shape[-1:]):
            continue
        s = symbol(name)
        with np.errstate(all="ignore"):
            tried = (
                (s, q),
                (f"1/{s}", 1 / q),
                (f"{s} · {s}", q * q),
                (f"1/({s} · {s})", 1 / q**2),
            )
        for words, ratio in tried:
            if not _close(ratio * right, right) and _close(got, ratio * right):
                return words
    return ""


def ratio_finding(d: Diagnosis, name: str, got: Array, right: Array) -> Finding:
    """Say whether one output is right, or right but for a factor or for signs."""
    if got.shape != right.shape:
        return Finding(False, f"{name} has another shape")
    if _close(got, right):
        return Finding(True, f"{name} is right")
    if _close(got, right, 1e-3):
        return Finding(False, f"{name} is right to three digits and no further")
    if not got.any():
        return Finding(False, f"{name} is 0", 0)
    ratios = np.ravel(_ratios(got, right))
    several = len(ratios) > 1
    mean = float(np.mean(ratios)) if _alike(ratios) else 0.0
    if several and abs(mean + 1) < 1e-4:
        return Finding(False, f"{name} has its sign turned", 0)
    if several and _close(np.abs(got), np.abs(right)):
        return Finding(False, f"{name} has the right size, and in places the wrong sign", 0)
    by = "" if mean and known_factor(d, mean) else _named_ratio(d, got, right) if several else ""
    if mean and not by and (several or known_factor(d, mean)):
        by = factor(d, mean)
    if by:
        return Finding(False, f"{name} is what is right times {by}", 0)
    return Finding(False, f"{name} is wrong", 2)


def weighed(d: Diagnosis, what: str, got: Array, right: Array, words: str) -> Finding:
    """Say whether each unit has the right weight, by the first that hasn't."""
    if _close(got, right):
        return Finding(True, f"{what} is {words}, as it should be")
    i = int(np.argmin(_near(got, right)))
    expected, came = pair(right[i], got[i])
    text = f"{what} is {came} in the {ORDINALS[i]} unit, where "
    text += f"{words} is {'right' if words == expected else expected}"
    ratios = _ratios(got, right)
    known = known_factor(d, float(ratios.mean())) if _alike(ratios) else ""
    named = _named_ratio(d, got, right) if len(right) > 1 and not _close(got, got**0) else ""
    if known:
        text += f" ({number(float(ratios.mean()))} times as much, {known})"
    elif named:
        text += f" ({named} times as much)"
    return Finding(False, text, 0 if known or named else 1)


def of_outputs(d: Diagnosis) -> list[Finding]:
    """Say of each output whether it is right or off by a factor."""
    got, right = d.ask(), d.right()
    if got is None:
        return []
    return [
        ratio_finding(d, name, a, b)
        for name, a, b in zip(d.piece.outputs, got, right, strict=True)
    ]


def of_observed(d: Diagnosis) -> list[Finding]:
    """Say of each output, or of each fact, that was observed whether it is right."""
    got, right = d.observed[0].value, d.expected[0].value
    if not isinstance(got, tuple) or not isinstance(right, tuple):
        return []
    if d.piece.facts:
        pairs = zip(d.piece.facts, got[0], right[0], strict=True)
        return [_found(a == b, fact, f"it does not hold that {fact}") for fact, a, b in pairs]
    return [
        ratio_finding(d, name, np.asarray(a, float), b)
        for name, a, b in zip(d.piece.outputs, got, right, strict=True)
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
    root = np.sqrt(var + epsilon)
    beta = inputs["beta"]
    found = [ratio_finding(d, "z̃ − β", base[0] - beta, d.right()[0] - beta)]

    large = [d.ask(gamma=inputs["gamma"] * k) for k in (1e3, 1e6)]
    tops = [float(np.abs(values[0]).max()) for values in large if values is not None]
    if len(tops) == 2 and tops[0] == tops[1] > 0:
        text = f"no number of z̃ exceeds {number(tops[0])}, however large γ is: it is cut off"
        found.append(Finding(False, text, 0))
    centred = z - mu
    with np.errstate(all="ignore"):
        slope = (centred * norm).sum(axis=0) / (m * var)
    residual = norm - norm.mean(axis=0) - slope * centred
    straight = bool(np.abs(residual).max() < 1e-5 * max(1e-5, np.abs(norm).max()))
    found.append(
        _found(
            straight,
            f"plotted over z, the z̃ of each {each} lies on a straight line",
            f"plotted over z, the z̃ of each {each} should lie on a straight line, and doesn't: "
            f"something bends it, or other {each}s come in",
        )
    )
    means = norm.mean(axis=0)
    i = int(np.argmax(np.abs(means)))
    found.append(
        _found(
            np.abs(means).max() < 1e-6 * max(1.0, np.abs(norm).max()),
            f"(z̃ − β)/γ has mean 0 for each {each}, so the centring and β are right",
            f"(z̃ − β)/γ should have mean 0 for each {each}, and has {number(means[i])} for the "
            f"{ORDINALS[i]}: look at what is subtracted, and at where β and γ come in",
        )
    )
    with np.errstate(all="ignore"):
        ratios = norm.var(axis=0) / (var / root**2)
        divisors = 1 / slope
        taken = (divisors**2 - epsilon) / var
    if np.allclose(ratios, 1, rtol=1e-5):
        found.append(Finding(True, "the variance of (z̃ − β)/γ is σ²/(σ² + ε), as it should be"))
    elif len(ratios) > 1 and _alike(ratios):
        text = f"the variance of (z̃ − β)/γ is σ²/(σ² + ε) times {factor(d, float(ratios.mean()))}"
        found.append(Finding(False, f"{text}, in every {each} alike"))
    elif straight and len(taken) > 1 and _alike(taken):
        text = f"z is divided as if σ² were multiplied by {factor(d, float(taken.mean()))}"
        found.append(Finding(False, text, 0))
    elif straight and np.isfinite(divisors).all():
        texts = [
            f"the {ORDINALS[i]} {each} has σ² = {number(var[i])} and is divided by "
            f"{number(divisors[i])}, where √(σ² + ε) is {number(root[i])}"
            for i in np.flatnonzero(~_near(divisors, root))[:2]
        ]
        found.append(Finding(False, "; ".join(texts)))

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
            "twice z with four times ε should give the same, and doesn't",
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
    wide = sd[x.std(axis=0) > 0]
    found.append(
        _found(
            _close(wide, np.ones_like(wide)),
            "each training feature that varies has standard deviation 1",
            "each training feature that varies should have standard deviation 1, and the first "
            f"has {number(wide[0])}",
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
    dz, dgamma, _ = got
    z, gamma, epsilon, dz_tilde = (inputs[k] for k in ("z", "gamma", "epsilon", "dz_tilde"))
    var = z.var(axis=0)
    z_norm = (z - z.mean(axis=0)) / np.sqrt(var + epsilon)
    found = [
        ratio_finding(d, name, a, b)
        for name, a, b in zip(d.piece.outputs, got, right, strict=True)
    ]
    if found[0].holds or len(z) < 4:  # fewer examples can't tell three paths apart
        return found
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
        direct = weights[:, 0]
        if not _alike(direct) and _alike(weights[:, 1] / direct):
            # What is off in the whole of dz is said once, and then how the paths compare.
            shown = " and ".join(number(v) for v in direct[:2])
            text = f"dz has a factor too many in each unit ({shown} in the first two)"
            found.append(Finding(False, f"{text}: look at γ and √(σ² + ε)"))
            weights = weights / direct[:, None]
        for name, column in zip(names, weights.T, strict=True):
            if np.abs(column).max() < 1e-6:
                found.append(Finding(False, f"{name} is missing from dz", 0))
            elif _alike(column):
                value = float(column.mean())
                found.append(
                    Finding(True, f"{name} has its right weight in dz")
                    if abs(value - 1) < 1e-4
                    else Finding(
                        False,
                        f"{name} is in dz with the weight {factor(d, value)}, where 1 is right",
                        0,
                    )
                )
            else:
                found.append(
                    Finding(
                        False,
                        f"{name} is in dz with another weight in each unit "
                        f"({' and '.join(number(v) for v in column[:2])} in the first two), "
                        "where 1 is right: look at γ and √(σ² + ε)",
                    )
                )
    else:
        text = "dz is not made of dz̃, its mean, and the normalised z times the mean of dz̃ with it"
        found.append(Finding(False, text))
    found.append(
        _found(
            np.abs(dz.sum(axis=0)).max() < 1e-6 * np.abs(dz).max(),
            "dz adds up to 0 over the batch, as it must, because μ is subtracted",
            "dz should add up to 0 over the batch, because μ is subtracted, and adds up to "
            f"{number(dz.sum(axis=0)[0])} in the first unit",
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
        return [*found, Finding(False, "z̃ over z is no straight line")]
    found.append(weighed(d, "the slope of z̃ over z", slope, right, "γ/√(σ² + ε)"))
    with np.errstate(all="ignore"):
        centre = (inputs["beta"] - zero[0][0]) / slope
    found.append(weighed(d, "the z that gives β", centre, inputs["mean"], "the stored mean"))
    return found


def of_fold(d: Diagnosis) -> list[Finding]:
    """Return whether the folded layer does what the two did, and by which factors it is off."""
    found = of_outputs(d)
    got, inputs = d.ask(), d.inputs
    if got is None or got[0].shape != inputs["w"].shape:
        return found
    ratios = got[0] / inputs["w"]
    right = inputs["gamma"] / np.sqrt(inputs["var"] + inputs["epsilon"])
    words = "γ/√(σ² + ε)"
    if all(_alike(row) for row in ratios):
        found.append(weighed(d, "the factor of a row of w", ratios[:, 0], right, words))
        # What is off in the scale has been said: the parts of b are compared with that scale.
        right, words = ratios[:, 0], "the factor of its row of w"
    else:
        found.append(
            Finding(False, "the numbers of one row of w are multiplied by several factors")
        )
    if got[1].shape != inputs["b"].shape:
        return found
    parts = (("mean", "the stored mean", -right, f"−1 times {words}"), ("b", "b", right, words))
    for name, what, weight, text in (*parts, ("beta", "β", right**0, "1")):
        more = d.ask(**{name: inputs[name] + 1.0})
        if more is not None and more[1].shape == right.shape:
            came = more[1] - got[1]
            found.append(weighed(d, f"the weight of {what} in the new b", came, weight, text))
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
        what = f"the weight of the old {word}"
        found.append(weighed(d, what, old, np.full_like(old, decay), "decay"))
        part = (got[i] - old * inputs[argument]) / new[word]
        if _alike(old) and _alike(part):
            what = f"the weight of the batch's {'unbiased ' * i}{word}"
            found.append(weighed(d, what, part, np.full_like(part, 1 - decay), "1 − decay"))
        elif _alike(old):
            words = f"what comes of the batch is not its {'unbiased ' * i}{word} times one weight"
            found.append(Finding(False, words))
    return found


def of_moving_average(d: Diagnosis) -> list[Finding]:
    """Return the response to a constant and to a single impulse."""
    decay = d.inputs["decay"]
    constant, impulse = d.ask(values=np.full(4, 3.0)), d.ask(values=np.array([1.0, 0, 0, 0]))
    late = d.ask(values=np.array([0.0, 0, 0, 1]))
    found = []
    if late is not None and late[0].shape == (4,) and np.abs(late[0][:3]).max() > 1e-9:
        came = ", ".join(number(v) for v in late[0])
        text = "if the values were 0, 0, 0, 1 instead, the last would count before it has come: "
        text += f"you would return {came}"
        return [Finding(False, text, 0)]
    if constant is not None and constant[0].shape == (4,):
        found.append(
            _found(
                _close(constant[0], np.full(4, 3.0)),
                "values that are all 3 have the average 3 from the first on",
                "if all values were 3 instead, the average should be 3 from the first on, and "
                f"yours would be {', '.join(number(v) for v in constant[0])}: the weights don't "
                "add up to 1",
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
                    "an old value loses weight by the decay at every step",
                    f"an old value loses weight by {number(falls[0])} at every step, "
                    f"where the decay is {number(decay)}",
                )
            )
        else:
            found.append(
                Finding(False, "an old value doesn't lose weight by one factor at every step")
            )
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
        found.append(ratio_finding(d, "the part between the batches", between[1], true_between))
    within = d.ask(means=np.zeros_like(inputs["means"]))
    if within is not None and within[1].shape == true_between.shape:
        found.append(
            ratio_finding(
                d, "the part within the batches", within[1], weight @ inputs["variances"]
            )
        )
    return found


def of_effective_rate(d: Diagnosis) -> list[Finding]:
    """Return what the rate is divided by, and whether rows are apart."""
    base, inputs = d.ask(), d.inputs
    if base is None or base[0].shape != (len(inputs["w"]),):
        return []
    found = of_outputs(d)
    length = (inputs["w"] ** 2).sum(axis=1)
    with np.errstate(all="ignore"):
        divisor = inputs["learning_rate"] / base[0]
    if not _close(divisor, length) and _alike(divisor - length):
        added = number(float((divisor - length).mean()))
        found.append(Finding(False, f"the rate is divided by ‖w‖² and {added} more", 0))
    found.append(weighed(d, "the divisor of the rate", divisor, length, "‖w‖²"))
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
            words += f": it is the slope times {factor(d, float(ratios.mean()))}"
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
