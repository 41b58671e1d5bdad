"""Nets of several hidden layers beside JAX and torch.

`python -m bench.depth [--shapes 10x2,20x3] [--seeds 1000] [--rounds 5] [--peers jax,torch]`

All train the same plain nets on the paper's points, in turns: minilotto on every point and as
trained, on nodes without audits; JAX by vmap of the gradient, a whole stretch of steps in one
program, sharded over the cores; torch by batched products, eager and compiled. First, gradients are
compared with those of the oracle. Printed are nanoseconds a step and net, and how many times as
long as minilotto the others take, medians of ratios over rounds.
"""

import sys
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

import minilotto as ml
from bench.__main__ import prepare_process
from bench.command import chosen_of, run_command
from bench.work import AsTrained, Minilotto, Work
from minilotto.hardware.machine import usable_cores
from minilotto.oracles import numpy_reference

ROUND_SECONDS = 0.5  # of CPU time of one contestant in one round, about
PEERS = ("jax", "torch")
TOLERANCE = 1e-4  # of a gradient's error, relative to the largest of its part
Advance = Callable[[int], None]


class Peer(NamedTuple):
    """Trains the nets of one Work: more steps; the gradient at the initial parameters, before any;
    and the parameters as they are.
    """

    advance: Advance
    gradient: Callable[[], Iterable]
    parameters: Callable[[], Iterable]


def by_jax(work: Work) -> Peer:
    """JAX's vmap of grad, with Adam in a loop that is one program."""
    import jax
    import jax.numpy as jnp
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    from bench.jax_peer import prepare

    prepare(work.threads)
    config = work.config
    x, y = (jnp.asarray(a, jnp.float32) for a in (work.data.x[:, 0], work.data.y))
    rates, corrections = (jnp.asarray(a, jnp.float32) for a in work.schedule)

    def silu(z):
        return z / (1 + jnp.exp(-z))

    def loss(net):
        w, b, v, c, hidden_w, hidden_b = net
        h = silu(w * x + b[:, None])
        for layer in range(config.depth - 1):
            h = silu(hidden_w[layer] @ h + hidden_b[layer][:, None])
        return jnp.mean((v @ h + c - y) ** 2)

    gradient = jax.vmap(jax.grad(loss))

    def step(i, state):
        nets, m, s = state
        g = gradient(nets)
        m = jax.tree.map(lambda m, g: config.beta1 * m + (1 - config.beta1) * g, m, g)
        s = jax.tree.map(lambda s, g: config.beta2 * s + (1 - config.beta2) * g * g, s, g)

        def moved(p, m, s):
            return p - rates[i] * m / (corrections[i] * jnp.sqrt(s) + config.epsilon)

        return jax.tree.map(moved, nets, m, s), m, s

    run = jax.jit(lambda state, first, last: jax.lax.fori_loop(first, last, step, state))
    devices = jax.devices()[: work.threads if work.seeds % work.threads == 0 else 1]
    mesh = Mesh(np.array(devices), ("seeds",))
    first = [
        jax.device_put(array, NamedSharding(mesh, PartitionSpec("seeds")))
        for array in map(np.ascontiguousarray, work.parameters)
    ]
    zeros = jax.tree.map(jnp.zeros_like, first)
    state = [(first, zeros, zeros), 0]

    def advance(steps: int) -> None:
        nets, done = state
        state[:] = [jax.block_until_ready(run(nets, done, done + steps)), done + steps]

    return Peer(
        advance, lambda: map(np.asarray, gradient(first)), lambda: map(np.asarray, state[0][0])
    )


