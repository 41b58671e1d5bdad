"""Grids of trainings into a store: in this process, in workers, on a Dask cluster."""
