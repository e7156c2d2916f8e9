"""paper.yaml takes the fastest precision, and the smallest records, that change no printed figure of a small run."""

from pathlib import Path

import pytest
import yaml

from config.layout import ROOT
from config.resolve import resolve
from config.settings import settings
from tests.benchmarks.printed_figures import VARIANTS, compared, config_of, printed, with_tf32

FASTEST_FIRST = ("bfloat16", "tf32", "float32")


@pytest.mark.benchmark
def test_the_paper_run_is_as_precise_as_its_printed_figures_need(tmp_path: Path) -> None:
    found = {}
    for variant, extraction in VARIANTS.items():
        with with_tf32():
            found[variant] = printed(config_of(extraction, ("open_s",), 120), tmp_path / variant.replace(" ", "_"))
    changed = {variant: sum(compared(found["float32"], each).changed.values()) for variant, each in found.items()}
    print(changed, "of", len(found["float32"]))
    paper = settings(resolve(yaml.safe_load((ROOT / "config" / "paper.yaml").read_text()))).extraction
    assert paper.precision == next(each for each in FASTEST_FIRST if not changed[each])
    assert paper.record_precision == ("float32" if changed["float16 records"] else "float16")
