"""Mistakes in saving and converting are named; the number of values is the last resort."""

import numpy as np
import pytest

from hfscan.parity.tensor_difference import describe_tensor

RNG = np.random.default_rng(7)
MATRIX = RNG.standard_normal((12, 6)).astype(np.float32)
VECTOR = RNG.standard_normal(12).astype(np.float32)
SQUARE = RNG.standard_normal((6, 6)).astype(np.float32)
QUERY, KEY, VALUE = np.split(MATRIX, 3)


def zero_rows(array):
    array = array.copy()
    array[3:5] = 0
    return array


def flip_bit(array):
    array = array.copy()
    array.view(np.uint32)[2, 3] ^= 1 << 5
    return array


@pytest.mark.parametrize(
    ("theirs", "ours", "expected"),
    [
        (SQUARE, SQUARE.T, "transposed"),
        (MATRIX, MATRIX.T, "transposed"),
        (MATRIX, MATRIX[:4], "different shape ([4, 6], not [12, 6])"),
        (MATRIX, MATRIX.astype(np.float64), "the same values as float64, not float32"),
        (MATRIX, MATRIX.astype(np.float16), "rounded to float16"),
        (MATRIX.astype(np.float16), MATRIX, "its counterpart is rounded to float16"),
        (MATRIX, flip_bit(MATRIX), "one flipped bit (bit 5 of element [2, 3])"),
        (MATRIX, -MATRIX, "of the opposite sign"),
        (MATRIX, MATRIX * np.float32(1.5), "1.5 times its counterpart"),
        (MATRIX, MATRIX / np.float32(8), "0.125 times its counterpart"),
        (MATRIX, MATRIX + np.float32(1), "its counterpart plus 1"),
        (MATRIX, np.zeros_like(MATRIX), "all zeros"),
        (np.zeros_like(MATRIX), MATRIX, "its counterpart is all zeros"),
        (MATRIX, zero_rows(MATRIX), "zeroed in part (12 of 72 values)"),
        (MATRIX, np.roll(MATRIX, 1, axis=0), "rows rolled by 1"),
        (MATRIX, np.roll(MATRIX, -1, axis=1), "columns rolled by -1"),
        (VECTOR, np.roll(VECTOR, 5), "values rolled by 5"),
        (MATRIX, MATRIX[RNG.permutation(12)], "rows in another order"),
        (MATRIX, MATRIX[:, [1, 0, 2, 3, 4, 5]], "columns in another order"),
        (VECTOR, VECTOR[RNG.permutation(12)], "values in another order"),
        (MATRIX, np.concatenate([KEY, QUERY, VALUE]), "3 fused parts in another order (1, 0, 2)"),
        (MATRIX.T, np.concatenate([KEY, VALUE, QUERY]).T, "3 fused parts in another order"),
        (MATRIX, MATRIX.reshape(6, 12).T.copy(), "the same values in another order"),
        (MATRIX, MATRIX + RNG.standard_normal((12, 6)).astype(np.float32), "other values (72 "),
    ],
)  # fmt: skip
def test_difference_of_a_tensor_is_named(theirs, ours, expected):
    assert describe_tensor(ours, theirs).startswith(expected)


def test_values_that_are_not_finite_are_counted():
    damaged = MATRIX.copy()
    damaged[0, 0] = np.nan
    assert describe_tensor(damaged, MATRIX).startswith("other values (1 of 72, by")
