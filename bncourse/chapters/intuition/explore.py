"""The explorables of chapter 5: noisy batch norm, the landscape walk, the depth profile."""

from __future__ import annotations

from functools import partial

import numpy as np

from bncourse.chapters.intuition.figures import ALIKE
from bncourse.chapters.intuition.runs import (
    ACTIVATIONS,
    ETAS,
    NETWORKS,
    Trace,
    growth_per_layer,
    narrow_gradient_norms,
    narrow_profile,
    narrow_profiles,
    predicted_profile,
    trace,
    walk,
)
from bncourse.display import Choice, Explorable, FigureWithWords, Range, Switch
from bncourse.display.style import GREEN, GREY, INK, WITH, WITHOUT, new_figure, style


def draw_noisy_batch_norm(references: dict[str, Trace], level: float) -> FigureWithWords:
    """Draw the training of a network with noisy batch norm beside two without the noise."""
    noisy = trace(0, "noisy", level)
    with style():
        figure, axes = new_figure(6.0, 3.0, 1, 2, width_ratios=[1.5, 1])
        for k, (run, colour) in enumerate(
            ((references["none"], WITHOUT), (references["batch norm"], WITH), (noisy, GREEN))
        ):
            axes[0].plot(run.steps, run.accuracy, color=colour, linewidth=1.8)
            axes[1].bar(k, run.drift, color=colour, width=0.7)
        axes[0].axhline(0.9, color=INK, linewidth=1, linestyle=":")
        axes[0].set_ylim(0, 1.02)
        axes[0].set_xlabel("step")
        axes[0].set_title("test accuracy", fontsize=11.5)
        for name, height, colour in (
            ("no batch norm", 0.28, WITHOUT),
            ("batch norm", 0.17, WITH),
            ("noisy batch norm", 0.06, GREEN),
        ):
            axes[0].annotate(
                name,
                (noisy.steps[-1], height),
                ha="right",
                fontsize=10,
                fontweight="bold",
                color=colour,
            )
        axes[1].set_xticks([0, 1, 2], ["none", "BN", "noisy"])
        axes[1].set_ylim(0, 2.0)
        axes[1].grid(visible=False, axis="x")
        axes[1].set_title("drift in 10 steps, sd", fontsize=11.5)
    words = (
        f"At noise level {level:g} a unit's mean drifts by {noisy.drift:.2f} standard deviations "
        f"in 10 steps ({references['none'].drift:.2f} without batch norm). Steps to 90 %: "
        f"{_steps(noisy)} with noisy batch norm, {_steps(references['batch norm'])} with batch "
        f"norm, {_steps(references['none'])} without."
    )
    return FigureWithWords(figure, words)


def _steps(run: Trace) -> str:
    reached = run.reached()
    return f"more than {run.steps[-1]}" if reached is None else str(reached)


def noisy_batch_norm() -> Explorable:
    """Return the explorable: how unstable the layers may be before training slows down."""
    references = {name: trace(0, name, 0.0) for name in ("none", "batch norm")}
    return Explorable(
        "Noisy batch norm",
        partial(draw_noisy_batch_norm, references),
        {"level": Range("noise level", (0.0, 0.5, 1.0, 2.0, 4.0, 8.0), 0.0, step=0.25)},
    )


def draw_landscape_walk(activation: str, gain: float, step: int) -> FigureWithWords:
    """Draw loss and gradient along the negative gradient, without and with batch norm."""
    both = walk(activation, gain, step)
    with style():
        figure, axes = new_figure(6.0, 3.0, 1, 2)
        for run, colour, name in (
            (both.without, WITHOUT, "without"),
            (both.with_bn, WITH, "with batch norm"),
        ):
            axes[0].plot(ETAS, run.loss, "o-", color=colour, markersize=4, label=name)
            axes[1].plot(ETAS, run.smoothness, "o-", color=colour, markersize=4)
        axes[0].set_ylim(0, 1.45 * axes[0].get_ylim()[1])
        axes[0].legend(loc="upper right")
        axes[0].set_title("loss, nats", fontsize=11.5)
        axes[1].set_yscale("log")
        axes[1].set_title("gradient change / length", fontsize=11.5)
        axes[1].set_ylim(3e-3, 80)
        for ax in axes:
            ax.set_xlabel("walked, in learning rates")
    if max(both.ratio, 1 / both.ratio) < ALIKE:
        finding = f"alike, to a factor of {ALIKE}"
    else:
        finding = "smoother with it" if both.ratio > 1 else "rougher with it"
    words = (
        f"{activation}, gain {gain:.2g}, step {step}: effective β-smoothness is "
        f"{both.without.smoothness.max():.2g} without batch norm and "
        f"{both.with_bn.smoothness.max():.2g} with it, ratio {both.ratio:.2g}: {finding}. "
        f"{ETAS[-1]:g} learning rates down, the loss is {both.without.loss[-1]:.2f} nats without "
        f"and {both.with_bn.loss[-1]:.2f} with."
    )
    return FigureWithWords(figure, words)


