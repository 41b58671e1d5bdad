"""A store as a table for other programs: a row a net."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minilotto.errors import imported
from minilotto.files import check_output, write_atomically
from minilotto.settings.config import FIELDS, Config

if TYPE_CHECKING:
    from minilotto.store.store import Store

MEASURED = ("seed", "loss", "status", "nodes", "audit")
SETTINGS = {
    "loss_kind" if name in MEASURED else name: name for name in FIELDS
}  # columns; `loss` is each net's own number


def to_csv(store: "Store", path: str | Path, force: bool) -> Path:
    """See `Store.to_csv`."""
    path = check_output(path, (".csv",), force)

    def write(file: Any) -> None:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow((*SETTINGS, *MEASURED))
        for config, columns in _parts(store):
            fields = tuple(getattr(config, name) for name in FIELDS)
            writer.writerows(
                (*fields, *row)
                for row in zip(*(column.tolist() for column in columns), strict=True)
            )
        text.flush()
        text.detach()

    write_atomically(path, write)
    return path


def _parts(store: "Store") -> Iterator[tuple[Config, tuple[NDArray, ...]]]:
    """Each config with the columns MEASURED of its nets."""
    for config in store.configs:
        nets = store.ensemble(config)
        yield config, (nets.seeds, nets.loss, nets.status, nets.nodes, nets.audit)


def to_dataframe(store: "Store") -> Any:
    """See `Store.to_dataframe`."""
    pandas = imported("pandas", "pandas")
    parts = list(_parts(store))
    counts = [len(columns[0]) for _, columns in parts]
    table: dict[str, Any] = {}
    for column, name in SETTINGS.items():
        values = [getattr(config, name) for config, _ in parts]
        if isinstance(Config.__dataclass_fields__[name].default, str):
            names = sorted(set(values))
            table[column] = pandas.Categorical.from_codes(
                np.repeat([names.index(value) for value in values], counts), names
            )
        else:
            kind = np.uint64 if name == "root_seed" else None
            table[column] = np.repeat(np.array(values, dtype=kind), counts)
    for i, name in enumerate(MEASURED):
        table[name] = np.concatenate(
            [np.empty(0), *(columns[i] for _, columns in parts)][1 if parts else 0 :]
        )
    table["status"] = pandas.Categorical(table["status"], ["ok", "diverged"])
    return pandas.DataFrame(table)


def to_parquet(store: "Store", path: str | Path, force: bool) -> Path:
    """See `Store.to_parquet`."""
    imported("pyarrow", "pandas")
    path = check_output(path, (".parquet",), force)
    frame = to_dataframe(store)
    write_atomically(path, lambda file: frame.to_parquet(file, index=False))
    return path


def to_netcdf(store: "Store", path: str | Path, force: bool) -> Path:
    """See `Store.to_netcdf`."""
    xarray = imported("xarray", "netcdf")
    path = check_output(path, (".nc",), force)
    columns = {name: ("net", _plain(column)) for name, column in to_dataframe(store).items()}
    content = xarray.Dataset(columns).to_netcdf(engine="scipy", format="NETCDF3_64BIT")
    write_atomically(path, lambda file: file.write(content))
    return path


def _plain(column: Any) -> NDArray:
    """A column in the types of NetCDF-3, which has no integers beyond 32 bits: as real numbers,
    exact below 2^53, or as text.
    """
    if column.dtype == "category":
        return column.astype(object).to_numpy()
    values = column.to_numpy()
    if values.dtype.kind not in "iu" or not values.size or values.max() < 2**31:
        return values.astype(np.int32) if values.dtype.kind in "iu" else values
    return values.astype(np.float64) if values.max() < 2**53 else values.astype(str).astype(object)
