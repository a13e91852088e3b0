"""The committed expected values of image modification are what diffusers' scheduler and networks compute, now and here."""

from checks.parity import modify_reference


def test_the_loops_compute_the_committed_values():
    values = modify_reference.compute()
    assert modify_reference.check(values) == []
    name = "vary with a prompt/embeddings"
    assert modify_reference.check({**values, name: values[name] * (1 + 1e-3)}) == [f"{name} differs by 0.001, allowed is 5e-05"]
