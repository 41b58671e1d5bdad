"""Tables of a store for other programs: one row for each net."""

import csv
import io
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import FileError, imported
from minilotto.files import check_output, write_atomically
from minilotto.settings.config import DEFAULTS, FIELDS, Config
from minilotto.store.folder import StoreFolder

LISTED = 20  # configs that a notebook shows
MEASURED = ("seed", "loss", "status", "nodes", "audit")
# Columns of settings; `loss` is the number of each net.
SETTINGS = {"loss_kind" if name in MEASURED else name: name for name in FIELDS}


class Tables(StoreFolder, ABC):
    """Conversions of a store, whose nets `ensemble` gives by config."""

    @abstractmethod
    def ensemble(self, config: Config) -> Ensemble:
        """Nets of a config."""

    def _repr_html_(self) -> str:
        from minilotto.settings.display import in_words, panel

        rows: list[tuple[str, object]] = [("folder", str(self.folder))]
        try:
            configs = self.known()
            for config in configs[:LISTED]:
                nets = sum(stop - start for start, stop in self.runs(config))
                rows.append((in_words(config), f"{nets} nets"))
            if len(configs) > LISTED:
                rows.append(("...", f"{len(configs)} configs in all"))
        except FileError as error:
            rows.append((type(error).__name__, str(error)))
        return panel("Store", rows)

    def to_csv(self, path: str | Path, force: bool = False) -> Path:
        """Write a tidy table: one row for each net.

        Columns: the fields of Config (`loss` as loss_kind), seed, loss, status, nodes, audit.

        Parameters
        ----------
        path : str or Path
            Ends in .csv.
        force : bool
            Overwrite an existing file.

        Returns
        -------
        Path
            The file.
        """
        path = check_output(path, (".csv",), force)

        def write(file: BinaryIO) -> None:
            text = io.TextIOWrapper(file, encoding="utf-8", newline="")
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow((*SETTINGS, *MEASURED))
            for config, columns in self._columns():
                fields = tuple(getattr(config, name) for name in FIELDS)
                rows = zip(*(column.tolist() for column in columns), strict=True)
                writer.writerows((*fields, *row) for row in rows)
            text.flush()
            text.detach()

        write_atomically(path, write)
        return path

    def to_dataframe(self) -> Any:
        """The table of `to_csv` as a pandas.DataFrame, text as categories.

        Returns
        -------
        pandas.DataFrame
        """
        pandas = imported("pandas", "pandas")
        parts = list(self._columns())
        counts = [len(columns[0]) for _, columns in parts]
        table: dict[str, Any] = {}
        for column, name in SETTINGS.items():
            values = [getattr(config, name) for config, _ in parts]
            if isinstance(Config.__dataclass_fields__[name].default, str):
                names = sorted(set(values))
                codes = np.repeat([names.index(value) for value in values], counts)
                table[column] = pandas.Categorical.from_codes(codes, names)
            else:
                kind: Any = np.uint64 if name == "root_seed" else None
                if DEFAULTS[name] is None:  # a number, or its default: NaN, as in a .csv
                    kind = np.float64
                table[column] = np.repeat(np.array(values, dtype=kind), counts)
        for i, name in enumerate(MEASURED):
            columns_of_nets = [columns[i] for _, columns in parts]
            table[name] = np.concatenate(columns_of_nets) if parts else np.empty(0)
        table["status"] = pandas.Categorical(table["status"], ["ok", "diverged"])
        return pandas.DataFrame(table)

    def to_parquet(self, path: str | Path, force: bool = False) -> Path:
        """Write the table of `to_csv` as Parquet.

        Parameters
        ----------
        path : str or Path
            Ends in .parquet.
        force : bool
            Overwrite an existing file.

        Returns
        -------
        Path
            The file.
        """
        imported("pyarrow", "pandas")
        path = check_output(path, (".parquet",), force)
        frame = self.to_dataframe()
        write_atomically(path, lambda file: frame.to_parquet(file, index=False))
        return path

    def to_netcdf(self, path: str | Path, force: bool = False) -> Path:
        """Write the table of `to_csv` as NetCDF-3, along one dimension `net`.

        Parameters
        ----------
        path : str or Path
            Ends in .nc.
        force : bool
            Overwrite an existing file.

        Returns
        -------
        Path
            The file.
        """
        imported("pandas", "netcdf")
        xarray = imported("xarray", "netcdf")
        path = check_output(path, (".nc",), force)
        columns = {name: ("net", _plain(column)) for name, column in self.to_dataframe().items()}
        content = xarray.Dataset(columns).to_netcdf(engine="scipy", format="NETCDF3_64BIT")
        write_atomically(path, lambda file: file.write(content))
        return path

    def _columns(self) -> Iterator[tuple[Config, tuple[NDArray[Any], ...]]]:
        """Each config with the columns MEASURED of its nets."""
        for config in self.known():
            nets = self.ensemble(config)
            yield config, (nets.seeds, nets.loss, nets.status, nets.nodes, nets.audit)


def _plain(column: Any) -> NDArray[Any]:
    """A column in the types of NetCDF-3, whose integers have at most 32 bits.

    Larger ones become real numbers, exact below 2^53, or text.
    """
    if column.dtype == "category":
        return np.asarray(column.astype(object))
    values = np.asarray(column)
    if values.dtype.kind not in "iu":
        return values
    if not values.size or values.max() < 2**31:
        return values.astype(np.int32)
    return values.astype(np.float64) if values.max() < 2**53 else values.astype(str).astype(object)
