from __future__ import annotations

import hashlib
from fractions import Fraction

import numpy as np
import pytest

from bncourse import (
    MiniBatches,
    load_digits,
    load_mnist1d,
    standardize,
    two_features,
    whiten,
)

from . import exact
from .helpers import DTYPES, EACH, frozen, unit_of


def test_the_digits_are_split_and_scaled(digits):
    assert [a.shape for a in digits] == [(1437, 64), (1437,), (360, 64), (360,)]
    assert digits.x_train.min() == 0.0
    assert digits.x_train.max() == 1.0
    assert digits.x_train.dtype == np.float64
    counts = np.bincount(np.concatenate([digits.y_train, digits.y_test]))
    np.testing.assert_array_equal(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180])


def test_the_digits_are_the_published_ones(digits):
    # In the order of a stable sort, because the split permutes the examples.
    images = np.concatenate([digits.x_train, digits.x_test]) * 16
    labels = np.concatenate([digits.y_train, digits.y_test])
    rows = np.column_stack([labels, images]).astype(np.uint8)
    rows = rows[np.lexsort(rows.T[::-1])]
    digest = hashlib.sha256(rows.tobytes()).hexdigest()
    assert digest == ("1b6a09f730bfe751d1f30985598ff7efda82a45af4d78e296c3c508586c103ad")


def test_the_split_depends_on_the_seed_and_nothing_else(digits):
    np.testing.assert_array_equal(load_digits().x_train, digits.x_train)
    assert not np.array_equal(load_digits(seed=1).x_train, digits.x_train)


def test_standardized_digits(digits):
    x_train, _, x_test, _ = load_digits(standardized=True)
    np.testing.assert_allclose(x_train.mean(axis=0), 0, atol=1e-13)
    sd = x_train.std(axis=0)
    assert set(np.round(sd, 12)) == {0.0, 1.0}
    assert (sd < 0.5).sum() == 3  # the constant pixels
    mu, sigma = digits.x_train.mean(axis=0), digits.x_train.std(axis=0)
    varying = sigma > 1e-9
    np.testing.assert_allclose(
        x_test[:, varying], ((digits.x_test - mu) / np.where(varying, sigma, 1))[:, varying]
    )
    assert np.isfinite(x_test).all()


def test_mnist1d_is_the_one_that_its_authors_package_makes():
    x_train, y_train, x_test, y_test = load_mnist1d()
    assert [a.shape for a in (x_train, y_train, x_test, y_test)] == [
        (4000, 40),
        (4000,),
        (1000, 40),
        (1000,),
    ]
    assert [a.dtype for a in (x_train, y_train, x_test, y_test)] == [np.float64, np.int64] * 2
    assert np.bincount(np.concatenate([y_train, y_test])).tolist() == [500] * 10
    # Half precision holds every number, so nothing is lost on the way back to it.
    parts = (
        x_train.astype("<f2"),
        y_train.astype("u1"),
        x_test.astype("<f2"),
        y_test.astype("u1"),
    )
    digest = hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
    assert digest == "d82e3dd9ff30dd5e79f16838b2d92b5655a5290dd38b4ed1c2ed5b1dbd516f04"
    np.testing.assert_array_equal(parts[0], x_train)


def test_standardized_mnist1d():
    raw, standardized = load_mnist1d(), load_mnist1d(standardized=True)
    mu, sigma = raw.x_train.mean(axis=0), raw.x_train.std(axis=0)
    np.testing.assert_allclose(standardized.x_train, (raw.x_train - mu) / sigma, atol=1e-12)
    np.testing.assert_allclose(standardized.x_test, (raw.x_test - mu) / sigma, atol=1e-12)
    np.testing.assert_array_equal(standardized.y_train, raw.y_train)
    np.testing.assert_array_equal(standardized.y_test, raw.y_test)


@pytest.mark.parametrize("standardized", [False, True])
def test_who_writes_into_mnist1d_writes_into_a_copy(standardized):
    kept = [a.copy() for a in load_mnist1d(standardized)]
    for array in load_mnist1d(standardized):
        array[...] = 0
    for array, before in zip(load_mnist1d(standardized), kept, strict=True):
        np.testing.assert_array_equal(array, before)


def test_standardize_leaves_its_argument_alone(rng):
    x = rng.normal(5, 3, (20, 4))
    kept = x.copy()
    x.flags.writeable = False
    standardize(x, x)
    np.testing.assert_array_equal(x, kept)
    with pytest.raises(ValueError, match=r"\(m, 4\)"):
        standardize(x, np.ones((3, 5)))


def test_whitened_features_have_the_identity_as_covariance(rng):
    x = rng.normal(size=(200, 5)) @ rng.normal(size=(5, 5)) + 7
    white, other = whiten(x, x[:3])
    np.testing.assert_allclose(white.T @ white / 200, np.eye(5), atol=1e-11)
    np.testing.assert_allclose(other, white[:3], atol=1e-12)
    with pytest.raises(ValueError, match="combination of the others"):
        whiten(np.column_stack([x, x[:, 0]]))


