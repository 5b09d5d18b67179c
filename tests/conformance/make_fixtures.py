"""Make the fixtures: what PyTorch, Keras, Flax and ONNX compute, on inputs that are stored too.

    pip install -r tests/conformance/requirements.txt
    python tests/conformance/make_fixtures.py            write the fixtures
    python tests/conformance/make_fixtures.py --check    compare with the stored ones
    python tests/conformance/make_fixtures.py evaluation others    these only, which need PyTorch

The tests read the stored files and need none of these packages.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

FIXTURES = Path(__file__).with_name("fixtures")
BATCHES, M, N = 4, 8, 5


def inputs() -> dict[str, np.ndarray]:
    """Return four batches with features of very different scale, odd γ and β, and a test batch."""
    rng = np.random.default_rng(20150211)
    scale = np.array([1.0, 0.01, 100.0, 3.0, 0.5])
    offset = np.array([0.0, 5.0, -200.0, 1.0, -0.3])
    return {
        "z": rng.normal(size=(BATCHES, M, N)) * scale + offset,
        "dz": rng.normal(size=(BATCHES, M, N)),
        "z_test": rng.normal(size=(3, N)) * scale + offset,
        "gamma": rng.normal(1.0, 0.5, N),
        "beta": rng.normal(0.0, 0.5, N),
    }


def images() -> np.ndarray:
    """Return a batch whose axes have different lengths, so that a layer shows which it takes."""
    return np.random.default_rng(1).normal(size=(2, 3, 4, 5))


def feature_axis(y: np.ndarray) -> int:
    """Return the axis of the features of a normalised array: their means are 0, no others are."""
    axes = range(y.ndim)
    means = [y.mean(axis=tuple(a for a in axes if a != axis)) for axis in axes]
    (axis,) = (a for a in axes if np.allclose(means[a], 0, atol=1e-5))
    return axis


def by_start(values: dict[str, Any]) -> tuple[str, str]:
    """Return the names of the array that starts at 0 and of the one that starts at 1."""
    starts = {name: np.unique(np.asarray(value)).tolist() for name, value in values.items()}
    (zeros,), (ones,) = ([n for n, start in starts.items() if start == [x]] for x in (0.0, 1.0))
    return zeros, ones


def default(layer: type, argument: str) -> Any:
    """Return the default of an argument that the layer's constructor must have."""
    return inspect.signature(layer).parameters[argument].default


def written(arguments: dict[str, Any]) -> str:
    """Return keyword arguments as they are written in a call."""
    return ", ".join(f"{name}={value}" for name, value in arguments.items())


def torch_fixture(data: dict[str, np.ndarray]) -> tuple[dict[str, Any], dict[str, Any]]:
    """BatchNorm1d in float64, with gradients."""
    import torch

    layer = torch.nn.BatchNorm1d(N, dtype=torch.float64)
    initial = (layer.running_mean.numpy().copy(), layer.running_var.numpy().copy())
    shift, scale = by_start({k: v.detach() for k, v in layer.named_parameters()})
    stored = by_start({k: v for k, v in layer.named_buffers() if v.shape == (N,)})
    starts_in_training = layer.training
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(data["gamma"]))
        layer.bias.copy_(torch.from_numpy(data["beta"]))
    out: dict[str, list[Any]] = {k: [] for k in ("y", "dx", "dgamma", "dbeta", "mean", "var")}
    for z, dz in zip(data["z"], data["dz"], strict=True):
        x = torch.from_numpy(z).requires_grad_()
        layer.zero_grad()
        y = layer(x)
        y.backward(torch.from_numpy(dz))
        for name, value in (
            ("y", y),
            ("dx", x.grad),
            ("dgamma", layer.weight.grad),
            ("dbeta", layer.bias.grad),
            ("mean", layer.running_mean),
            ("var", layer.running_var),
        ):
            out[name].append(value.detach().numpy().copy())
    evaluate = "eval"
    getattr(layer, evaluate)()
    arrays = {k: np.array(v) for k, v in out.items()}
    arrays["y_test"] = layer(torch.from_numpy(data["z_test"])).detach().numpy()
    axis = feature_axis(
        torch.nn.BatchNorm2d(3, dtype=torch.float64)(torch.from_numpy(images())).detach().numpy()
    )
    frozen = torch.nn.BatchNorm1d(N, dtype=torch.float64).requires_grad_(False)
    centred = frozen(torch.from_numpy(data["z"][0])).mean(dim=0).abs().max() < 1e-9
    goes_on = bool(centred and frozen.running_mean.all())
    return arrays, {
        "framework": "PyTorch",
        "version": torch.__version__.split("+")[0],
        "class": "torch.nn.BatchNorm1d",
        "argument": "momentum",
        "default": default(torch.nn.BatchNorm1d, "momentum"),
        "epsilon": layer.eps,
        "initial_mean": float(initial[0][0]),
        "initial_var": float(initial[1][0]),
        "axis": axis,
        "scale_and_shift": [scale, shift],
        "stored": list(stored),
        "evaluation": f".{evaluate}()",
        "starts_in_training": starts_in_training,
        "frozen_uses": "batch" if goes_on else "stored",
    }


