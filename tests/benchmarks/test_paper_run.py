"""What the paper's run asks for, counted by hand."""

import pytest
import yaml

from config.layout import ROOT
from config.resolve import resolve
from config.settings import settings
from extract.tokens import TokenLayout
from tests.benchmarks.paper_run import work

PAPER = settings(resolve(yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())))
# ImageNet and its twins, SPair-71k; VOC, which is segmented alone, passes in that task and not here.
IMAGES = 35_000 + 10_000 + 2000 + 1800


@pytest.mark.parametrize(
    ("registers", "conditions", "probes"),
    # Every condition on every token (CLS, each register and their mean, the patches' mean); `full` after 12 layers.
    [((1, 2, 3, 4), 22, 7 * (22 + 11)), ((), 10, 2 * (10 + 11))],
)
def test_the_work_is_that_counted_by_hand(registers: tuple[int, ...], conditions: int, probes: int) -> None:
    first = 1 + len(registers)
    asked = work(PAPER, TokenLayout(0, registers, range(first, first + 256), (16, 16)), 12)
    assert asked.passed.total() == conditions * IMAGES and asked.passed["zero random_patches"] == 5 * IMAGES
    assert asked.calibration == 5000
    assert (asked.measured, asked.attended) == (500 * conditions, 200 * conditions)
    assert asked.probes == probes and asked.segmented == conditions
