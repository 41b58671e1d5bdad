"""Elimination in a table, in place: most of the time that large rules of data/cubature.py take."""

from minilotto.kernels.compile import kernel


@kernel()
def pivot(table, columns, row, j, scaled):
    """Subtract multiples of a row from the others, so that column j becomes that of a unit matrix,
    and leave it out: the first `columns` - 1 columns are the result.

    scaled (columns,) is space.
    """
    for k in range(columns):
        scaled[k] = table[row, k] / table[row, j]
    for i in range(table.shape[0]):
        factor = table[i, j]
        for k in range(j):
            table[i, k] -= factor * scaled[k]
        for k in range(j + 1, columns):
            table[i, k - 1] = table[i, k] - factor * scaled[k]
    for k in range(j):
        table[row, k] = scaled[k]
    for k in range(j + 1, columns):
        table[row, k - 1] = scaled[k]
