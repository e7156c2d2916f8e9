"""From images, weights and published numbers to the report: `uv run snakemake --cores all`."""

import sys

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from config.errors import InputError
from config.inputs import require_inputs
from config.layout import Run
from config.multiverse import universes
from config.resolve import ConfigError, resolve, unmatched
from config.settings import save_resolved, settings
from config.sources import code_of, sources
from config.values import values

min_version("9.10")


# A configfile on the command line stands alone; only without one the demo runs.
if "models" not in config:

    configfile: "config/demo.yaml"


try:
    resolved = resolve(config)
    run_settings = settings(resolved)
    run = Run(Path("results") / run_settings.run)
    universes(resolved)  # complains of a multiverse that cannot be run before anything runs
    # Preflight lists what is missing, and must not fail for it. Snakemake knows its targets only after this file.
    preflight_asked = "preflight" in sys.argv
    if not preflight_asked:
        require_inputs(run_settings, run)
except ConfigError as error:
    raise WorkflowError(str(error))


# Jobs read the resolved config from here. It is no rule's output: a job that depended on it would be run again
# for every change of the config, or, with ancient(), for none. Rules name the values they read as params instead.
onstart:
    try:
        save_resolved(resolved, run.settings)
    except InputError as error:
        raise WorkflowError(str(error))
    for line in unmatched(resolved):
        print(f"warning: {line}", file=sys.stderr)


onsuccess:
    if not preflight_asked:
        print(f"Report: {run.report / 'index.html'}")


include: "extract/rules.smk"
include: "analysis/rules.smk"
include: "reports/rules.smk"


rule all:
    default_target: True
    input:
        run.report / "index.html",
