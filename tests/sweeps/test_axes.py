"""Axes whose values mean different things in different configs."""

import pytest

import minilotto as ml


def test_a_final_rate_that_is_the_default_of_one_schedule_makes_no_more_configs():
    sweep = ml.Sweep(seeds=2, lr_final=0.01, schedules=("cosine", "exponential"))
    assert [config.lr_final for config in sweep.configs] == [0.01, None]
    assert ml.Sweep(**sweep.to_dict()) == sweep
    with pytest.raises(ml.ConfigError, match=r"^lr_final=\[0.01, None\] makes two configs"):
        ml.Sweep(seeds=2, lr_finals=(0.01, None), schedules=("cosine", "exponential"))
