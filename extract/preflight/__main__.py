"""Say what a run needs before it starts: ``python -m extract.preflight --config config/paper.yaml``.

Lists every model and data set as present, missing or damaged; for what is missing, where to get it, its licence and
its gate; then hours, memory and disk on the device at hand. Nothing is downloaded, and no network is loaded.
"""

import argparse
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from config.errors import InputError, report_errors
from config.layout import Run
from config.settings import Settings, load_settings
from extract.preflight.catalogue import Shape, shape_of
from extract.preflight.cost import Cost, cost_of, of_model
from extract.preflight.device import Device, device_for
from extract.preflight.inventory import PRESENT, Item, Size, inventory, size_of

WIDTH = 110


def report(settings: Settings, run: Run) -> tuple[list[str], bool]:
    """Return the lines of the report on a run, and whether everything is there."""
    items = inventory(settings, run)
    lines = [f"Run {settings.run}: {len(settings.models)} models, {len(settings.datasets)} data sets", ""]
    for item in items:
        lines += _of_item(item)
    absent = [item for item in items if item.state != PRESENT]
    lines += ["", *_costs(settings, run), ""]
    lines.append(
        "Everything that the run reads is there."
        if not absent
        else f"Not ready: {', '.join(f'{item.key} {item.state.lower()}' for item in absent)}."
    )
    return lines, not absent


def _of_item(item: Item) -> Iterator[str]:
    yield f"  {item.state:8} {item.key}"
    yield from _wrapped(item.what)
    if item.state != PRESENT and item.terms is not None:
        for label, text in (("get", item.terms.get), ("licence", item.terms.licence), ("gate", item.terms.gate)):
            yield from _wrapped(f"{label}: {text}")
        yield from _wrapped(f"read in: {item.terms.source}")


def _wrapped(text: str) -> list[str]:
    indent = " " * 11
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _costs(settings: Settings, run: Run) -> Iterator[str]:
    """Yield the lines on hours, memory and disk."""
    sizes = {name: size_of(dataset, run) for name, dataset in settings.datasets.items()}
    known = {name: size for name, size in sizes.items() if size is not None}
    if unknown := [name for name in sizes if name not in known]:
        yield f"Left out of the estimates, because its size is not known before it is there: {', '.join(unknown)}"
    shapes: dict[str, Shape] = {}
    for name, model in settings.models.items():
        try:
            shapes[name] = shape_of(model)
        except InputError as error:
            yield f"Left out of the estimates: {error}"
    device = device_for(settings.extraction)
    total = cost_of(settings, shapes, known)
    absent = " (extraction.device is cuda, and no GPU is here)" if device.absent else ""
    yield f"Estimates on {device.name}{absent}"
    yield from (f"  {line}" for line in _hours(settings, device, shapes, known, total))
    yield from (f"  {line}" for line in _disk(settings, run, total))
    yield f"  memory: about {size(total.memory)} of a job, " + _device_memory(device, total)


def _hours(
    settings: Settings, device: Device, shapes: dict[str, Shape], sizes: dict[str, Size], total: Cost
) -> Iterator[str]:
    yield f"work: {total.passes:,} images passed, {total.flops / 1e15:,.1f} PFLOP in passes, " + (
        f"{total.probe_flops / 1e15:,.1f} PFLOP in probes"
    )
    if refits := settings.probe.refits:
        without = cost_of(replace(settings, probe=replace(settings.probe, refits=0)), shapes, sizes)
        more = total.probe_flops - without.probe_flops
        hours = "" if device.flops is None else f", about {duration(Cost(probe_flops=more).hours(device.flops))}"
        yield f"  of these for probe.refits ({refits}): {more / 1e15:,.1f} PFLOP{hours}; 0 leaves them out"
    if device.flops is None:
        yield f"hours: not estimated; {device.how}"
        return
    for name, shape in shapes.items():
        yield f"  {duration(of_model(settings, settings.models[name], shape, sizes).hours(device.flops)):>9}  {name}"
    yield f"time: about {duration(total.hours(device.flops))} without the analysis and the report, which take minutes;"
    yield f"  within a factor of 2 or 3 ({device.how})"


def _disk(settings: Settings, run: Run, total: Cost) -> Iterator[str]:
    kinds = ", ".join(f"{kind} {size(each)}" for kind, each in total.disk.items() if each >= 1e6)
    free = shutil.disk_usage(_existing(run.folder)).free
    enough = "" if free >= total.bytes else ". NOT ENOUGH"
    yield f"disk: at most {size(total.bytes)} ({kinds}); free here: {size(free)}{enough}"
    kept = " and ".join(settings.keep) or "neither packs nor records"
    yield f"  {size(total.left(settings.keep))} of it left after the run, which keeps {kept}"


def _device_memory(device: Device, total: Cost) -> str:
    if device.kind == "cpu":
        enough = device.memory is None or device.memory > total.memory
        there = "" if device.memory is None else f"; this machine has {size(device.memory)}"
        return "and every job that runs beside it adds its own" + there + ("" if enough else ". NOT ENOUGH")
    there = "" if device.memory is None else f" of {size(device.memory)}"
    return f"{size(total.device_memory)}{there} on the device; a batch that does not fit is halved"


def _existing(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())


def size(number: float) -> str:
    """Return a number of bytes for readers.

    Examples:
        >>> size(75.2e9), size(12e6)
        ('75 GB', '12 MB')
    """
    for unit, name in ((1e12, "TB"), (1e9, "GB")):
        if number >= unit:
            return f"{number / unit:,.{0 if number >= 10 * unit else 1}f} {name}"
    return f"{number / 1e6:,.0f} MB"


def duration(hours: float) -> str:
    """Return a time for readers.

    Examples:
        >>> duration(2.25), duration(0.05)
        ('2.2 h', '3 min')
    """
    return f"{hours:,.1f} h" if hours >= 1 else f"{max(1, round(60 * hours))} min"


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: print the report."""
    parser = argparse.ArgumentParser(prog="python -m extract.preflight", description=__doc__)
    parser.add_argument("--config", "--settings", type=Path, required=True, help="a config, or settings.yaml of a run")
    parser.add_argument("--strict", action="store_true", help="exit with status 1 where something is missing")
    given = parser.parse_args(arguments)
    settings = load_settings(given.config)
    lines, ready = report(settings, Run(Path("results") / settings.run))
    print("\n".join(lines))
    if given.strict and not ready:
        sys.exit(1)


if __name__ == "__main__":
    report_errors(main)
