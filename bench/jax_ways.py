"""optax's optimisers on all nets of a Work, for bench/optimizers.py: jax.vmap of one net's gradient
in a jitted loop over steps.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from bench.work import Contestant, Work
from minilotto.initialisation import Parameters
from minilotto.settings.config import Config


def rate_of(config: Config) -> optax.Schedule:
    """optax's schedule of the same name."""
    lr, final, warmup = config.lr, config.final_fraction, config.warmup
    steps = config.steps - warmup
    after = {
        "step": lambda: optax.exponential_decay(
            lr, config.lr_decay_every, config.lr_decay, staircase=True
        ),
        "constant": lambda: optax.constant_schedule(lr),
        "cosine": lambda: optax.cosine_decay_schedule(lr, steps, final),
        "linear": lambda: optax.linear_schedule(lr, lr * final, steps),
        "exponential": lambda: optax.exponential_decay(lr, steps, final),
    }[config.schedule]()
    rise = optax.linear_schedule(lr / (warmup + 1), lr, max(1, warmup))
    return optax.join_schedules([rise, after], [warmup]) if warmup else after


def optimizer_of(config: Config) -> optax.GradientTransformation:
    """optax's optimiser of the same name."""
    adam = {"b1": config.beta1, "b2": config.beta2, "eps": config.epsilon}
    rate = config.lr if config.schedule == "constant" else rate_of(config)
    return {
        "adam": lambda: optax.adam(rate, **adam),
        "adamw": lambda: optax.adamw(rate, **adam, weight_decay=config.weight_decay),
        "gd": lambda: optax.sgd(rate),
        "momentum": lambda: optax.sgd(rate, config.momentum),
        "nesterov": lambda: optax.sgd(rate, config.momentum, nesterov=True),
        "rmsprop": lambda: optax.rmsprop(rate, config.beta2, config.epsilon, eps_in_sqrt=False),
    }[config.optimizer]()


def _loss(net, x, y):
    w, b, v, c = net
    return jnp.mean((v @ jax.nn.silu(w[:, None] * x + b[:, None]) + c - y) ** 2)


class Optax:
    """See the module."""

    family, way = "JAX", "optax, vmap"

    def __init__(self, work: Work) -> None:
        self.work = work
        x, y = (jnp.asarray(a, jnp.float32) for a in (work.data.x[:, 0], work.data.y))
        optimizer, batch = optimizer_of(work.config), work.config.batch
        self._optimizer = optimizer

        def step(number, state):
            nets, memory, keys = state
            if batch:

                def on_batch(net, key):
                    key = jax.random.fold_in(key, number)
                    if work.data.population is not None:  # that of the paper, x^2
                        fresh = jax.random.uniform(key, (batch,), minval=-2.0, maxval=2.0)
                        return jax.grad(_loss)(net, fresh, fresh * fresh)
                    rows = jax.random.randint(key, (batch,), 0, len(x))
                    return jax.grad(_loss)(net, x[rows], y[rows])

                gradients = jax.vmap(on_batch)(nets, keys)
            else:
                gradients = jax.vmap(jax.grad(_loss), (0, None, None))(nets, x, y)
            updates, memory = optimizer.update(gradients, memory, nets)
            return optax.apply_updates(nets, updates), memory, keys

        self._program = jax.jit(
            lambda state, first, steps: jax.lax.fori_loop(first, first + steps, step, state)
        )

    def start(self) -> None:
        w, b, v, c = self.work.parameters
        nets = tuple(jnp.asarray(a) for a in (w[:, :, 0], b, v, c))
        keys = jax.random.split(jax.random.key(0), self.work.seeds)
        self._state, self._done = (nets, self._optimizer.init(nets), keys), 0

    def advance(self, steps: int) -> None:
        self._state = jax.block_until_ready(self._program(self._state, self._done, steps))
        self._done += steps

    def parameters(self) -> Parameters:
        w, b, v, c = (np.asarray(a) for a in self._state[0])
        return Parameters(w[:, :, None], b, v, c)


def contestant(work: Work) -> Contestant:
    return Optax(work)  # type: ignore[return-value]
