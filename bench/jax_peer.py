"""JAX's ways to train the nets of a Work: one compiled program does any number of steps.

Three forms of the same loss, each on one device or with the seeds sharded over one host device a
core:

    vmap        one net's loss, jax.grad, jax.vmap over seeds: as one writes it first
    broadcast   all nets at once, seeds along the last axis, jax.grad
    points      lax.scan over points, gradient by hand: what is live is (N, R), which stays in cache

XLA reads its flags when JAX is imported, so they are set before this module is (see __main__.py).
JAX 0.4.31, the last version before its CPU runtime became slower, runs too, in an environment of
its own.
"""

import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.work import Contestant, Work
from minilotto.errors import optional
from minilotto.initialisation import Parameters

with optional("jax", "bench"):
    import jax
    import jax.numpy as jnp
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

POINTS_A_PASS = (
    4  # of the scan over points: fewer, longer loop bodies, as the lane kernel takes two
)

Nets = tuple[jax.Array, ...]  # w, b, v (R, N) and c (R,); with seeds last (N, R) and (R,)


def prepare(threads: int) -> None:
    """One host device a core, for the sharded ways. JAX takes this at its start alone."""
    flags, flag = os.environ.get("XLA_FLAGS", ""), "--xla_force_host_platform_device_count"
    if flag not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {flag}={threads}".strip()


def _silu(z: jax.Array) -> jax.Array:
    return z / (1 + jnp.exp(-z))


class Form(NamedTuple):
    """losses(nets, x, y) -> (R,) and gradient(nets, x, y) -> nets, with x, y (P,)."""

    losses: Callable
    gradient: Callable
    seeds_last: bool


def _net_loss(net, x, y):
    w, b, v, c = net
    return jnp.mean((v @ _silu(w[:, None] * x + b[:, None]) + c - y) ** 2)


def _broadcast_losses(nets, x, y):
    w, b, v, c = nets
    f = jnp.sum(v * _silu(x[:, None, None] * w + b), axis=1) + c
    return jnp.mean((f - y[:, None]) ** 2, axis=0)


def _gradient_by_points(nets, x, y):
    w, b, v, c = nets

    def add_point(sums, point):
        dw, db, dv, dc = sums
        x, y = point
        z = w * x + b
        s = 1 / (1 + jnp.exp(-z))
        value = z * s
        r = jnp.sum(v * value, axis=0) + c - y
        dz = (s + value * (1 - s)) * r
        return (dw + dz * x, db + dz, dv + value * r, dc + r), None

    nothing = jax.tree.map(jnp.zeros_like, nets)
    (dw, db, dv, dc), _ = jax.lax.scan(add_point, nothing, (x, y), unroll=POINTS_A_PASS)
    share = 2 / len(x)
    return share * v * dw, share * v * db, share * dv, share * dc


FORMS = {
    "vmap": Form(
        jax.vmap(_net_loss, (0, None, None)),
        jax.vmap(jax.grad(_net_loss), (0, None, None)),
        seeds_last=False,
    ),
    "broadcast": Form(
        _broadcast_losses, jax.grad(lambda *a: _broadcast_losses(*a).sum()), seeds_last=True
    ),
    "points": Form(_broadcast_losses, _gradient_by_points, seeds_last=True),
}
WAYS = (("vmap", False), ("vmap", True), ("broadcast", True), ("points", True))  # (form, sharded)


class Jax:
    """One form, on one device or sharded over all."""

    family = "JAX"

    def __init__(self, work: Work, form: str, sharded: bool) -> None:
        self.work, self.form = work, FORMS[form]
        self.devices = jax.devices()[: work.threads if sharded else 1]
        self.way = f"{form}, sharded" if sharded else form
        self.x, self.y = (jnp.asarray(a, jnp.float32) for a in (work.data.x[:, 0], work.data.y))
        self._program = jax.jit(self._steps)

    def _steps(self, state, first, steps):
        # A loop with a traced trip count, not lax.scan, whose length would be compiled in; XLA
        # makes the same loop of both.
        config = self.work.config
        rates, corrections = (jnp.asarray(a, jnp.float32) for a in self.work.schedule)

        def step(i, state):
            nets, first_moment, second_moment = state
            gradient = self.form.gradient(nets, self.x, self.y)
            first_moment = jax.tree.map(
                lambda m, g: config.beta1 * m + (1 - config.beta1) * g, first_moment, gradient
            )
            second_moment = jax.tree.map(
                lambda s, g: config.beta2 * s + (1 - config.beta2) * g * g, second_moment, gradient
            )

            def moved(p, m, s):
                return p - rates[i] * m / (corrections[i] * jnp.sqrt(s) + config.epsilon)

            return (
                jax.tree.map(moved, nets, first_moment, second_moment),
                first_moment,
                second_moment,
            )

        return jax.lax.fori_loop(first, first + steps, step, state)

    def start(self) -> None:
        nets = tuple(
            self._put(a) for a in (self.work.parameters.w[:, :, 0], *self.work.parameters[1:])
        )
        self._state = (nets, jax.tree.map(jnp.zeros_like, nets), jax.tree.map(jnp.zeros_like, nets))
        self._done = 0

    def _put(self, array: NDArray) -> jax.Array:
        """An array (R, ...) on the devices, its seeds split evenly: the last seed is repeated where
        they do not divide.
        """
        array = np.concatenate(
            [array, np.repeat(array[-1:], -len(array) % len(self.devices), axis=0)]
        )
        axes = ["seeds", *[None] * (array.ndim - 1)]
        if self.form.seeds_last:
            array, axes = np.ascontiguousarray(array.T), axes[::-1]
        return jax.device_put(
            array, NamedSharding(Mesh(np.array(self.devices), ("seeds",)), PartitionSpec(*axes))
        )

    def advance(self, steps: int) -> None:
        self._state = jax.block_until_ready(self._program(self._state, self._done, steps))
        self._done += steps

    def _numpy(self, nets: Nets) -> Parameters:
        w, b, v, c = (np.asarray(a).T if self.form.seeds_last else np.asarray(a) for a in nets)
        return Parameters(*(a[: self.work.seeds] for a in (w[:, :, None], b, v, c)))

    def parameters(self) -> Parameters:
        return self._numpy(self._state[0])

    def first_moment(self) -> Parameters:
        return self._numpy(self._state[1])

    def losses(self) -> NDArray:
        return np.asarray(self.form.losses(self._state[0], self.x, self.y))[: self.work.seeds]


def contestants(work: Work) -> list[Contestant]:
    """Every way of JAX's."""
    return [Jax(work, form, sharded) for form, sharded in WAYS]