def keras_fixture(data: dict[str, np.ndarray]) -> tuple[dict[str, Any], dict[str, Any]]:
    """BatchNormalization on the PyTorch backend, in float64."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    keras.config.set_floatx("float64")  # else the inputs become float32
    layer = keras.layers.BatchNormalization(dtype="float64")
    layer.build((None, N))
    initial = (layer.moving_mean.numpy().copy(), layer.moving_variance.numpy().copy())
    shift, scale = by_start({v.name: v.numpy() for v in layer.trainable_weights})
    stored = by_start({v.name: v.numpy() for v in layer.non_trainable_weights})
    layer.gamma.assign(data["gamma"])
    layer.beta.assign(data["beta"])
    out: dict[str, list[Any]] = {k: [] for k in ("y", "mean", "var")}
    for z in data["z"]:
        out["y"].append(layer(z, training=True).detach().numpy())
        out["mean"].append(layer.moving_mean.numpy().copy())
        out["var"].append(layer.moving_variance.numpy().copy())
    arrays = {k: np.array(v) for k, v in out.items()}
    evaluate = {"training": False}
    arrays["y_test"] = layer(data["z_test"], **evaluate).detach().numpy()
    channels = keras.layers.BatchNormalization(dtype="float64")
    axis = feature_axis(channels(images(), training=True).detach().numpy())
    layer.trainable = False
    still = layer(data["z_test"], training=True).detach().numpy()
    return arrays, {
        "framework": "Keras",
        "version": keras.__version__,
        "class": "keras.layers.BatchNormalization",
        "argument": "momentum",
        "default": default(keras.layers.BatchNormalization, "momentum"),
        "epsilon": layer.epsilon,
        "initial_mean": float(initial[0][0]),
        "initial_var": float(initial[1][0]),
        "axis": axis - images().ndim,
        "scale_and_shift": [scale, shift],
        "stored": list(stored),
        "evaluation": written(evaluate),
        "frozen_uses": "stored" if np.array_equal(still, arrays["y_test"]) else "batch",
    }


def flax_fixture(data: dict[str, np.ndarray]) -> tuple[dict[str, Any], dict[str, Any]]:
    """linen.BatchNorm in float64, with gradients, its fast variance turned off."""
    import flax
    import jax

    jax.config.update("jax_enable_x64", True)
    from flax import linen

    layer = linen.BatchNorm(
        use_running_average=False,
        dtype=np.float64,
        param_dtype=np.float64,
        use_fast_variance=False,
    )
    variables = layer.init(jax.random.PRNGKey(0), data["z"][0])
    (collection,) = set(variables) - {"params"}
    initial = variables[collection]
    shift, scale = by_start(variables["params"])
    stored = by_start(initial)
    params = {"scale": data["gamma"], "bias": data["beta"]}
    # Flax makes them float32, whatever the other types are.
    stats = {name: np.asarray(value, np.float64) for name, value in initial.items()}
    out: dict[str, list[Any]] = {k: [] for k in ("y", "dx", "dgamma", "dbeta", "mean", "var")}
    for z, dz in zip(data["z"], data["dz"], strict=True):

        def forward(p: Any, x: Any, stats: Any = stats) -> Any:
            return layer.apply({"params": p, "batch_stats": stats}, x, mutable=["batch_stats"])

        y, pullback, updated = jax.vjp(forward, params, z, has_aux=True)
        dp, dx = pullback(dz)
        stats = updated["batch_stats"]
        for name, value in (
            ("y", y),
            ("dx", dx),
            ("dgamma", dp["scale"]),
            ("dbeta", dp["bias"]),
            ("mean", stats["mean"]),
            ("var", stats["var"]),
        ):
            out[name].append(np.array(value))
    arrays = {k: np.array(v) for k, v in out.items()}
    evaluate = {"use_running_average": True}
    arrays["y_test"] = np.array(
        layer.clone(**evaluate).apply({"params": params, "batch_stats": stats}, data["z_test"])
    )
    channels = linen.BatchNorm(use_running_average=False)
    y, _ = channels.init_with_output(jax.random.PRNGKey(0), images())
    return arrays, {
        "framework": "Flax",
        "version": flax.__version__,
        "class": "flax.linen.BatchNorm",
        "argument": "momentum",
        "default": default(linen.BatchNorm, "momentum"),
        "epsilon": layer.epsilon,
        "initial_mean": float(initial["mean"][0]),
        "initial_var": float(initial["var"][0]),
        "axis": feature_axis(np.asarray(y)) - images().ndim,
        "scale_and_shift": [scale, shift],
        "stored": [*stored, collection],
        "evaluation": written(evaluate),
        "use_fast_variance": default(linen.BatchNorm, "use_fast_variance"),
        "fast_variance_cancels": fast_variance_cancels(),
    }


def fast_variance_cancels() -> bool:
    """Whether Flax's default variance is lost in float32 where the other one is not."""
    import jax
    from flax import linen

    z = np.random.default_rng(2).normal(1e4, 1.0, (60, 1)).astype(np.float32)
    error = {}
    for fast in (True, False):
        layer = linen.BatchNorm(use_running_average=False, momentum=0.0, use_fast_variance=fast)
        variables = layer.init(jax.random.PRNGKey(0), z)
        _, updated = layer.apply(variables, z, mutable=["batch_stats"])
        error[fast] = abs(float(updated["batch_stats"]["var"][0]) / z.var(dtype=np.float64) - 1.0)
    return bool(error[True] > 0.5 and error[False] < 0.01)


