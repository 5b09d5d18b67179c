"""Chapter 4: small parts of its runs, its figures' words, its explorables' teaching points."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from bncourse import BatchNorm, GradientDescent, ReLU, load_digits, mlp
from bncourse.chapters.common import SIZES
from bncourse.chapters.minibatches import explore, figures, runs
from bncourse.display import Card

from .checks import (
    check_controls,
    check_picture,
    check_range,
    check_words,
    explorables_of,
    numbers,
    record,
)

EXPLORABLES = ("batch_mates",)


CARD = Card("Why?", "None.", "Training.", {"seed": [0]})


def company(mixed, same):
    rows = {
        (bn, kind): np.full((2, 3), value if bn else 0.98)
        for bn in (False, True)
        for kind, value in zip(runs.COMPANIES, (mixed, same), strict=True)
    }
    rows[True, runs.COMPANIES[0]] = mixed * np.array([[0.5, 0.9, 1.0]] * 2)
    return runs.Company((2, 8, 128), rows, CARD)


def wobble(scale):
    m = np.array([4.0, 60.0, 240.0])
    return runs.Wobble((4, 60, 240), scale / np.sqrt([m, m]), 1.4 * scale / np.sqrt([m, m]), CARD)


def sorted_batches(pure, mixed):
    def of(value):
        return {(order, bn): [value - bn] * 2 for order in runs.ORDERS for bn in (False, True)}

    return runs.Sorted(of(0.9), of(pure), of(mixed), (15, 9), CARD)


def tiny_batches(with_bn):
    rows = ({1: 0.7, 2: 0.9, 4: 0.9}, with_bn, {2: 0.7, 4: 0.7})
    return runs.BySize(
        {
            kind: {m: [value] * 3 for m, value in row.items()} | {8: [0.8] * 3, 16: [0.8] * 3}
            for kind, row in zip(runs.TINY, rows, strict=True)
        },
        CARD,
    )


#: For each figure two calls, and what the words must say after each.
CALLS = {
    "company": [
        (
            (company(0.8, 0.1),),
            r"without, mixed digits: 0\.98 in each\. .* 0\.40, 0\.72 and 0\.80",
        ),
        ((company(0.5, 0.2),), r"with batch norm, the same digit: 0\.20 in each\."),
    ],
    "same_dot": [
        ((), r"5 reads 0\.447\. In the batch 5, 7, 9 and 11 .* zero at 8 .* 5 reads −1\.342"),
        ((7.0, ((1.0, 7.0), (7.0, 9.0))), r"7 reads 1\.000\. .* 7 reads −1\.000"),
    ],
    "strings": [
        ((), r"\{1, 3\} and \{5, 7\}, 1 and 5 read −1 .* \{3, 7\}, 1 and 3 read −1"),
        (
            ((((1.0, 7.0), (3.0, 5.0)), ((1.0, 3.0), (5.0, 7.0))),),
            r"\{3, 5\}, 1 and 3 read −1 and 5 and 7 read 1\. .* 1 and 5 read −1",
        ),
    ],
    "wobble": [
        ((wobble(1.0),), r"slope −1\.0 .* off by 0\.13 .* 0\.18 of itself; .* 0\.13 and 0\.18"),
        ((wobble(2.0),), r"off by 0\.26 .* 0\.36 of itself; .* 0\.13 and 0\.18"),
    ],
    "sorted_batches": [
        (
            (sorted_batches(3.5, 2.0),),
            r"digit, pure: 3\.50 without and 2\.50 .* 15 hold one .*, 9",
        ),
        ((sorted_batches(2.0, 3.0),), r"digit, mixed: 3\.00 without and 2\.00 .* costs 2\.30"),
    ],
    "small_batches": [
        ((tiny_batches({2: 0.2, 4: 0.9}),), r"more than 0\.3 below that without in batches of 2,"),
        ((tiny_batches({2: 0.9, 4: 0.9}),), r"in batches of no size, .* batches of 2, 4, 8 and"),
    ],
}


@functools.cache
def made(name):
    """Return an explorable, made once."""
    return getattr(explore, name)(steps=100)


def test_every_figure_and_every_explorable_is_here():
    assert set(CALLS) == set(figures.__all__)
    assert set(EXPLORABLES) == explorables_of(explore)


@pytest.mark.parametrize("name", CALLS)
def test_the_words_follow_the_numbers(name):
    check_words(getattr(figures, name), CALLS[name])


def test_the_picture_is_small_and_twice_the_size_of_its_place():
    name = "same_dot"
    check_picture(getattr(figures, name)(*CALLS[name][0][0]))


@pytest.mark.parametrize("name", EXPLORABLES)
def test_the_callback_holds_over_the_whole_range_of_its_controls(name):
    check_range(made(name))


@pytest.mark.parametrize("name", EXPLORABLES)
def test_each_control_changes_the_words(name):
    check_controls(made(name))


@pytest.mark.parametrize("draw", [1, 2, 3])
def test_company_of_the_same_digit_misleads_and_only_with_batch_norm(draw):
    explorable = explore.batch_mates()
    for m in (8, 32, 128):
        mixed, same = (
            explorable.at(m=m, company=company, draw=draw) for company in runs.COMPANIES
        )
        assert "with batch norm it is taken for a 0" in mixed
        assert "with batch norm it is taken for a 5" in same
        assert numbers(r"own class gets ([\d.]+)", same)[0] < 0.1
        assert numbers(r"without for a 0 \(([\d.]+)", mixed)[0] > 0.9
        # The network without batch norm never looks at the others.
        assert mixed.split("; ")[1] == same.split("; ")[1]


def test_a_dealer_gives_batches_of_one_digit_and_every_image_once():
    _, y = runs.as_many_of_each(load_digits())
    dealer = runs.Dealer(y, 0)
    first, second = dealer.permutation(len(y)), dealer.permutation(len(y))
    for order in (first, second):
        assert sorted(order) == list(range(len(y)))
        assert {len(set(batch)) for batch in y[order].reshape(-1, 60)} == {1}
    # The batches hold others in the next epoch, and come in another order.
    assert set(first[:60]) not in [set(batch) for batch in second.reshape(-1, 60)]
    assert list(y[first]) != list(y[second])
    with pytest.raises(ValueError, match="n: expected 1200, got 60"):
        dealer.permutation(60)


@pytest.mark.parametrize("bn", [False, True])
def test_the_stored_run_deals_as_the_reader_s_loop_does(bn):
    def loop(net, x, y, batch_size, learning_rate, epochs, rng):
        losses = []
        for _ in range(epochs):
            order = rng.permutation(len(x))
            for start in range(0, len(x), batch_size):
                batch = order[start : start + batch_size]
                losses.append(runs.backpropagate(net, x[batch], y[batch]))
                net.theta -= learning_rate * net.dtheta
        return losses

    looped = runs.with_loop(loop, epochs=2, seeds=(0,))
    for deal in runs.DEALS[3:5]:
        stored = runs.dealt(0, bn, deal, steps=40)
        assert looped.accuracy[deal, bn] == [stored["accuracy"]]
        assert looped.loss[deal, bn] == pytest.approx([np.mean(stored["losses"])], rel=1e-12)


def test_what_is_taken_for_the_digit_of_the_batch_before_is_counted():
    ended = runs.dealt(0, True, runs.DEALS[3], steps=60)
    assert 0.0 <= ended["own"] + ended["previous"] <= 1.0
    assert all(ended["pure"])
    assert runs.dealt(0, True, runs.ORDERS[0], steps=3)["previous"] is None


def test_the_sorted_batches_are_counted():
    ended = runs.sorted_batches()
    assert ended.batches == (15, 9)
    assert len(ended.pure[runs.ORDERS[1], True]) == 5
    assert len(ended.accuracy[runs.ORDERS[1], True]) == 30
    assert all(np.isnan(ended.pure[runs.DEALS[5], True]))
    assert all(np.isnan(ended.pure[runs.ORDERS[0], True]))


def test_only_the_mixed_batches_are_dealt_where_that_is_asked():
    ended = runs.dealt(0, True, runs.DEALS[5], steps=18)
    assert ended["pure"] == [False] * 9
    assert len(ended["losses"]) == 9
    ended = runs.dealt(0, True, runs.ORDERS[1], steps=48, stops=6)
    assert ended["accuracy"] == ended["stops"][-1]
    assert len(ended["stops"]) == 6


def test_shuffling_only_the_batches_leaves_the_colleague_at_chance():
    x, y = runs.as_many_of_each(load_digits())
    order = np.argsort(y, kind="stable")
    weights, rng = np.random.default_rng(0).spawn(2)
    net = mlp(SIZES, ReLU, BatchNorm, rng=weights)
    for _ in range(10):
        losses = []
        for start in rng.permutation(range(0, len(x), 60)):
            batch = order[start : start + 60]
            losses.append(runs.backpropagate(net, x[batch], y[batch]))
            net.theta -= 0.1 * net.dtheta
    assert np.mean(losses) > 2.35
    assert runs.full_statistics_accuracy(net, load_digits()) < 0.2


def test_it_is_the_mean_of_the_company_that_misleads():
    right = {half: np.median(v) for half, v in runs.company_halves().right.items()}
    both, mean, variance, none = (right[half] for half in runs.HALVES_OF_COMPANY)
    assert max(both, mean) < 0.25
    assert 0.9 < variance < none


def test_in_company_an_image_is_among_those_that_were_chosen():
    digits = load_digits()
    same = runs.mates(8, runs.COMPANIES[1], np.random.default_rng(0))
    assert set(digits.y_train[same]) == {0}
    mixed = runs.mates(32, runs.COMPANIES[0], np.random.default_rng(0))
    assert len(set(mixed)) == 31
    assert len(set(digits.y_train[mixed])) > 5


# --- Pages 4.1 Use the noise, and 4.2 Count what small batches lose


def ghost_table(of_eight):
    def row(value):
        return {
            key: [value] * 3
            for key in ("training", "test", "noisy training", "noisy test", "accuracy")
        }

    sizes = {None: 0.2, 128: 0.4, 8: of_eight, 2: 1.5}
    return record(
        runs.GhostLosses,
        card=CARD,
        values={(s, 0.1, False, 300): row(v) for s, v in sizes.items()},
    )


def dealt(last):
    sizes = np.array([2, 60, 1000])
    return record(
        runs.Dealt,
        card=CARD,
        sizes=sizes,
        replaced=np.ones((2, 3)),
        dealt=np.array([[1.0, 0.9, last]] * 2),
        population=1437,
    )


def outcomes(capped):
    values = {
        (arm, 2, 0.05, epsilon, back): {"accuracy": [0.5, 0.6]}
        for arm, epsilon, back, _ in figures.OUTCOMES
    }
    values[runs.SMALL[4], 2, 0.05, 1e-5, 1e-5] = {"accuracy": [capped]}
    return record(runs.SmallBatches, card=CARD, values=values)


DEEPER_CALLS = {
    "ghost_losses": [
        ((ghost_table(0.1),), r"in evaluation mode .* test loss from 0\.400 to 0\.100\. Without"),
        ((ghost_table(0.6),), r"test loss from 0\.400 to 0\.600\. .* At 2 all four are above 1"),
    ],
    "dealt_means": [
        ((dealt(0.3),), r"1\.00 times σ²/m at m = 2, .* and 0\.30 at 1,000"),
        ((dealt(0.2),), r"and 0\.20 at 1,000"),
    ],
    "small_outcomes": [
        ((outcomes(0.3),), r"0\.3 steps of hidden w capped"),
        ((outcomes(0.9),), r"0\.9 steps of hidden w capped"),
    ],
}
CALLS.update(DEEPER_CALLS)


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_hands_of_four_dots_obey_the_finite_population_factor(m):
    hands, means, variances = zip(*runs.deals((1, 3, 5, 7), m), strict=True)
    assert len(set(hands)) == len(hands)
    assert np.var(means) == pytest.approx(5 / m * (4 - m) / 3, abs=1e-12)
    # Between and within make up the whole.
    assert np.var(means) + np.mean(variances) == pytest.approx(5)


def test_dealt_and_drawn_means_follow_the_formulas():
    found = runs.dealt_means(seeds=(3, 4))
    m, n = found.sizes, found.population
    np.testing.assert_allclose(found.replaced, 1.0, atol=0.1)
    np.testing.assert_allclose(found.dealt, np.tile((n - m) / (n - 1), (2, 1)), atol=0.1)
    bell = np.sqrt(2 * (m - 1)) / m
    np.testing.assert_allclose(np.median(found.spread, axis=0)[:4], bell[:4], rtol=0.15)


def test_without_batch_norm_the_modes_do_not_differ():
    plain, ghost = (runs.ghost_losses(3, size, images=130, steps=4) for size in (None, 8))
    for name in ("training", "test"):
        assert plain[name] == plain[f"noisy {name}"]
        assert ghost[name] != ghost[f"noisy {name}"]


def test_parts_of_the_whole_batch_are_ordinary_batch_norm():
    net, same = runs.ghost_network(128, 0), mlp(SIZES, ReLU, rng=np.random.default_rng(0))
    x, y = load_digits().x_train[:128], load_digits().y_train[:128]
    a, b = (runs.accumulate(each, x, y, 128) for each in (net, same))
    np.testing.assert_allclose(a, b, atol=1e-12)


def test_what_the_stored_ghosts_say():
    found = runs.ghosts()
    for size in (64, 32, 16, 8):
        assert found.lower(size, 128) >= 9
    # Against no batch norm it depends on the inputs and on the number of images.
    assert 2 <= found.lower(8, None) <= 8
    assert found.lower(128, None) <= 1
    assert found.lower(8, None, 0.1, standardized=True) == 10
    assert found.lower(8, None, 0.1, images=None) >= 9
    assert found.lower(8, 128, 1.0, standardized=True) < 6
    # With the noise off the training loss falls on few images, and rises on all.
    assert found.lower(8, 128, key="training") >= 9
    for rate in (0.1, 0.3):
        assert found.lower(128, 8, rate, images=None, key="training") >= 9
        assert found.lower(8, 128, rate, images=None) >= 7
    assert found.lower(128, 8, key="accuracy") >= 7
    training = [np.median(found.of(size)["training"]) for size in (128, 8)]
    noisy = [np.median(found.of(size)["noisy training"]) for size in (128, 8)]
    assert training[1] < training[0]
    assert noisy[1] > 5 * noisy[0]


def test_sorted_ghosts_lose_what_random_ones_do_not():
    found = runs.sorted_ghosts(seeds=(3,), steps=60)
    plain, as_dealt, by_digit = (
        found.losses[key][0] for key in ((False, False), (True, False), (True, True))
    )
    assert found.losses[False, True][0] == pytest.approx(plain, rel=1e-6)
    assert by_digit > 2 * as_dealt


def test_dividing_is_the_half_that_costs():
    losses = runs.halves_of_standardising(seeds=(3,)).losses
    nothing, subtract, divide, both, alike, centred = (losses[name][0] for name in runs.HALVES)
    assert max(subtract, alike, centred) < 1.2 * nothing
    assert min(divide, both) > 1.2 * nothing


def test_a_batch_of_two_has_few_winners_and_never_the_same():
    lots = runs.lottery(sizes=(2, 60), seeds=range(4))
    assert max(lots.winners[2]) < 12
    assert min(lots.winners[60]) > 250
    assert np.median(lots.again[2]) == 0
    assert np.median(lots.again[60]) > 0.9
    assert np.median(lots.narrow[2]) < 0.1


def test_what_is_held_still_stays_and_what_is_capped_is_not_thrown():
    free, output, still, capped, fresh = (runs.small_batch(3, arm, 2) for arm in runs.SMALL[1:])
    assert free["largest"] > 20
    assert output["largest"] == still["largest"] == 0.0
    # γ and β are trained in the one and not in the other.
    assert output["accuracy"] != still["accuracy"]
    # The hidden layers are those of the free network, the output layer isn't.
    assert fresh["accuracy"] != free["accuracy"]
    assert {**fresh, "accuracy": 0} == {**free, "accuracy": 0}
    assert 0 < capped["largest"] < 1


def test_what_the_stored_small_batches_say():
    found = runs.small_batches()
    plain, free, output, still, capped, fresh = (
        np.array(found.of(arm)["accuracy"]) for arm in runs.SMALL
    )
    soft, soft_output = (
        np.array(found.of(arm, epsilon=runs.SOFT)["accuracy"]) for arm in runs.SMALL[1:3]
    )
    assert np.mean(free < output) > 0.9
    assert np.mean(capped < output) > 0.9
    assert np.mean(free < capped) > 0.9
    assert np.mean(still < output) > 0.7
    assert np.mean(soft > soft_output) > 0.9
    assert np.median(output) + 0.1 < np.median(soft) < np.median(plain)
    forwards, backwards = (
        np.array(found.of(runs.SMALL[1], epsilon=epsilon, back=back)["accuracy"])
        for epsilon, back in ((runs.SOFT, 1e-5), (1e-5, runs.SOFT))
    )
    assert np.mean(forwards < soft_output) > 0.9
    assert np.mean(backwards > output) > 0.9
    assert np.median(backwards) - np.median(free) > 0.3
    assert abs(np.median(forwards) - np.median(free)) < 0.12
    assert np.mean(fresh < output) > 0.9
    # For an output that all images fit, the trained layers are not worse at that rate.
    readouts = [np.median(found.of(arm)["readout"]) for arm in runs.SMALL[1:3]]
    assert abs(readouts[0] - readouts[1]) < 0.03
    moved = found.of(runs.SMALL[1])
    assert 0.1 < np.median(moved["still"]) < 0.35
    assert 0.5 < np.median(moved["median"]) < 2
    assert np.median(moved["largest"]) > 100
    # At the smallest rate the output layer alone is not the better one.
    assert (
        np.mean(
            np.array(found.of(runs.SMALL[1], rate=0.005)["accuracy"])
            > found.of(runs.SMALL[2], rate=0.005)["accuracy"]
        )
        > 0.7
    )


def test_accumulation_is_ghost_batches_and_not_a_large_batch():
    found = runs.accumulated(parts=(64, 8, 2), seeds=(5, 6))
    assert found.without.max() < 1e-12
    assert found.ghosts.max() < 1e-8
    assert 0.1 < found.with_bn[:, 0].max() < 0.6
    assert found.with_bn[:, 2].min() > 5


def test_accumulated_steps_take_the_path_of_ghost_batches():
    x, y = load_digits().x_train[:32], load_digits().y_train[:32]
    ghost, small = (
        runs.ghost_network(8, 0),
        mlp(SIZES, ReLU, BatchNorm, rng=np.random.default_rng(0)),
    )
    optimizers = GradientDescent(0.1), GradientDescent(0.1)
    for _ in range(3):
        gradients = runs.accumulate(ghost, x, y, 32), runs.accumulate(small, x, y, 8)
        for net, optimizer, gradient in zip((ghost, small), optimizers, gradients, strict=True):
            optimizer.step(net.theta, gradient)
    np.testing.assert_allclose(ghost.theta, small.theta, atol=1e-9)
