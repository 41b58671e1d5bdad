"""Timing suite: `python -m bench` checks that everyone computes the same, then times.

work.py        the protocol's work at one width, and minilotto as a contestant
jax_peer.py    JAX's ways of doing it
torch_peer.py  torch's ways of doing it
agreement.py   gradients against the float64 reference, short trainings against minilotto
speed.py       interleaved timing
cost.py        the training kernel in vector FMAs
startup.py     import, first compilation, first step, memory
optimizers.py  optimisers and batches beside optax and torch.optim (its own command; jax_ways.py and
               torch_ways.py are theirs)
cuda.py        everything about a GPU (its own command); machine_code.py counts its instructions
report.py      tables
interop/functional.py   gradients and callbacks in other codes (its own command)
coefficients.py derives the kernels' polynomials (its own command)
"""