def onnx_fixture(data: dict[str, np.ndarray]) -> tuple[dict[str, Any], dict[str, Any]]:
    """BatchNormalization of the reference evaluator, in float64; statistics are inputs of it."""
    import onnx
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    names = ["z", "scale", "b", "mean", "var"]
    train, evaluate = {"training_mode": 1}, {"training_mode": 0}

    def run(inputs: list[np.ndarray], mode: dict[str, int]) -> list[np.ndarray]:
        outputs = ["y", "mean_out", "var_out"] if mode == train else ["y"]
        node = helper.make_node("BatchNormalization", names, outputs, **mode)
        value = lambda name: helper.make_tensor_value_info(name, TensorProto.DOUBLE, None)  # noqa: E731
        graph = helper.make_graph(
            [node], "g", [value(k) for k in names], [value(k) for k in outputs]
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)])
        return ReferenceEvaluator(model).run(None, dict(zip(names, inputs, strict=True)))

    schema = onnx.defs.get_schema("BatchNormalization", 15)
    defaults = {
        k: helper.get_attribute_value(schema.attributes[k].default_value)
        for k in ("momentum", "epsilon")
    }
    mean, var = np.zeros(N), np.ones(N)
    out: dict[str, list[Any]] = {k: [] for k in ("y", "mean", "var")}
    for z in data["z"]:
        y, mean, var = run([z, data["gamma"], data["beta"], mean, var], train)
        for name, array in (("y", y), ("mean", mean), ("var", var)):
            out[name].append(array)
    arrays = {k: np.array(v) for k, v in out.items()}
    arrays["y_test"] = run([data["z_test"], data["gamma"], data["beta"], mean, var], evaluate)[0]
    channels = run([images(), np.ones(3), np.zeros(3), np.zeros(3), np.ones(3)], train)[0]
    _, scale, shift, *stored = (argument.name for argument in schema.inputs)
    return arrays, {
        "framework": "ONNX",
        "version": onnx.__version__,
        "class": "BatchNormalization, opset 15",
        "argument": "momentum",
        "default": round(float(defaults["momentum"]), 6),
        "epsilon": round(float(defaults["epsilon"]), 10),
        "initial_mean": None,
        "initial_var": None,
        "axis": feature_axis(channels),
        "scale_and_shift": [scale, shift],
        "stored": stored,
        "evaluation": written(evaluate),
    }


def others_fixture() -> dict[str, np.ndarray]:
    """Cross-entropy, four optimisers over ten steps, and the scales of the initialisers."""
    import torch

    rng = np.random.default_rng(7)
    z, y = rng.normal(0, 5, (6, 4)), rng.integers(0, 4, 6)
    tz = torch.from_numpy(z).requires_grad_()
    loss = torch.nn.functional.cross_entropy(tz, torch.from_numpy(y))
    loss.backward()
    theta, gradients = rng.normal(size=6), rng.normal(size=(10, 6))
    arrays = {
        "ce_z": z,
        "ce_y": y,
        "ce_loss": np.array(loss.item()),
        "ce_dz": tz.grad.numpy(),
        "theta": theta,
        "gradients": gradients,
    }
    makers = {
        "gradient_descent": lambda p: torch.optim.SGD(p, lr=0.1),
        "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.9),
        "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.9, eps=1e-8),
        "adam": lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.9, 0.999), eps=1e-8),
    }
    for name, make in makers.items():
        p = torch.nn.Parameter(torch.from_numpy(theta.copy()))
        optimizer = make([p])
        path = []
        for g in gradients:
            p.grad = torch.from_numpy(g.copy())
            optimizer.step()
            path.append(p.detach().numpy().copy())
        arrays[f"path_{name}"] = np.array(path)
    torch.manual_seed(0)
    shape = (600, 400)
    w = torch.empty(shape, dtype=torch.float64)
    arrays["std_he"] = np.array(torch.nn.init.kaiming_normal_(w, nonlinearity="relu").std().item())
    arrays["std_xavier"] = np.array(torch.nn.init.xavier_normal_(w).std().item())
    arrays["std_lecun"] = np.array(
        torch.nn.init.kaiming_normal_(w, nonlinearity="linear").std().item()
    )
    return arrays


