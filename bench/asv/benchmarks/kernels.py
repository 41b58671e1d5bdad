"""The kernels' cost at each commit, in vector FMAs of the same instant, which varies little with
the machine's load and clock.
"""

import sys
from pathlib import Path

# last, so that minilotto is the installed one of the commit
sys.path.append(str(Path(__file__).resolve().parents[3]))


class Kernels:
    """A unit of a full vector of nets: one neuron at one point in one step."""

    params = (["silu", "leaky_relu", "tanh"], [2, 20], ["float32", "float64"])
    param_names = ("activation", "width", "dtype")
    unit = "vector FMAs"
    timeout = 600

    def setup_cache(self):
        from bench.cost import measure

        jobs = [(activation, width) for activation in self.params[0] for width in self.params[1]]
        costs = measure(jobs, 5, lambda line: None)[1]
        return {(cost.activation, cost.width, cost.dtype): cost.fmas.median for cost in costs}

    setup_cache.timeout = 600

    def track_unit(self, costs, activation, width, dtype):
        return costs[activation, width, dtype]


class Start:
    """From nothing to `import minilotto`."""

    def timeraw_import(self):
        return "import minilotto"
