"""Measure the rates of the designs, and write them with a digest of the code that they are of.

Sets and draws are keyed by (seed, design, set): no seed is chosen, and every rate is reported as it comes out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np

from analysis.error_rates.designs import designs
from config.code_digest import code_digest
from config.files import write_csv
from config.keys import keyed_generator

# What the rates are of: their digest is that of this function, and of all that it reaches.
SIMULATION = "analysis.error_rates.rates:measure"

SETS = 10_000
SEED = 0


@dataclass(frozen=True)
class ErrorRate:
    """One measured rate; the columns of `error_rates.csv`, whose last is the digest of the code.

    Attributes:
        quantity: kind of the rate (`Design`).
        procedure: what is judged.
        data: how a data set is drawn, in words.
        n: number of units, or of clusters, in a data set.
        sets: number of simulated data sets.
        expected: nominal rate, or the attainable one.
        rate: measured rate.
        standard_error: its binomial standard error.
        low: lower limit of the rate.
        high: upper limit of the rate.
        within: whether the rate keeps the limits; empty for what is shown for comparison.
        note: why the limits are wider than the nominal rate asks, where they are.
        seed: seed of the simulation.
    """

    quantity: str
    procedure: str
    data: str
    n: int
    sets: int
    expected: float
    rate: float
    standard_error: float
    low: float
    high: float
    within: str
    note: str
    seed: int


def measure(place: int, sets: int) -> list[ErrorRate]:
    """Return the rates of the design at a place of `designs`, one per procedure, over `sets` data sets."""
    design = list(designs())[place]
    verdicts = []
    for number in range(sets):
        key = (SEED, f"{design.quantity}: {', '.join(design.procedures)}: {design.data}: {design.n}", number)
        verdicts.append(design.simulate(design.n, keyed_generator(*key, "data"), key))
    rates = np.mean(verdicts, axis=0)
    return [
        ErrorRate(
            quantity=design.quantity,
            procedure=procedure,
            data=design.data,
            n=design.n,
            sets=sets,
            expected=design.expected,
            rate=float(rate),
            standard_error=math.sqrt(rate * (1 - rate) / sets),
            low=design.low,
            high=design.high,
            within="" if procedure in design.compared else "true" if design.low <= rate <= design.high else "false",
            note=design.note,
            seed=SEED,
        )
        for procedure, rate in zip(design.procedures, rates, strict=True)
    ]


def measure_all(places: Iterable[int], *, sets: int, workers: int) -> Iterator[ErrorRate]:
    """Yield the rates of the designs at `places` of `designs`, in order, from as many processes as `workers`."""
    with ProcessPoolExecutor(max_workers=workers) as pool:
        for found in pool.map(partial(measure, sets=sets), places):
            yield from found


def write(rates: Sequence[ErrorRate], path: Path) -> None:
    """Write the rates as CSV, signed with the digest of the code that they are of."""
    code = code_digest(SIMULATION)
    columns = [*(field.name for field in fields(ErrorRate)), "code"]
    write_csv(path, columns, [{**asdict(rate), "code": code} for rate in rates], digits=6)