def by_torch(work: Work, compiled: bool) -> Peer:
    """torch's batched products and autograd with a fused Adam."""
    import torch

    torch.set_flush_denormal(True)
    torch.set_num_threads(work.threads)
    x, y = (torch.as_tensor(a.copy(), dtype=torch.float32) for a in (work.data.x.T, work.data.y))
    nets = [torch.as_tensor(a.copy()).requires_grad_() for a in work.parameters]

    def loss(w, b, v, c, hidden_w, hidden_b):
        h = torch.nn.functional.silu(torch.baddbmm(b[:, :, None], w, x.expand(len(w), 1, -1)))
        for layer in range(work.config.depth - 1):
            z = torch.baddbmm(hidden_b[:, layer, :, None], hidden_w[:, layer], h)
            h = torch.nn.functional.silu(z)
        f = torch.baddbmm(c[:, None, None], v[:, None, :], h)[:, 0]
        return (f - y).square().mean(dim=1).sum()

    objective = torch.compile(loss, dynamic=False) if compiled else loss
    optimizer = torch.optim.Adam(nets, lr=work.config.lr, fused=True)

    def advance(steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            objective(*nets).backward()
            optimizer.step()

    def gradient() -> list:
        optimizer.zero_grad(set_to_none=True)
        objective(*nets).backward()
        return [net.grad.numpy().copy() for net in nets]

    return Peer(advance, gradient, lambda: (net.detach().numpy().copy() for net in nets))


def contestants(work: Work, peers: tuple[str, ...]) -> dict[str, Advance]:
    """What trains the nets, by name, minilotto first. Those that differ from the oracle end it."""
    every, trained = Minilotto(work), AsTrained(work)
    for one in (every, trained):
        one.start()
    found = {"every point": every.advance, "as trained": trained.advance}
    makers = {
        "JAX, vmap": lambda: by_jax(work),
        "torch, eager": lambda: by_torch(work, compiled=False),
        "torch, compiled": lambda: by_torch(work, compiled=True),
    }
    for name, make in makers.items():
        if name.split(",")[0].lower() not in peers:
            continue
        try:
            peer = make()
            parts = list(peer.gradient())
        except (ImportError, RuntimeError) as error:
            print(f"{name} is left out: {str(error).splitlines()[0]}", file=sys.stderr)
            continue
        for ours, theirs in zip(parts, exact_gradient(work), strict=True):
            if np.abs(ours - theirs).max() > TOLERANCE * np.abs(theirs).max():
                raise SystemExit(f"{name} computes other gradients")
        found[name] = peer.advance
    return found


def exact_gradient(work: Work) -> Iterable:
    """The oracle's, at the initial parameters."""
    w, b, v, c, *hidden = (array.astype(np.float64) for array in work.parameters)
    points = work.data.x, work.data.y, work.data.weight
    return numpy_reference.loss_and_gradient("silu", w, b, v, c, *points, hidden=hidden)[1]


def timed(advance: Advance, steps: int) -> tuple[float, float]:
    """Seconds of wall and of CPU time a step."""
    wall, cpu = time.perf_counter(), time.process_time()
    advance(steps)
    return (time.perf_counter() - wall) / steps, (time.process_time() - cpu) / steps


def measured(work: Work, peers: tuple[str, ...], rounds: int) -> list[list[str]]:
    """A row for each contestant."""
    found, seconds, steps = contestants(work, peers), {}, {}
    for name, advance in found.items():
        advance(2)
        _, cpu = timed(advance, 4)
        steps[name] = int(np.clip(ROUND_SECONDS / cpu, 1, 2000))
        seconds[name] = []
    for _ in range(rounds):
        for name, advance in found.items():
            seconds[name].append(timed(advance, steps[name]))
    times = {name: np.array(some) for name, some in seconds.items()}
    rows = []
    for name, some in times.items():
        row = [f"{work.config.width} x {work.config.depth}", name]
        row.append(" / ".join(f"{1e9 * time / work.seeds:.0f}" for time in np.median(some, axis=0)))
        for ours in ("every point", "as trained"):
            ratios = np.median(some / times[ours], axis=0)
            row.append(" / ".join(f"{ratio:.3g}" for ratio in ratios))
        rows.append(row)
    return rows


def main(
    *,
    shapes: list[str] | None = None,
    seeds: int = 1000,
    rounds: int = 5,
    peers: list[str] | None = None,
    threads: int | None = None,
) -> None:
    """Time nets of several hidden layers beside JAX and torch.

    Parameters
    ----------
    shapes : list of str
        Widths and depths; 10x2,20x3 by default.
    seeds : int
        Networks trained at once.
    rounds : int
        Of which medians are taken.
    peers : list of str
        Whom to compare with: jax, torch.
    threads : int
        Of each; by default one a core.
    """
    pairs = [_shape(word) for word in shapes or ("10x2", "20x3")]
    names = chosen_of("peers", peers, PEERS)
    threads = threads or usable_cores()
    prepare_process(threads)
    print("Wall time / CPU time; medians over rounds")
    print("| width x depth | | ns a step and net | over every point | over as trained |")
    print("|---|---|---:|---:|---:|")
    for width, depth in pairs:
        work = Work(ml.Config(width=width, depth=depth), seeds, threads)
        for row in measured(work, names, rounds):
            print("| " + " | ".join(row) + " |", flush=True)


def _shape(word: str) -> tuple[int, int]:
    width, _, depth = word.partition("x")
    if not (width.isdigit() and depth.isdigit() and int(width) > 0 and int(depth) > 1):
        raise ml.ConfigError(f"shapes={word!r} is no width and depth; give such as 10x2")
    return int(width), int(depth)


if __name__ == "__main__":
    sys.exit(run_command(main, "bench.depth"))
