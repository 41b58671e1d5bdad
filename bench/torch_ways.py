"""torch.optim on all nets of a Work, for bench/optimizers.py: autograd of the sum of their losses,
as one writes it first.
"""

import torch

from bench.torch_peer import _Torch, prepare
from bench.work import Contestant, Work
from minilotto.oracles.torch_reference import optimizer_of


class TorchOptim(_Torch):
    """See the module."""

    way = "torch.optim"

    def start(self) -> None:
        self._nets = tuple(a.requires_grad_() for a in self._initial())
        self._optimizer = optimizer_of(self.work.config, list(self._nets))
        self._random = torch.Generator().manual_seed(0)

    def _losses(self) -> torch.Tensor:
        w, b, v, c = self._nets
        x, y, batch = self.x, self.y, self.work.config.batch
        if batch:
            rows = torch.randint(len(x), (len(c), batch), generator=self._random)
            x, y = x[rows][:, None], y[rows]
        value = torch.nn.functional.silu(torch.addcmul(b[:, :, None], w[:, :, None], x))
        f = torch.baddbmm(c[:, None, None], v[:, None, :], value)[:, 0]
        return (f - y).square().mean(dim=1)

    def advance(self, steps: int) -> None:
        for _ in range(steps):
            self._optimizer.zero_grad(set_to_none=True)
            self._losses().sum().backward()
            self._optimizer.step()


def contestant(work: Work) -> Contestant:
    prepare(work.threads)
    return TorchOptim(work)  # type: ignore[return-value]
