"""A step on equally spaced points over one of the usual kernel: `python -m bench.spaced`.

Both kernels train the same networks in turns, in one thread, without losses and audits.
"""

import time

import minilotto as ml
from bench.command import run_command
from minilotto.data.dataset import sampled
from minilotto.engines.lanes import LaneEngine
from minilotto.hardware.machine import cpu_name
from minilotto.initialisation import initial_parameters
from minilotto.kernels.simd import lane_count
from minilotto.settings.numbers import whole_number

WIDTHS = (1, 2, 4, 10, 20, 50, 100)
BLOCKS = 8  # vectors of networks
SECONDS = 0.02  # of a timing, about


def ratio(config: ml.Config, rounds: int) -> float:
    """The least time of a step over the usual kernel's."""
    data, nets = sampled(config), BLOCKS * lane_count(config.dtype)
    parameters = initial_parameters(config, 1, range(nets))
    engines = [LaneEngine(config, data, 1, spaced=spaced) for spaced in (True, False)]
    steps = max(1, round(SECONDS / (nets * config.width * data.points * 0.2e-9)))
    least = [float("inf")] * 2
    for round_ in range(rounds + 1):  # the first one compiles
        for i, engine in enumerate(engines):
            engine.start(parameters)
            began = time.thread_time()
            engine.advance(0, steps)
            if round_:
                least[i] = min(least[i], time.thread_time() - began)
    return least[0] / least[1]


def main(*, rounds: int = 30) -> None:
    """Ratios by width and precision, on the paper's 100 points.

    Parameters
    ----------
    rounds : int
        Timings of each kernel, of which the least count.
    """
    rounds = whole_number("rounds", rounds, at_least=1)
    print(f"{cpu_name()}: {lane_count('float32')} float32 numbers in a vector")
    print(f"{'width':9}{''.join(f'{width:7}' for width in WIDTHS)}")
    for dtype in ("float32", "float64"):
        found = (ratio(ml.Config(width=width, dtype=dtype), rounds) for width in WIDTHS)
        print(f"{dtype:9}{''.join(f'{one:7.2f}' for one in found)}", flush=True)


if __name__ == "__main__":
    raise SystemExit(run_command(main, "bench.spaced"))
