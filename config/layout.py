"""Where a run keeps its files. No other module joins these names."""

from dataclasses import dataclass
from pathlib import Path

from config.errors import InputError
from config.names import LONGEST_FILE, fault_of, remedy_for

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = ROOT / "analysis" / "published"
ANCHORS = ROOT / "reports" / "anchors.yaml"
PROTOCOL = ROOT / "reports" / "protocol.yaml"
ERROR_RATES = ROOT / "analysis" / "error_rates" / "error_rates.csv"
KNOWN_ANSWER_WEIGHTS = ROOT / "extract" / "known_answer" / "weights"
AUDITS = Path("results") / "audits"
KNOWN_ANSWER_TRAINING = Path("results") / "known_answer_models"
ERROR_RATES_RUN = Path("results") / "error_rates"

# The figures of the analysis: figures/<dataset>/<name>.svg. Its tables: analysis.rows.registry.
STATISTICS_FIGURES = ("nulls", "cumulative")
LAYER_FIGURES = (
    *("divergence", "patch_cosine", "effective_rank", "patch_norms"),
    *("attention_to_registers", "token_curves"),
)
# In the SVG of a figure that has nothing to show: the workflow wants the file, and the report leaves it out.
EMPTY_FIGURE = "nothing-to-show"
FIGURES = ("delta_heatmap", "known_answers", *LAYER_FIGURES, *STATISTICS_FIGURES)


def inside(folder: Path, *names: str) -> Path:
    """Return the path of a file or folder below ``folder``, which no name can lead out of.

    Args:
        folder: where a run may write.
        names: of folders and at last of the file, as they come from configs and outcomes.

    Raises:
        InputError: a name is empty or a path (:func:`config.names.fault_of`).

    Examples:
        >>> inside(Path("results"), "tables", "ablation.csv").as_posix()
        'results/tables/ablation.csv'
    """
    for name in names:
        if fault := fault_of(name, LONGEST_FILE):
            raise InputError(f"{folder}: nothing is written to {name!r} in it, which {fault}. {remedy_for(name)}")
    return folder.joinpath(*names)


@dataclass(frozen=True)
class Pack:
    """The files of one decoded data set."""

    folder: Path

    @property
    def images(self) -> Path:
        """Images, uint8 N×H×W×3."""
        return self.folder / "images.npy"

    @property
    def masks(self) -> Path:
        """Class masks, uint8 N×H×W; absent where a data set has none."""
        return self.folder / "masks.npy"

    @property
    def depths(self) -> Path:
        """Depth maps, uint16 N×H×W in millimetres, 0 where unknown; absent where a data set has none."""
        return self.folder / "depths.npy"

    @property
    def index(self) -> Path:
        """One row per image."""
        return self.folder / "index.parquet"

    @property
    def pairs(self) -> Path:
        """One row per image pair."""
        return self.folder / "pairs.parquet"

    @property
    def facts(self) -> Path:
        """Counts and names, for the report."""
        return self.folder / "pack.yaml"


@dataclass(frozen=True)
class Run:
    """The files of one run, under ``results/<run>/``."""

    folder: Path

    @property
    def settings(self) -> Path:
        """The resolved config."""
        return self.folder / "settings.yaml"

    def pack(self, dataset: str) -> Pack:
        """The pack of a data set."""
        return Pack(inside(self.folder, "packs", dataset))

    def calibration(self, model: str) -> Path:
        """The replacement means and variances of a model."""
        return inside(self.folder, "calibration", f"{model}.safetensors")

    def records(self, model: str, dataset: str, shard: str, condition: str) -> Path:
        """The features of one shard under one condition."""
        return inside(self.folder, "records", model, dataset, shard, f"{condition}.safetensors")

    @property
    def all_measures(self) -> Path:
        """Folder of the measures by image, condition and layer."""
        return self.folder / "measures"

    def measures(self, model: str, dataset: str, shard: str) -> Path:
        """The geometry and attention of one shard's measured images."""
        return inside(self.folder, "measures", model, dataset, f"{shard}.parquet")

    def spectra(self, model: str, dataset: str, shard: str) -> Path:
        """The mean spectra of one shard's measured images."""
        return inside(self.folder, "measures", model, dataset, f"{shard}.spectra.parquet")

    @property
    def record_changes(self) -> Path:
        """Largest absolute change of every record, by model and condition."""
        return self.folder / "measures" / "record_changes.csv"

    def changes_of(self, model: str) -> Path:
        """Largest absolute change of every record of a model, and the conditions that it could not be put under."""
        return inside(self.folder, "record_changes", f"{model}.csv")

    def outcomes(self, task: str, model: str) -> Path:
        """The per-unit counts of a task."""
        return inside(self.folder, "outcomes", task, f"{model}.parquet")

    def probes(self, task: str, model: str) -> Path:
        """How the probes of a task were fitted: penalty, held-out loss, iterations."""
        return inside(self.folder, "outcomes", task, f"{model}.probes.csv")

    def part(self, dataset: str, task: str, name: str) -> Path:
        """A table of one data set and task, before p-values are adjusted."""
        return inside(self.folder, "statistics", dataset, task, f"{name}.csv")

    def nulls(self, dataset: str, task: str) -> Path:
        """The null distributions of one data set and task."""
        return inside(self.folder, "statistics", dataset, task, "nulls.parquet")

    def comparison(self, comparison: str, name: str) -> Path:
        """A table of one declared comparison."""
        return inside(self.folder, "comparisons", comparison, f"{name}.csv")

    @property
    def tables(self) -> Path:
        """Folder of the result tables."""
        return self.folder / "tables"

    def table(self, name: str) -> Path:
        """A result table."""
        return inside(self.tables, f"{name}.csv")

    @property
    def tests(self) -> Path:
        """Folder of the statistical tests."""
        return self.folder / "tests"

    def test(self, name: str) -> Path:
        """A table of statistical tests."""
        return inside(self.tests, f"{name}.csv")

    @property
    def figures(self) -> Path:
        """Folder of the figures."""
        return self.folder / "figures"

    def figures_of(self, dataset: str) -> Path:
        """Folder of the figures of a data set."""
        return inside(self.figures, dataset)

    def figure(self, dataset: str, name: str) -> Path:
        """A figure of a data set."""
        return inside(self.figures, dataset, f"{name}.svg")

    def multiverse(self, name: str) -> Path:
        """A table of the universes of this run: universes, conclusions or survival."""
        return inside(self.folder, "multiverse", f"{name}.csv")

    @property
    def specification_curve(self) -> Path:
        """The figure of the universes of this run."""
        return inside(self.folder, "multiverse", "specification_curve.svg")

    @property
    def audit(self) -> Path:
        """Folder of the audit's verdicts."""
        return self.folder / "audit"

    @property
    def site(self) -> Path:
        """Folder where the report's pages are put together."""
        return self.folder / "site"

    @property
    def report(self) -> Path:
        """Folder of the rendered report."""
        return self.folder / "report"