def landscape_walk() -> Explorable:
    """Return the explorable: where batch norm makes the landscape smoother, and where rougher."""
    return Explorable(
        "The landscape walk",
        draw_landscape_walk,
        {
            "activation": Choice("activation", tuple(ACTIVATIONS), "ReLU"),
            "gain": Range("gain on the initial weights", (0.3, 1.0, 3.0), 1.0, log=True),
            "step": Range("training steps before", (0, 100), 0, step=1, form="{:.0f}"),
        },
    )


def draw_depth_profile(depth: int, activation: str, batch_norm: bool) -> FigureWithWords:
    """Draw the gradient norm of every layer at the start; the other network is grey."""
    with style():
        figure, ax = new_figure(5.6, 3.0)
        for bn, colour in (
            (not batch_norm, "#cfcdc6"),
            (batch_norm, WITH if batch_norm else WITHOUT),
        ):
            values = narrow_gradient_norms(activation, bn, depth)
            ax.semilogy(np.arange(1, depth + 1), values / values[-1], color=colour)
        ax.axhline(1, color=GREY, linewidth=1, linestyle=":")
        ax.set_xlabel("layer, from the input (left)")
        ax.set_ylabel("gradient norm over last")
        growth = growth_per_layer(narrow_gradient_norms(activation, batch_norm, depth))
        name = f"{activation} {'with' if batch_norm else 'without'} batch norm"
        ax.set_title(f"{name}: × {growth:.2f} per layer")
    first = narrow_gradient_norms(activation, batch_norm, depth)
    words = (
        f"{depth} layers of {activation} {'with' if batch_norm else 'without'} batch norm: the "
        f"gradient is multiplied by {growth:.2f} per layer towards the input, and the first "
        f"layer's is {_one_digit(float(first[0] / first[-1]))} times the last one's."
    )
    return FigureWithWords(figure, words)


def _one_digit(value: float) -> str:
    """Return a positive number to one significant digit, as one writes it."""
    if value >= 0.1:
        return f"{float(f'{value:.1g}'):,g}"
    mantissa, exponent = f"{value:.0e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa} · 10{raised}"


def depth_profile() -> Explorable:
    """Return the explorable: gradients through many layers, without and with batch norm."""
    return Explorable(
        "The depth profile",
        draw_depth_profile,
        {
            "depth": Range("hidden layers", (15, 30, 60), 30, high=80, step=1, form="{:.0f}"),
            "activation": Choice("activation", tuple(ACTIVATIONS), "sigmoid"),
            "batch_norm": Switch("batch norm"),
        },
    )


# --- 5.3, Look through fifty layers


def draw_deep_gradients(activation: str, network: str, depth: int) -> FigureWithWords:
    """Draw the gradient norm of every layer at the start, and what is predicted."""
    values = narrow_profile(activation, network, depth)
    line = predicted_profile(activation, network, depth)
    layers = np.arange(1, depth + 1)
    with style():
        figure, ax = new_figure(5.6, 3.0)
        ax.axhline(1, color=GREY, linewidth=1, linestyle=":")
        colour = WITHOUT if network == "plain" else WITH
        ax.semilogy(layers, values / values[-1], color=colour)
        if line is not None:
            ax.semilogy(layers, line, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
        ax.set_ylim(1e-5 if network != "plain" or activation != "sigmoid" else 1e-38, 1e6)
        ax.set_xlabel("layer, from the input (left)")
        ax.set_ylabel("gradient norm over last")
        first = float(values[0] / values[-1])
        ax.set_title(f"First over last: {_few_digits(first)}")
    words = (
        f"{depth} layers of {activation}, {network}: the first layer's gradient is "
        f"{_few_digits(first)} times the last one's"
    )
    if line is not None:
        words += f", and the derivation says {_few_digits(float(line[0]))} times"
    return FigureWithWords(figure, words + ".")


def _few_digits(value: float) -> str:
    """Return a ratio to two digits, and one far below 1 to a power of ten."""
    return f"{float(f'{value:.2g}'):,g}" if value >= 0.1 else _one_digit(value)


def deep_gradients() -> Explorable:
    """Return the explorable: gradients through many layers, as measured and as derived."""
    depths = (15, 30, 60)
    return Explorable(
        "Gradients through many layers",
        draw_deep_gradients,
        {
            "activation": Choice("activation", tuple(ACTIVATIONS), "sigmoid"),
            "network": Choice("network", tuple(NETWORKS), "plain"),
            "depth": Range("hidden layers", depths, 30, high=80, step=1, form="{:.0f}"),
        },
        narrow_profiles(depths).card,
    )
