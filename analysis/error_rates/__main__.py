"""Simulate the error rates of the statistics.

python -m analysis.error_rates --out results/error_rates/error_rates.csv
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from analysis.error_rates.designs import designs
from analysis.error_rates.rates import SETS, measure_all, write
from config.errors import report_errors


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m analysis.error_rates", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="CSV to write")
    parser.add_argument("--sets", type=int, default=SETS, help="simulated data sets per design (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: %(default)s)")
    given = parser.parse_args(arguments)
    rates = []
    for rate in measure_all(range(len(list(designs()))), sets=given.sets, workers=given.workers):
        print(f"{rate.quantity}, {rate.procedure}, {rate.data}, n {rate.n}: {rate.rate:.4f}", flush=True)
        rates.append(rate)
    write(rates, given.out)


if __name__ == "__main__":
    report_errors(main)