def evaluation_fixture() -> dict[str, np.ndarray]:
    """BatchNorm1d in evaluation mode, with gradients: the running statistics are constants."""
    import torch

    rng = np.random.default_rng(1502)
    scale, offset = np.array([1.0, 0.01, 100.0, 3.0, 0.5]), np.array([0.0, 5.0, -200.0, 1.0, -0.3])
    arrays = {
        "z": rng.normal(size=(M, N)) * scale + offset,
        "dz": rng.normal(size=(M, N)),
        "gamma": rng.normal(1.0, 0.5, N),
        "beta": rng.normal(0.0, 0.5, N),
        "mean": offset + rng.normal(0.0, 0.3, N) * scale,
        "var": scale**2 * rng.uniform(0.5, 2.0, N),
    }
    layer = torch.nn.BatchNorm1d(N, dtype=torch.float64).eval()
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(arrays["gamma"]))
        layer.bias.copy_(torch.from_numpy(arrays["beta"]))
        layer.running_mean.copy_(torch.from_numpy(arrays["mean"]))
        layer.running_var.copy_(torch.from_numpy(arrays["var"]))
    x = torch.from_numpy(arrays["z"]).requires_grad_()
    y = layer(x)
    y.backward(torch.from_numpy(arrays["dz"]))
    return arrays | {
        "y": y.detach().numpy(),
        "dx": x.grad.numpy(),
        "dgamma": layer.weight.grad.numpy(),
        "dbeta": layer.bias.grad.numpy(),
    }


def check_agreement(value: np.ndarray, stored: np.ndarray, name: str) -> None:
    """Raise unless the two agree to 1e-12 of the largest value of their feature.

    With another number of threads, or other instructions, a framework adds in another order. One
    rounding of a mean that lies 500 standard deviations from zero, as that of the second feature,
    is 6e-14 of a standard deviation: much, relative to an output that happens to be close to zero.
    """
    assert value.shape == stored.shape, f"{name}: expected {stored.shape}, got {value.shape}"
    largest = np.abs(stored).max(axis=tuple(range(stored.ndim - 1)), keepdims=True)
    error = np.abs(value - stored)
    assert np.all(error <= 1e-12 * largest), (
        f"{name}: expected the stored values to 1e-12 of the largest, "
        f"got an error of {np.max(error / largest):.2g} of it"
    )


def main() -> int:
    """Write the fixtures, or compare them with the stored ones."""
    data, facts = inputs(), []
    plain = {"inputs": inputs, "others": others_fixture, "evaluation": evaluation_fixture}
    chosen = [name for name in sys.argv[1:] if name != "--check"]
    files: dict[str, dict[str, Any]] = {name: plain[name]() for name in chosen or plain}
    for make in (torch_fixture, keras_fixture, flax_fixture, onnx_fixture) if not chosen else ():
        arrays, fact = make(data)
        files[fact["framework"].lower()] = arrays
        facts.append(fact)
    if "--check" in sys.argv:
        stored_facts = json.loads((FIXTURES / "facts.json").read_text(encoding="utf-8"))
        assert chosen or facts == stored_facts, f"expected {stored_facts}, got {facts}"
        for name, arrays in files.items():
            with np.load(FIXTURES / f"{name}.npz") as stored:
                assert set(stored.files) == set(arrays), name
                for key, value in arrays.items():
                    check_agreement(np.asarray(value), stored[key], f"{name} {key}")
        print("the installed frameworks agree with the stored fixtures")
        return 0
    FIXTURES.mkdir(exist_ok=True)
    for name, arrays in files.items():
        np.savez_compressed(FIXTURES / f"{name}.npz", **arrays)
    if not chosen:
        text = json.dumps(facts, indent=1) + "\n"
        (FIXTURES / "facts.json").write_text(text, encoding="utf-8")
    print(f"wrote {len(files)} files of fixtures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
