"""torch's ways to train the nets of a Work, batched over seeds.

    eager, autograd             loss.backward() and torch.optim.Adam(fused=True): as one writes it
                                first
    eager, gradient by hand     matrix products where there are any, in-place where it may be
    compiled, gradient by hand  torch.compile of a whole step, Adam included, in the form that its
                                C++ code vectorises best
    compiled, 4 steps a call    the same; for narrow nets the call costs as much as the step

Compiling autograd's version gave no faster way at any width, and CUDA graphs have no counterpart
here.
"""

from collections.abc import Callable

from numpy.typing import NDArray

from bench.work import Contestant, Work
from minilotto.errors import optional
from minilotto.initialisation import Parameters

with optional("torch", "bench"):
    import torch

NARROW = 4  # up to this width, several steps a call may pay

Tensors = tuple[torch.Tensor, ...]  # w, b, v (R, N) and c (R,)


def prepare(threads: int) -> None:
    """Give torch its threads, and flush subnormals as minilotto and JAX do. Threads inherit the
    mode, so it is set first.
    """
    torch.set_flush_denormal(True)
    torch.set_num_threads(threads)
    torch._dynamo.config.recompile_limit = 64  # each width is one more version of adam_steps


def losses_of(nets: Tensors, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Mean squared errors (R,)."""
    w, b, v, c = nets
    value = torch.nn.functional.silu(torch.addcmul(b[:, :, None], w[:, :, None], x))
    f = torch.baddbmm(c[:, None, None], v[:, None, :], value)[:, 0]
    return (f - y).square().mean(dim=1)


def gradient_by_products(nets: Tensors, x: torch.Tensor, y: torch.Tensor) -> Tensors:
    """(dw, db, dv, dc) of the losses with as few passes over (R, N, P) as eager torch allows."""
    w, b, v, c = nets
    z = torch.addcmul(b[:, :, None], w[:, :, None], x)
    s = torch.sigmoid(z)
    value = z.mul_(s)
    df = (torch.baddbmm(c[:, None, None], v[:, None, :], value)[:, 0] - y) * (2 / len(x))
    dv = (value @ df[:, :, None])[:, :, 0]
    slope = torch.addcmul(value, s, value, value=-1).add_(s)
    both = slope @ torch.stack([df * x, df], dim=2)
    return both[:, :, 0] * v, both[:, :, 1] * v, dv, df.sum(dim=1)


def gradient_by_sums(nets: Tensors, x: torch.Tensor, y: torch.Tensor) -> Tensors:
    """The same without matrix products, which torch.compile would not fuse with what surrounds
    them.
    """
    w, b, v, c = nets
    z = w[:, :, None] * x + b[:, :, None]
    s = torch.sigmoid(z)
    value = z * s
    df = ((v[:, :, None] * value).sum(dim=1) + c[:, None] - y) * (2 / len(x))
    dz = (s + value - value * s) * df[:, None]
    return (
        (dz * x).sum(dim=2) * v,
        dz.sum(dim=2) * v,
        (value * df[:, None]).sum(dim=2),
        df.sum(dim=1),
    )


class _Torch:
    """What all ways share: data, and NumPy at the edge."""

    family = "torch"
    _nets: Tensors

    def __init__(self, work: Work) -> None:
        self.work = work
        self.x, self.y = (
            torch.as_tensor(a.copy(), dtype=torch.float32) for a in (work.data.x[:, 0], work.data.y)
        )

    def _initial(self) -> Tensors:
        return tuple(
            torch.as_tensor(a.copy())
            for a in (self.work.parameters.w[:, :, 0], *self.work.parameters[1:])
        )

    @staticmethod
    def _numpy(nets: Tensors) -> Parameters:
        w, b, v, c = (a.detach().numpy().copy() for a in nets)
        return Parameters(w[:, :, None], b, v, c)

    def losses(self) -> NDArray:
        return losses_of(self._nets, self.x, self.y).detach().numpy()

    def parameters(self) -> Parameters:
        return self._numpy(self._nets)


class Eager(_Torch):
    """torch.optim.Adam, with autograd or with a gradient(nets, x, y) written by hand."""

    def __init__(self, work: Work, gradient: Callable[..., Tensors] | None = None) -> None:
        super().__init__(work)
        self.way = "eager, autograd" if gradient is None else "eager, gradient by hand"
        self.gradient = gradient

    def start(self) -> None:
        config = self.work.config
        self._nets = tuple(a.requires_grad_(self.gradient is None) for a in self._initial())
        self._optimizer = torch.optim.Adam(
            self._nets,
            lr=config.lr,
            betas=(config.beta1, config.beta2),
            eps=config.epsilon,
            fused=True,
        )
        self._done = 0

    def advance(self, steps: int) -> None:
        config, group = self.work.config, self._optimizer.param_groups[0]
        for step in range(self._done, self._done + steps):
            group["lr"] = config.lr * config.lr_decay ** (step // config.lr_decay_every)
            if self.gradient is None:
                self._optimizer.zero_grad(set_to_none=True)
                losses_of(self._nets, self.x, self.y).sum().backward()
            else:
                with torch.no_grad():
                    for net, gradient in zip(
                        self._nets, self.gradient(self._nets, self.x, self.y), strict=True
                    ):
                        net.grad = gradient
            self._optimizer.step()
        self._done += steps

    def first_moment(self) -> Parameters:
        return self._numpy(tuple(self._optimizer.state[a]["exp_avg"] for a in self._nets))


def adam_steps(nets, first_moment, second_moment, rates, corrections, x, y, beta1, beta2, epsilon):
    """len(rates) steps: the three states (w, b, v, c) after them."""
    for i in range(len(rates)):
        gradient = gradient_by_sums(nets, x, y)
        first_moment = tuple(
            beta1 * m + (1 - beta1) * g for m, g in zip(first_moment, gradient, strict=True)
        )
        second_moment = tuple(
            beta2 * s + (1 - beta2) * g * g for s, g in zip(second_moment, gradient, strict=True)
        )
        nets = tuple(
            p - rates[i] * m / (corrections[i] * s.sqrt() + epsilon)
            for p, m, s in zip(nets, first_moment, second_moment, strict=True)
        )
    return nets, first_moment, second_moment


# One object for all widths; torch keeps a compiled version for each set of shapes.
_compiled_steps = torch.compile(adam_steps, dynamic=False, fullgraph=True)


class Compiled(_Torch):
    """torch.compile of one or several whole steps."""

    def __init__(self, work: Work, steps_a_call: int = 1) -> None:
        super().__init__(work)
        self.way = (
            "compiled, gradient by hand"
            if steps_a_call == 1
            else f"compiled, {steps_a_call} steps a call"
        )
        self.steps_a_call = steps_a_call
        self.rates, self.corrections = (
            torch.as_tensor(a, dtype=torch.float32) for a in work.schedule
        )
        self.constants = (self.x, self.y, work.config.beta1, work.config.beta2, work.config.epsilon)

    def start(self) -> None:
        self._nets = self._initial()
        self._first_moment, self._second_moment = (
            tuple(torch.zeros_like(a) for a in self._nets) for _ in range(2)
        )
        self._done = 0

    @torch.no_grad()
    def advance(self, steps: int) -> None:
        state, last = (self._nets, self._first_moment, self._second_moment), self._done + steps
        while self._done < last:
            count = self.steps_a_call if last - self._done >= self.steps_a_call else 1
            part = slice(self._done, self._done + count)
            state = _compiled_steps(
                *state, self.rates[part], self.corrections[part], *self.constants
            )
            self._done += count
        self._nets, self._first_moment, self._second_moment = state

    def first_moment(self) -> Parameters:
        return self._numpy(self._first_moment)


def contestants(work: Work) -> list[Contestant]:
    """Every way of torch's that suits the width."""
    ways: list[Contestant] = [Eager(work), Eager(work, gradient_by_products), Compiled(work)]
    if work.config.width <= NARROW:
        ways.append(Compiled(work, steps_a_call=4))
    return ways
