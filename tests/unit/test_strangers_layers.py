"""Layers written by somebody who has read the docstring of `Layer` and nothing else.

Right ones are short and work. Each natural way of writing one wrong either learns what a right one
learns, or is refused with a message that names the class or the parameter and says what to write.
None is accepted and then fails to learn.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from bncourse import (
    Dense,
    GradientDescent,
    Layer,
    ReLU,
    Residual,
    Sequential,
    accuracy,
    gradient_check,
    train,
)

N = 20


class LayerNorm(Layer):
    def __init__(self, n):
        super().__init__(n, n, gamma=np.ones(n), beta=np.zeros(n))

    def _forward(self, x, training):
        self.sd = np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
        self.x_norm = (x - x.mean(axis=1, keepdims=True)) / self.sd
        return self.gamma * self.x_norm + self.beta

    def _backward(self, dz):
        self.grads["gamma"] = (dz * self.x_norm).sum(axis=0)
        self.grads["beta"] = dz.sum(axis=0)
        d = dz * self.gamma
        d = d - d.mean(axis=1, keepdims=True)
        return (d - self.x_norm * (d * self.x_norm).mean(axis=1, keepdims=True)) / self.sd


class Dropout(Layer):
    def __init__(self, rng):
        self.rng = rng

    def _forward(self, x, training):
        self.mask = (self.rng.random(x.shape) < 0.8) / 0.8 if training else np.ones(x.shape)
        return x * self.mask

    def _backward(self, dz):
        return dz * self.mask


class Scale(Layer):
    def __init__(self, n):
        super().__init__(n, n, alpha=np.array(0.5))

    def _forward(self, x, training):
        self.x = x
        return self.alpha * x

    def _backward(self, dz):
        self.grads["alpha"] = np.sum(dz * self.x)
        return self.alpha * dz


def scaled_block(n, rng):
    return Residual([Dense(n, n, rng=rng), ReLU(), Dense(n, n, rng=rng), Scale(n)])


def code_lines(thing):
    return [line for line in inspect.getsource(thing).splitlines() if line.strip()]


def network(*middle):
    rng = np.random.default_rng(5)
    first, last = Dense(64, N, rng=rng), Dense(N, 10, rng=rng)
    return Sequential([first, *middle, ReLU(), last])


RIGHT = {
    "layer norm": (lambda n, rng: LayerNorm(n), [LayerNorm], 14),
    "dropout": (lambda n, rng: Dropout(rng), [Dropout], 10),
    "scaled residual block": (scaled_block, [Scale, scaled_block], 12),
}
each_right = pytest.mark.parametrize(("make", "parts", "most"), RIGHT.values(), ids=RIGHT)


@each_right
def test_a_layer_is_short(make, parts, most):
    assert sum(len(code_lines(part)) for part in parts) <= most


@each_right
@pytest.mark.parametrize("training", [True, False])
def test_it_passes_the_gradient_check_in_both_modes(make, parts, most, training, rng):
    net = Sequential([Dense(4, 5, rng=rng), make(5, rng), Dense(5, 3, rng=rng)])
    net.theta += rng.normal(0.1, 0.3, net.theta.size)
    x, y = rng.normal(size=(6, 4)), rng.integers(0, 3, 6)
    assert gradient_check(net, x, y, training=training) < 1e-6


@each_right
def test_it_learns_the_digits(make, parts, most, digits, rng):
    net = network(make(N, rng))
    before = [la.copy() for la in net.layers[1].params.values()]
    train(net, *digits[:2], optimizer=GradientDescent(0.5), batch_size=64, steps=100, rng=rng)
    assert accuracy(net, *digits[2:]) > 0.85
    for now, then in zip(net.layers[1].params.values(), before, strict=True):
        assert (now != then).all()


# Wrong ones. Each is this layer, but for what its name says.


class Affine(Layer):
    def __init__(self, n):
        super().__init__(n, n, gamma=np.ones(n), beta=np.zeros(n))

    def _forward(self, x, training):
        self.x = x
        return self.gamma * x + self.beta

    def _backward(self, dz):
        self.grads["gamma"] = (dz * self.x).sum(axis=0)
        self.grads["beta"] = dz.sum(axis=0)
        return dz * self.gamma


class PlainDicts(Affine):
    def __init__(self, n):
        super().__init__(n)
        self.params = {"gamma": np.ones(n), "beta": np.zeros(n)}


class PlainGradients(Affine):
    def _backward(self, dz):
        self.grads = {"gamma": (dz * self.x).sum(axis=0), "beta": dz.sum(axis=0)}
        return dz * self.gamma


class DictsOfTheClass(Affine):
    params = {"gamma": np.ones(N), "beta": np.zeros(N)}  # noqa: RUF012


class GradientsOfTheClass(Affine):
    grads = {"gamma": np.zeros(N), "beta": np.zeros(N)}  # noqa: RUF012


class PropertiesOfItsOwn(Layer):
    def __init__(self, n):
        super().__init__(n, n)
        self.gamma = np.ones(n)

    @property
    def params(self):
        return {"gamma": self.gamma}

    @property
    def grads(self):
        return {"gamma": self.dgamma}

    def _forward(self, x, training):
        self.x = x
        return self.gamma * x

    def _backward(self, dz):
        self.dgamma = (dz * self.x).sum(axis=0)
        return dz * self.gamma


class Adding(Affine):
    def _backward(self, dz):
        self.grads["gamma"] += (dz * self.x).sum(axis=0)
        self.grads["beta"] += dz.sum(axis=0)
        return dz * self.gamma


class AddingInPlace(Affine):
    def _backward(self, dz):
        self.grads["gamma"][...] += (dz * self.x).sum(axis=0)
        self.grads["beta"][...] += dz.sum(axis=0)
        return dz * self.gamma


class InPlace(Affine):
    def _backward(self, dz):
        np.sum(dz * self.x, axis=0, out=self.grads["gamma"])
        self.grads["beta"][...] = dz.sum(axis=0)
        return dz * self.gamma


class ByUpdate(Affine):
    def _backward(self, dz):
        self.grads.update(gamma=(dz * self.x).sum(axis=0), beta=dz.sum(axis=0))
        return dz * self.gamma


class AliasAfter(Affine):
    def __init__(self, n):
        super().__init__(n)
        self.scale, self.shift = self.params["gamma"], self.beta

    def _forward(self, x, training):
        self.x = x
        return self.scale * x + self.shift


class AliasBefore(AliasAfter):
    def __init__(self, n):
        self.scale, self.shift = np.ones(n), np.zeros(n)
        Layer.__init__(self, n, n, gamma=self.scale, beta=self.shift)


class AliasOfGradients(Affine):
    def __init__(self, n):
        super().__init__(n)
        self.dgamma, self.dbeta = self.grads["gamma"], self.grads["beta"]

    def _backward(self, dz):
        self.dgamma[...] = (dz * self.x).sum(axis=0)
        self.dbeta[...] = dz.sum(axis=0)
        return dz * self.gamma


class AliasInAList(Affine):
    def __init__(self, n):
        super().__init__(n)
        self.both = [self.gamma, self.beta]

    def _forward(self, x, training):
        self.x = x
        return self.both[0] * x + self.both[1]


class AliasInNestedLists(AliasInAList):
    def __init__(self, n):
        Affine.__init__(self, n)
        self.both = [{"gamma": [self.gamma]}, (self.beta,)]

    def _forward(self, x, training):
        self.x = x
        return self.both[0]["gamma"][0] * x + self.both[1][0]


class AliasInAClosure(Affine):
    def __init__(self, n):
        super().__init__(n)
        gamma, beta = self.gamma, self.beta
        self.f = lambda x: gamma * x + beta

    def _forward(self, x, training):
        self.x = x
        return self.f(x)


class AliasInAPartial(AliasInAClosure):
    def __init__(self, n):
        Affine.__init__(self, n)
        self.f = functools.partial(np.multiply, self.gamma)


class AliasOfGradientsInAClosure(Affine):
    def __init__(self, n):
        super().__init__(n)
        gamma = self.grads["gamma"]
        self.store = lambda dgamma: np.copyto(gamma, dgamma)

    def _backward(self, dz):
        self.store((dz * self.x).sum(axis=0))
        self.grads["beta"] = dz.sum(axis=0)
        return dz * self.gamma


class ViewOfAParameter(Affine):
    def __init__(self, n):
        super().__init__(n)
        self.row = self.gamma.reshape(1, n)

    def _forward(self, x, training):
        self.x = x
        return self.row * x + self.beta


class NoSuper(Affine):
    def __init__(self, n):
        self.gamma, self.beta = np.ones(n), np.zeros(n)


class NotDeclared(Affine):
    def __init__(self, n):
        Layer.__init__(self, n, n)
        self.gamma, self.beta = np.ones(n), np.zeros(n)


class AddedLater(Affine):
    def __init__(self, n):
        Layer.__init__(self, n, n)
        self.params["gamma"], self.params["beta"] = np.ones(n), np.zeros(n)


class AsADict(Affine):
    def __init__(self, n):
        Layer.__init__(self, n, n, params={"gamma": np.ones(n), "beta": np.zeros(n)})


class Positional(Affine):
    def __init__(self, n):
        Layer.__init__(self, n, np.ones(n))


class GradientInAnAttribute(Affine):
    def _backward(self, dz):
        self.dgamma, self.dbeta = (dz * self.x).sum(axis=0), dz.sum(axis=0)
        return dz * self.gamma


class NothingDeclared(GradientInAnAttribute):
    def __init__(self, n):
        Layer.__init__(self, n, n)
        self.gamma, self.beta = np.ones(n), np.zeros(n)


class GradientsByAnotherName(NothingDeclared):
    def _backward(self, dz):
        self.gamma_grad, self.beta_grad = (dz * self.x).sum(axis=0), dz.sum(axis=0)
        return dz * self.gamma


class ArraysOfTheClass(GradientInAnAttribute):
    gamma, beta = np.ones(N), np.zeros(N)

    def __init__(self, n):
        Layer.__init__(self, n, n)


class LikePyTorch(Affine):
    def _backward(self, dz):
        self.gamma.grad = (dz * self.x).sum(axis=0)
        self.beta.grad = dz.sum(axis=0)
        return dz * self.gamma


class ObjectsWithGradients(Layer):
    def __init__(self, n):
        super().__init__(n, n)
        self.gamma = SimpleNamespace(value=np.ones(n), grad=None)

    def _forward(self, x, training):
        self.x = x
        return self.gamma.value * x

    def _backward(self, dz):
        self.gamma.grad = (dz * self.x).sum(axis=0)
        return dz * self.gamma.value


class NotSummed(Affine):
    def _backward(self, dz):
        self.grads["gamma"], self.grads["beta"] = dz * self.x, dz.sum(axis=0)
        return dz * self.gamma


class ARow(Affine):
    def _backward(self, dz):
        self.grads["gamma"] = (dz * self.x).sum(axis=0, keepdims=True)
        self.grads["beta"] = dz.sum(axis=0)
        return dz * self.gamma


class AScalar(Affine):
    def _backward(self, dz):
        self.grads["gamma"], self.grads["beta"] = np.sum(dz * self.x), np.sum(dz)
        return dz * self.gamma


class AList(Affine):
    def _backward(self, dz):
        self.grads["gamma"] = list((dz * self.x).sum(axis=0))
        self.grads["beta"] = dz.sum(axis=0)
        return dz * self.gamma


class ATypo(Affine):
    def _backward(self, dz):
        self.grads["Gamma"] = (dz * self.x).sum(axis=0)
        return dz * self.gamma


class OneOfTwo(Affine):
    def _backward(self, dz):
        self.grads["gamma"] = (dz * self.x).sum(axis=0)
        return dz * self.gamma


class APart(Affine):
    def _backward(self, dz):
        self.grads["gamma"][: N // 2] = (dz * self.x).sum(axis=0)[: N // 2]
        self.grads["beta"] = dz.sum(axis=0)
        return dz * self.gamma


class Transposed(Affine):
    def __init__(self, n):
        Layer.__init__(self, n, n, gamma=np.ones((1, n)), beta=np.zeros((1, n)))

    def _backward(self, dz):
        self.grads["gamma"] = (dz * self.x).sum(axis=0)[:, np.newaxis]
        self.grads["beta"] = dz.sum(axis=0)[:, np.newaxis]
        return dz * self.gamma


class ReturnsNothing(Affine):
    def _backward(self, dz):
        super()._backward(dz)


class ForwardReturnsNothing(Affine):
    def _forward(self, x, training):
        self.z = super()._forward(x, training)


class ReturnsATuple(Affine):
    def _forward(self, x, training):
        return super()._forward(x, training), x


class ReturnsGradients(Affine):
    def _backward(self, dz):
        return super()._backward(dz), dict(self.grads)


class ReturnsOneRow(Affine):
    def _backward(self, dz):
        return super()._backward(dz).sum(axis=0)


class Narrower(Affine):
    def _forward(self, x, training):
        return super()._forward(x, training).mean(axis=1, keepdims=True)


class CentresInPlace(Affine):
    def _forward(self, x, training):
        x -= x.mean(axis=0)
        return super()._forward(x, training)


class CentresWithOut(Affine):
    def _forward(self, x, training):
        np.subtract(x, 1.0, out=x)
        return super()._forward(x, training)


class ChangesTheGradient(Affine):
    def _backward(self, dz):
        super()._backward(dz)
        dz *= self.gamma
        return dz


class ChangesWhatItKept(Affine):
    def _backward(self, dz):
        self.x *= dz
        self.grads["gamma"], self.grads["beta"] = self.x.sum(axis=0), dz.sum(axis=0)
        return dz * self.gamma


class OverridesForward(Affine):
    def forward(self, x, training):
        return self._forward(x, training)


class OverridesBackward(Affine):
    def backward(self, dz):
        return self._backward(dz)


class ForwardInAnAttribute(Affine):
    def __init__(self, n):
        super().__init__(n)
        self.forward = lambda x, training: self.gamma * x + self.beta


class NoMode(Affine):
    def _forward(self, x):
        return super()._forward(x, True)


class KeywordMode(Affine):
    def _forward(self, x, *, training):
        return super()._forward(x, training)


class BackwardWantsMore(Affine):
    def _backward(self, dz, x):
        return super()._backward(dz)


class NoBackward(Layer):
    def _forward(self, x, training):
        return x


class LayerInAnAttribute(Affine):
    def __init__(self, n):
        super().__init__(n)
        self.dense = Dense(n, n)

    def _forward(self, x, training):
        return super()._forward(self.dense.forward(x, training=training), training)


class LayersInAList(LayerInAnAttribute):
    def __init__(self, n):
        Affine.__init__(self, n)
        self.blocks = {"first": [Dense(n, n)], "second": (ReLU(),)}


class LayersAsAnAttribute(LayerInAnAttribute):
    def __init__(self, n):
        Affine.__init__(self, n)
        self.layers = [Dense(n, n), ReLU()]


class Integers(Affine):
    def __init__(self, n):
        Layer.__init__(self, n, n, gamma=np.ones(n, int), beta=np.zeros(n, int))


class Lists(Affine):
    def __init__(self, n):
        Layer.__init__(self, n, n, gamma=[1.0] * n, beta=[0.0] * n)


class TwoDtypes(Affine):
    def __init__(self, n):
        Layer.__init__(self, n, n, gamma=np.ones(n, np.float32), beta=np.zeros(n))


class Halves(Affine):
    def __init__(self, n):
        Layer.__init__(self, n, n, gamma=np.ones(n, np.float16), beta=np.zeros(n, np.float16))


class ReservedName(Affine):
    def __init__(self, n):
        Layer.__init__(self, n, n, dtype=np.ones(n))


class ReservedMethod(Affine):
    def __init__(self, n):
        Layer.__init__(self, n, n, forward=np.ones(n))


class NoWidth(Affine):
    def __init__(self, n):
        Layer.__init__(self, n / 2, n, gamma=np.ones(n))


class KeepsTheShape(Affine):
    def _forward(self, x, training):
        self._shape = (len(x), 4, 5)
        return super()._forward(x.reshape(self._shape).reshape(x.shape), training)

    def _backward(self, dz):
        return super()._backward(dz.reshape(self._shape).reshape(dz.shape))


class AssignsItsParameter(Affine):
    def _forward(self, x, training):
        self.gamma = np.clip(self.gamma, -100, 100)
        return super()._forward(x, training)


class WritesIntoParameters(Affine):
    def _backward(self, dz):
        dx = dz * self.gamma
        self.params["gamma"] = (dz * self.x).sum(axis=0)
        self.params["beta"] = dz.sum(axis=0)
        return dx


class UpdatesItself(Affine):
    def _backward(self, dz):
        dx = super()._backward(dz)
        self.gamma -= 0.1 * self.grads["gamma"]
        return dx


class OneBuffer(Affine):
    def __init__(self, n):
        super().__init__(n)
        self.out = np.empty((400, n))

    def _forward(self, x, training):
        self.x = x
        z = np.multiply(self.gamma, x, out=self.out[: len(x)])
        z += self.beta
        return z


class OneBufferBack(Affine):
    def __init__(self, n):
        super().__init__(n)
        self.dx = np.empty((64, n))

    def _backward(self, dz):
        return np.copyto(self.dx[: len(dz)], super()._backward(dz)) or self.dx[: len(dz)]


class KeepsInTrainingOnly(Affine):
    def _forward(self, x, training):
        if training:
            self.x = x
        return self.gamma * x + self.beta


class ReadByAProperty(Affine):
    @property
    def gamma(self):
        return self.params["gamma"]


@dataclass(eq=False)
class ADataclass(Affine):
    n: int

    def __post_init__(self):
        Layer.__init__(self, self.n, self.n, gamma=np.ones(self.n), beta=np.zeros(self.n))


class InColumns(Affine):
    def __init__(self, n):
        Layer.__init__(self, n, n, gamma=np.ones((n, 1)), beta=np.zeros((n, 1)))

    def _forward(self, x, training):
        self.x = x
        return (self.gamma * x.T + self.beta).T

    def _backward(self, dz):
        self.grads["gamma"] = (dz * self.x).sum(axis=0)[:, np.newaxis]
        self.grads["beta"] = dz.sum(axis=0)[:, np.newaxis]
        return (self.gamma * dz.T).T


#: What each of them is told, or None where it is no mistake after all.
WRONG = {
    PlainDicts: r"PlainDicts.params: expected to stay.* super\(\).__init__\(n_in, n_out,",
    PlainGradients: r'PlainGradients.grads: expected to stay.* self.grads\["gamma"\] = …',
    DictsOfTheClass: r"DictsOfTheClass.params: expected no attribute of the class.* super\(\)",
    GradientsOfTheClass: r"GradientsOfTheClass.grads: expected no attribute of the class",
    PropertiesOfItsOwn: r"PropertiesOfItsOwn.params: expected no attribute of the class.*",
    Adding: r'gradient of gamma, got none or a part: write self.grads\["gamma"\] = … \(with =,',
    AddingInPlace: r'write self.grads\["gamma"\] = … \(with =, not \+=\)',
    InPlace: None,
    ByUpdate: None,
    AliasAfter: None,
    AliasBefore: None,
    AliasOfGradients: None,
    AliasInAList: "AliasInAList.both: expected an array of its own.* read self.gamma where",
    AliasInNestedLists: "AliasInNestedLists.both: .* read self.gamma where",
    AliasInAClosure: "AliasInAClosure._forward: expected parameters .* as self.gamma",
    AliasInAPartial: "AliasInAPartial._forward: expected parameters .* as self.gamma",
    AliasOfGradientsInAClosure: r'_backward: .* as self.gamma and self.grads\["gamma"\], got',
    ViewOfAParameter: "ViewOfAParameter.row: expected an array of its own.* read self.gamma",
    NoSuper: r"NoSuper.grads\['gamma'\]: .* super\(\).__init__\(n_in, n_out, gamma=…\)",
    NotDeclared: r"NotDeclared.grads\['gamma'\]: .* super\(\).__init__\(n_in, n_out, gamma=…\)",
    AddedLater: r"AddedLater.params\['gamma'\]: .* super\(\).__init__\(n_in, n_out, gamma=…\)",
    AsADict: r"AsADict: expected another name .* super\(\).__init__\(n_in, n_out, gamma=…\)",
    Positional: "Positional: n_out: expected a whole number",
    GradientInAnAttribute: r'expected the gradient of gamma.* write self.grads\["gamma"\] = …',
    NothingDeclared: r"NothingDeclared.gamma: expected a parameter.* an attribute that nothing "
    r"trains: write super\(\).__init__\(n_in, n_out, gamma=…\), and",
    GradientsByAnotherName: r"GradientsByAnotherName.gamma: expected a parameter.* write",
    ArraysOfTheClass: r"ArraysOfTheClass.gamma: expected a parameter.* write super\(\).__init__",
    LikePyTorch: r'LikePyTorch._backward: .* write self.grads\["gamma"\] = …',
    ObjectsWithGradients: r"ObjectsWithGradients.gamma: expected a parameter.* write super\(\)",
    NotSummed: r"NotSummed.grads\['gamma'\]: expected real numbers of shape \(20,\), got .*",
    ARow: r"ARow.grads\['gamma'\]: expected real numbers of shape \(20,\), got .* \(1, 20\)",
    AScalar: r"AScalar.grads\['gamma'\]: expected real numbers of shape \(20,\), got .* \(\)",
    AList: None,
    ATypo: r"ATypo.grads\['Gamma'\]: expected one of \['beta', 'gamma'\]",
    OneOfTwo: r'OneOfTwo._backward: expected the gradient of beta.* write self.grads\["beta"\]',
    APart: r"APart._backward: expected the gradient of gamma, got none or a part: write",
    Transposed: r"Transposed.grads\['gamma'\]: expected real numbers of shape \(1, 20\), got",
    ReturnsNothing: "ReturnsNothing._backward: expected an array .* got None: return it",
    ForwardReturnsNothing: "ForwardReturnsNothing._forward: expected an array .* got None:",
    ReturnsATuple: "ReturnsATuple._forward: what it returns: expected a NumPy array .* got tuple",
    ReturnsGradients: "ReturnsGradients._backward: what it returns: expected a NumPy array",
    ReturnsOneRow: r"ReturnsOneRow._backward: expected to return shape \(64, 20\)",
    Narrower: r"Narrower._forward: expected to return shape \(64, 20\)",
    CentresInPlace: "CentresInPlace._forward: .* write x = x - … instead of x -= …",
    CentresWithOut: "CentresWithOut._forward: .* write x = x - … instead of x -= …",
    ChangesTheGradient: "ChangesTheGradient._backward: .* write dz = dz - … instead of dz -= …",
    ChangesWhatItKept: "ChangesWhatItKept._backward: expected dz and what was kept of it",
    OverridesForward: "OverridesForward.forward: expected a method _forward, got",
    OverridesBackward: "OverridesBackward.backward: expected a method _backward, got",
    ForwardInAnAttribute: "ForwardInAnAttribute.forward: .* write a method _forward",
    NoMode: r"NoMode._forward: expected the parameters \(self, x, training\), got \(self, x\)",
    KeywordMode: r"KeywordMode._forward: expected the parameters \(self, x, training\)",
    BackwardWantsMore: r"BackwardWantsMore._backward: expected the parameters \(self, dz\)",
    NoBackward: r"NoBackward: expected a method _backward\(self, dz\), got none",
    LayerInAnAttribute: "LayerInAnAttribute.dense: .* compose layers with Sequential or Residual",
    LayersInAList: "LayersInAList.blocks: .* compose layers with Sequential or Residual",
    LayersAsAnAttribute: "LayersAsAnAttribute.layers: .* compose layers with Sequential",
    Integers: "Integers: gamma: expected dtype float32 or float64, got",
    Lists: "Lists: gamma: expected a NumPy array of float32 or float64, got list",
    TwoDtypes: "TwoDtypes: expected parameters of one dtype, got float32, float64",
    Halves: "Halves: gamma: expected dtype float32 or float64",
    ReservedName: "ReservedName: expected another name for a parameter, got 'dtype'",
    ReservedMethod: "ReservedMethod: expected another name for a parameter, got 'forward'",
    NoWidth: "NoWidth: n_in: expected a whole number",
    KeepsTheShape: "KeepsTheShape._shape: .* take another one",
    AssignsItsParameter: None,
    WritesIntoParameters: r'expected gamma to be left to the optimizer.* self.grads\["gamma"\]',
    UpdatesItself: r'UpdatesItself._backward: expected gamma to be left .* self.grads\["gamma"',
    OneBuffer: None,
    OneBufferBack: None,
    KeepsInTrainingOnly: None,
    ReadByAProperty: None,
    ADataclass: None,
    InColumns: None,
}


def trained(layer, digits):
    net = network(layer)
    rng = np.random.default_rng(0)
    train(net, *digits[:2], optimizer=GradientDescent(0.5), batch_size=64, steps=10, rng=rng)
    return net.forward(digits.x_test, training=False)


@pytest.fixture(scope="module")
def right(digits):
    return trained(Affine(N), digits)


@pytest.mark.parametrize("kind", WRONG, ids=lambda kind: kind.__name__)
def test_a_wrong_layer_learns_all_the_same_or_is_told_what_to_write(kind, right, digits):
    if WRONG[kind] is None:
        np.testing.assert_allclose(trained(kind(N), digits), right, atol=1e-9)
        return
    with pytest.raises((ValueError, TypeError), match=WRONG[kind]):
        trained(kind(N), digits)


class Broken(Affine):
    def _forward(self, x, training):
        return super()._forward(x, training) if training else x.nothing

    def _backward(self, dz):
        raise ValueError("mine")


class MakesNaN(Affine):
    def _forward(self, x, training):
        with np.errstate(invalid="ignore"):
            return np.sqrt(super()._forward(x, training) - 1e9)


def test_a_layer_that_makes_nan_by_itself_is_not_blamed_for_an_alias(rng):
    net = network(MakesNaN(N))
    assert np.isnan(net.forward(rng.normal(size=(5, 64)), training=False)).all()


class Through(Layer):
    def _forward(self, x, training):
        return x[:]

    def _backward(self, dz):
        return dz[:]


def test_what_is_only_passed_through_may_be_written_to(rng):
    layer, x = Through(), rng.normal(size=(3, 2))
    for _ in range(2):
        for out in (layer.forward(x, training=True), layer.backward(x)):
            assert out.flags.writeable
            np.testing.assert_array_equal(out, x)


def test_the_first_backward_pass_returns_nothing_either_where_nothing_is_needed(rng):
    layer = Affine(2)
    layer.forward(rng.normal(size=(3, 2)), training=True)
    assert layer.backward(np.ones((3, 2)), need_input_gradient=False) is None
    np.testing.assert_array_equal(layer.grads["beta"], [3.0, 3.0])


def test_a_layers_own_errors_come_through_as_they_are(rng):
    net, x = network(Broken(N)), rng.normal(size=(5, 64))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        net.forward(x, training=False)
    with pytest.raises(ValueError, match="^mine$"):
        net.backward(net.forward(x, training=True))


@pytest.mark.parametrize("kind", [Adding, OneOfTwo, WritesIntoParameters, ReturnsNothing, ARow])
def test_a_refused_backward_pass_leaves_parameters_and_gradients(kind, rng):
    net = network(kind(N))
    net.dtheta = rng.normal(size=net.theta.size)
    z = net.forward(rng.normal(size=(5, 64)), training=True)
    theta, dtheta = net.theta.copy(), net.dtheta.copy()
    with pytest.raises((ValueError, TypeError)):
        net.backward(z)
    np.testing.assert_array_equal(net.theta, theta)
    np.testing.assert_array_equal(net.dtheta, dtheta)


class Decoder(Layer):
    """Tries to share the weights of another layer."""

    def __init__(self, encoder):
        super().__init__(encoder.n_out, encoder.n_in)
        self.w = encoder.w

    def _forward(self, x, training):
        return x @ self.w

    def _backward(self, dz):
        return dz @ self.w.T


def test_weights_are_not_tied_without_a_word():
    encoder = Dense(4, 3)
    net = Sequential([encoder, Decoder(encoder)])
    with pytest.raises(ValueError, match=r"Decoder.w: expected an array of its own.* or copy it"):
        net.forward(np.ones((2, 4)), training=True)


def test_a_parameter_made_from_another_layers_is_a_copy(rng):
    one = Affine(4)
    two = Layer.__new__(Affine)
    Layer.__init__(two, 4, 4, gamma=one.gamma, beta=one.beta)
    net = Sequential([one, two])
    net.theta = rng.normal(size=16)
    assert not np.shares_memory(one.gamma, two.gamma)
    assert gradient_check(net, rng.normal(size=(5, 4)), rng.integers(0, 4, 5)) < 1e-7


class DoublePrecision(Layer):
    def __init__(self, n):
        self.factors = np.full(n, 2.0)

    def _forward(self, x, training):
        return self.factors * x

    def _backward(self, dz):
        return dz


def test_float64_constants_in_a_float32_network_are_named():
    net = Sequential([Dense(4, 3, dtype=np.float32), DoublePrecision(3)])
    with pytest.raises(ValueError, match="DoublePrecision._forward: .*float32, got .*float64"):
        net.forward(np.ones((2, 4), np.float32), training=True)


class StaleMask(Dropout):
    """Keeps its mask in training only, so that backward after evaluation uses an old one."""

    def _forward(self, x, training):
        if not training:
            return x
        return super()._forward(x, training)


class CopyOfAParameter(Affine):
    """Computes with what the parameter was in the constructor."""

    def __init__(self, n):
        super().__init__(n)
        self.doubled = 2 * self.gamma

    def _forward(self, x, training):
        self.x = x
        return self.doubled * x + self.beta


class HalfTheGradient(Affine):
    def _backward(self, dz):
        super()._backward(dz)
        return dz


@pytest.mark.parametrize(
    ("make", "training"),
    [
        (lambda: StaleMask(np.random.default_rng(0)), False),
        (lambda: CopyOfAParameter(4), True),
        (lambda: HalfTheGradient(4), True),
    ],
    ids=["stale mask", "copy of a parameter", "half the gradient"],
)
def test_what_only_mathematics_can_tell_is_found_by_the_gradient_check(make, training, rng):
    net = Sequential([Dense(4, 4, rng=rng), make(), Dense(4, 3, rng=rng)])
    net.theta += rng.normal(0.1, 0.3, net.theta.size)
    x, y = rng.normal(size=(6, 4)), rng.integers(0, 3, 6)
    net.backward(net.forward(x, training=True)[:, :3])
    assert gradient_check(net, x, y, training=training) > 1e-2


class Network(Sequential):
    """In the style of PyTorch: layers as attributes too."""

    def __init__(self, rng):
        self.first, self.last = Dense(4, 3, rng=rng), Dense(3, 3, rng=rng)
        super().__init__([self.first, ReLU(), self.last])


class HiddenLayer(Sequential):
    """One of its layers is in no list, and would not be trained."""

    def __init__(self, rng):
        self.hidden = Dense(3, 3, rng=rng)
        super().__init__([Dense(4, 3, rng=rng), ReLU(), Dense(3, 3, rng=rng)])


def test_a_layer_beside_the_list_is_refused(rng):
    with pytest.raises(TypeError, match="HiddenLayer.hidden: expected no layer inside a layer"):
        HiddenLayer(rng).forward(rng.normal(size=(5, 4)), training=True)


def test_a_network_may_name_its_layers(rng):
    net = Network(rng)
    assert gradient_check(net, rng.normal(size=(5, 4)), rng.integers(0, 3, 5)) < 1e-7
    assert np.shares_memory(net.first.w, net.theta)
