"""From outcomes and published numbers to tables, figures and verdicts."""

from analysis.jobs.needs import Needs, comparisons_of
from analysis.rows.registry import DECLARED, DRAWN, LAYER_TABLES, PARTS, path_of
from config.layout import ERROR_RATES_RUN, FIGURES, PUBLISHED

published = PUBLISHED.relative_to(workflow.basedir)
needs = Needs(resolved, run_settings, run)


rule statistics:
    input:
        outcomes=lambda wildcards: needs.outcomes(wildcards.task),
    output:
        parts=[run.part("{dataset}", "{task}", name) for name in PARTS],
        nulls=run.nulls("{dataset}", "{task}"),
    log:
        run.folder / "logs" / "statistics" / "{dataset}" / "{task}.log",
    params:
        settings=run.settings,
        values=lambda wildcards: needs.of_task(wildcards.task),
        code=code_of("analysis.jobs.task"),
    shell:
        "python -m analysis.jobs.task --settings {params.settings} --dataset {wildcards.dataset} "
        "--task {wildcards.task} 2>&1 | tee {log}"


rule comparison:
    input:
        outcomes=lambda wildcards: needs.compared(wildcards.comparison),
    output:
        rows=run.comparison("{comparison}", "comparisons"),
        nulls=run.comparison("{comparison}", "nulls"),
    log:
        run.folder / "logs" / "comparison" / "{comparison}.log",
    params:
        settings=run.settings,
        values=lambda wildcards: needs.of_comparison(wildcards.comparison),
        code=code_of("analysis.jobs.comparison"),
    shell:
        "python -m analysis.jobs.comparison --settings {params.settings} "
        "--comparison {wildcards.comparison} 2>&1 | tee {log}"


rule comparisons:
    input:
        rows=needs.comparisons("comparisons"),
        nulls=needs.comparisons("nulls"),
    output:
        rows=run.test("comparisons"),
        nulls=run.test("nulls"),
    log:
        run.folder / "logs" / "comparisons.log",
    params:
        settings=run.settings,
        names=[one.name for one in comparisons_of(run_settings)],
        code=code_of("analysis.jobs.comparisons"),
    shell:
        "python -m analysis.jobs.comparisons --settings {params.settings} 2>&1 | tee {log}"


rule layers:
    input:
        measures=needs.measures(),
    output:
        tables=[path_of(table, run) for table in LAYER_TABLES],
    log:
        run.folder / "logs" / "layers.log",
    # Figures, and the report, wait for it longest.
    priority: 1
    params:
        settings=run.settings,
        values=needs.of_layers(),
        code=code_of("analysis.jobs.layers"),
    shell:
        "python -m analysis.jobs.layers --settings {params.settings} 2>&1 | tee {log}"


# Families of tests may hold several data sets, tasks and models: p-values are adjusted when all of them are known.
rule tables:
    input:
        parts=needs.parts(),
    output:
        tables=[path_of(table, run) for table in PARTS],
        replacement=run.table("replacement"),
    log:
        run.folder / "logs" / "tables.log",
    params:
        settings=run.settings,
        values=needs.of_tables(),
        code=code_of("analysis.jobs.tables"),
    shell:
        "python -m analysis.jobs.tables --settings {params.settings} 2>&1 | tee {log}"


rule known_answers:
    input:
        ablation=needs.parts("ablation"),
        record_changes=run.record_changes,
        facts=[run.pack(dataset).facts for dataset in run_settings.datasets],
    output:
        run.table("known_answers"),
    log:
        run.folder / "logs" / "known_answers.log",
    params:
        settings=run.settings,
        values=needs.of_known_answers(),
        code=code_of("analysis.jobs.known_answers"),
    shell:
        "python -m analysis.jobs.known_answers --settings {params.settings} 2>&1 | tee {log}"


rule figures:
    input:
        tables=[path_of(table, run) for table in DRAWN],
        facts=run.pack("{dataset}").facts,
    output:
        [run.figure("{dataset}", figure) for figure in FIGURES],
    log:
        run.folder / "logs" / "figures" / "{dataset}.log",
    params:
        settings=run.settings,
        values=lambda wildcards: needs.of_figures(wildcards.dataset),
        code=code_of("analysis.jobs.figures"),
    shell:
        "python -m analysis.jobs.figures --settings {params.settings} --dataset {wildcards.dataset} "
        "2>&1 | tee {log}"


rule audit:
    input:
        published=[
            published / name
            for name in (
                "tables.csv",
                "figures.csv",
                "interactive.csv",
                "claims.yaml",
                "quantities.yaml",
            )
        ],
    output:
        claims=run.audit / "claims.csv",
        readings=run.audit / "claims.json",
        summary=run.audit / "summary.csv",
        findings=run.audit / "summary.md",
        points=run.audit / "points.csv",
        sources=run.audit / "sources.csv",
        power=run.audit / "power.csv",
        mutations=run.audit / "mutations.csv",
    log:
        run.folder / "logs" / "audit.log",
    params:
        published=published,
        audit=run.audit,
        code=code_of("analysis.audit.__main__"),
    shell:
        "python -m analysis.audit {params.published} --out {params.audit} 2>&1 | tee {log}"


# One figure a finding: how many there are is known when the audit is done.
rule audit_figures:
    input:
        points=rules.audit.output.points,
    output:
        figures=directory(run.figures / "audit"),
    log:
        run.folder / "logs" / "audit_figures.log",
    params:
        audit=run.audit,
        code=code_of("analysis.audit.figures"),
    shell:
        "python -m analysis.audit.figures {params.audit} --out {output.figures} 2>&1 | tee {log}"


# Apart from the audit, which needs no run: what this run measured of what the claims rest on.
rule audit_reproduced:
    input:
        published=rules.audit.input.published,
        ablation=run.table("ablation"),
    output:
        reproduced=run.audit / "reproduced.csv",
    log:
        run.folder / "logs" / "audit_reproduced.log",
    params:
        published=published,
        settings=run.settings,
        values=values(resolved, "models", "conditions"),
        code=code_of("analysis.audit.reproduced"),
    shell:
        "python -m analysis.audit.reproduced {params.published} --settings {params.settings} "
        "2>&1 | tee {log}"


# Never part of `all`: runs every universe by a call of Snakemake of its own, which knows what is finished; no output.
rule multiverse:
    log:
        run.folder / "logs" / "multiverse.log",
    threads: workflow.cores
    params:
        settings=run.settings,
    shell:
        "python -m analysis.jobs.multiverse --settings {params.settings} --cores {threads} 2>&1 | tee {log}"


# Never part of `all`: the report prints the committed rates, and a test holds their signature against the code.
rule error_rates:
    output:
        ERROR_RATES_RUN / "error_rates.csv",
    log:
        ERROR_RATES_RUN / "error_rates.log",
    threads: 2
    params:
        code=code_of("analysis.error_rates.__main__"),
    shell:
        "OMP_NUM_THREADS=1 python -m analysis.error_rates --out {output} --workers {threads} 2>&1 | tee {log}"


# The name that `error_rates` had before; `calibrate` computes the moments of tokens, which is another thing.
rule calibration:
    input:
        rules.error_rates.output,
