"""Where a run keeps its files. No other module joins these names."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = ROOT / "analysis" / "published"
ERROR_RATES = ROOT / "analysis" / "error_rates" / "error_rates.csv"
KNOWN_ANSWER_WEIGHTS = ROOT / "extract" / "known_answer" / "weights"
AUDITS = Path("results") / "audits"
KNOWN_ANSWER_TRAINING = Path("results") / "known_answer_models"
ERROR_RATES_RUN = Path("results") / "error_rates"

# The figures of the analysis: figures/<dataset>/<name>.svg. Its tables: analysis.rows.registry.
STATISTICS_FIGURES = ("nulls", "cumulative")
LAYER_FIGURES = ("divergence", "patch_cosine", "effective_rank", "attention_to_registers", "token_curves")
FIGURES = ("delta_heatmap", "known_answers", *LAYER_FIGURES, *STATISTICS_FIGURES)


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
        return Pack(self.folder / "packs" / dataset)

    def calibration(self, model: str) -> Path:
        """The replacement means and variances of a model."""
        return self.folder / "calibration" / f"{model}.safetensors"

    def records(self, model: str, dataset: str, shard: str, condition: str) -> Path:
        """The features of one shard under one condition."""
        return self.folder / "records" / model / dataset / shard / f"{condition}.safetensors"

    @property
    def all_measures(self) -> Path:
        """Folder of the measures by image, condition and layer."""
        return self.folder / "measures"

    def measures(self, model: str, dataset: str, shard: str) -> Path:
        """The geometry and attention of one shard's measured images."""
        return self.folder / "measures" / model / dataset / f"{shard}.parquet"

    def spectra(self, model: str, dataset: str, shard: str) -> Path:
        """The mean spectra of one shard's measured images."""
        return self.folder / "measures" / model / dataset / f"{shard}.spectra.parquet"

    @property
    def record_changes(self) -> Path:
        """Largest absolute change of every record, by model and condition."""
        return self.folder / "measures" / "record_changes.csv"

    def outcomes(self, task: str, model: str) -> Path:
        """The per-unit counts of a task."""
        return self.folder / "outcomes" / task / f"{model}.parquet"

    def probes(self, task: str, model: str) -> Path:
        """How the probes of a task were fitted: penalty, held-out loss, iterations."""
        return self.folder / "outcomes" / task / f"{model}.probes.csv"

    def part(self, dataset: str, task: str, name: str) -> Path:
        """A table of one data set and task, before p-values are adjusted."""
        return self.folder / "statistics" / dataset / task / f"{name}.csv"

    def nulls(self, dataset: str, task: str) -> Path:
        """The null distributions of one data set and task."""
        return self.folder / "statistics" / dataset / task / "nulls.parquet"

    def comparison(self, comparison: str, name: str) -> Path:
        """A table of one declared comparison."""
        return self.folder / "comparisons" / comparison / f"{name}.csv"

    @property
    def tables(self) -> Path:
        """Folder of the result tables."""
        return self.folder / "tables"

    def table(self, name: str) -> Path:
        """A result table."""
        return self.tables / f"{name}.csv"

    @property
    def tests(self) -> Path:
        """Folder of the statistical tests."""
        return self.folder / "tests"

    def test(self, name: str) -> Path:
        """A table of statistical tests."""
        return self.tests / f"{name}.csv"

    @property
    def figures(self) -> Path:
        """Folder of the figures."""
        return self.folder / "figures"

    def figure(self, dataset: str, name: str) -> Path:
        """A figure of a data set."""
        return self.figures / dataset / f"{name}.svg"

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