def test_two_features_have_exactly_the_stated_moments(rng):
    x = two_features(50, 100.0, -0.9, rng)
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(x.std(axis=0), [1.0, 100.0], rtol=1e-12)
    assert np.corrcoef(x.T)[0, 1] == pytest.approx(-0.9, rel=1e-12)
    for bad in ((2, 1.0, 0.0), (9, 0.0, 0.0), (9, 1.0, 1.0), (9, 1.0, -1.0)):
        with pytest.raises(ValueError, match="expected"):
            two_features(*bad, rng)


def test_each_epoch_has_its_own_order_and_the_seed_decides_it():
    x, y = np.ones((100, 1)), np.arange(100)
    batches = MiniBatches(x, y, 100, np.random.default_rng(0))
    (first,), (second,) = ([b for _, b in batches] for _ in range(2))
    assert not np.array_equal(first, second)
    (again,) = (b for _, b in MiniBatches(x, y, 100, np.random.default_rng(0)))
    np.testing.assert_array_equal(first, again)


def test_without_shuffling_the_order_is_that_of_the_data():
    x, y = np.ones((7, 1)), np.arange(7)
    got = [list(b) for _, b in MiniBatches(x, y, 3, shuffle=False)]
    assert got == [[0, 1, 2], [3, 4, 5], [6]]
    dropped = MiniBatches(x, y, 3, shuffle=False, drop_last=True)
    assert [list(b) for _, b in dropped] == [[0, 1, 2], [3, 4, 5]]
    assert len(dropped) == 2


def test_batches_are_copies():
    x, y = np.ones((4, 1)), np.arange(4)
    for a, b in MiniBatches(x, y, 2):
        a += 1
        b += 1
    np.testing.assert_array_equal(x, 1)
    np.testing.assert_array_equal(y, range(4))


def test_float32_data_stay_float32(rng):
    digits = load_digits(standardized=True, dtype=np.float32)
    assert [digits.x_train.dtype, digits.x_test.dtype] == [np.float32] * 2
    x = rng.normal(size=(20, 3)).astype(np.float32)
    assert [a.dtype for a in (*standardize(x, x), *whiten(x, x))] == [np.float32] * 4


def test_the_pixels_of_both_sets_are_sixteenths():
    digits = load_digits(seed=3)
    for images in (digits.x_train, digits.x_test):
        np.testing.assert_array_equal(np.unique(images * 16), np.arange(17))


def test_a_constant_feature_is_centred_and_not_divided():
    x_train = np.array([[0.0, 3.0], [2.0, 3.0]])
    train, test = standardize(x_train, np.array([[1.0, 5.0]]))
    np.testing.assert_array_equal(train, [[-1.0, 0.0], [1.0, 0.0]])
    np.testing.assert_array_equal(test, [[0.0, 2.0]])


#: Three features that are orthogonal, of mean 0 and variance 1.
ORTHOGONAL = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], float)


def test_whitening_looks_at_relative_variance_only():
    for scale in (1e-9, 1e9):
        np.testing.assert_allclose(whiten(ORTHOGONAL * scale)[0], ORTHOGONAL, rtol=1e-12)


def test_singular_features_are_refused_with_the_extreme_eigenvalues():
    with pytest.raises(ValueError) as caught:
        whiten(ORTHOGONAL * np.array([2.0**-28, 2.0**-10, 1.0]))
    assert str(caught.value) == (
        "x_train: expected features none of which is a combination of the others, "
        "got a covariance with eigenvalues from 1.39e-17 to 1"
    )
    with pytest.raises(ValueError, match="eigenvalues from 0 to 0"):
        whiten(np.ones((5, 2)))


def test_whiten_wants_one_width():
    with pytest.raises(ValueError, match=r"x: expected shape \(m, 3\)"):
        whiten(ORTHOGONAL, np.ones((2, 4)))


def test_two_features_can_be_three_examples_with_a_small_second_feature():
    x = two_features(3, 0.5, 0.0, np.random.default_rng(0))
    np.testing.assert_allclose(x.std(axis=0), [1.0, 0.5], rtol=1e-12)
    np.testing.assert_array_equal(x, two_features(3, 0.5, 0.0, np.random.default_rng(0)))


@EACH
@DTYPES
def test_standardised_features_are_exact(make, dtype, rng):
    x = frozen(make(rng).astype(dtype))
    (ours,) = standardize(x)
    right = exact.batch_norm(x, np.ones(3), np.zeros(3), 0.0)
    constant = np.ptp(x, axis=0) == 0
    sd = np.where(constant, 1.0, right["sd"].astype(float))
    z_norm = (exact.rational(x) - right["mu"]) / np.array([Fraction(s) for s in sd], object)
    unit, m = unit_of(x, sd), len(x)
    # NumPy sums down a C-ordered array one row after the other: up to m/2 roundings.
    tolerance = m * unit * (1 + np.abs(z_norm.astype(float)))
    assert ours.dtype == dtype
    assert (exact.difference(ours, z_norm) <= tolerance).all()


def test_whitening_names_the_covariance_that_overflowed():
    with (
        np.errstate(over="ignore"),
        pytest.raises(ValueError, match="^the covariance of x_train: "),
    ):
        whiten(np.array([[1e200, 0.0], [-1e200, 1.0], [1e200, 2.0]]))
