"""From outcomes and published numbers to tables, figures and verdicts."""

from analysis.rows.registry import TABLES, TESTS
from config.layout import ERROR_RATES_RUN, FIGURES, PUBLISHED
from config.vocabulary.tasks import ASKED

published = PUBLISHED.relative_to(workflow.basedir)


rule analyse:
    input:
        outcomes=[
            run.outcomes(part, model)
            for task in ASKED
            if run_settings.datasets_with(task)
            for part in run_settings.outcomes_of(task)
            for model in run_settings.models
        ],
        facts=[run.pack(dataset).facts for dataset in run_settings.datasets],
        record_changes=run.record_changes,
        measures=jobs.measures(),
        modules=sources("analysis.run"),
    output:
        tables=[run.tables / f"{table}.csv" for table in TABLES],
        tests=[run.tests / f"{test}.csv" for test in TESTS],
        figures=[
            run.figures / dataset / f"{figure}.svg"
            for dataset in run_settings.datasets
            for figure in FIGURES
        ],
    log:
        run.folder / "logs" / "analyse.log",
    threads: 2
    params:
        settings=run.settings,
        values={
            key: resolved[key] for key in ("seed", "models", "conditions", "datasets", "analysis")
        },
        run=run,
    shell:
        "python -m analysis.run --settings {params.settings} --outcomes {params.run.folder}/outcomes "
        "--packs {params.run.folder}/packs --record-changes {input.record_changes} "
        "--measures {params.run.all_measures} --tables {params.run.tables} --tests {params.run.tests} "
        "--figures {params.run.figures} 2>&1 | tee {log}"


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
        modules=sources("analysis.audit.__main__"),
    output:
        claims=run.audit / "claims.csv",
        readings=run.audit / "claims.json",
        summary=run.audit / "summary.csv",
        findings=run.audit / "summary.md",
        points=run.audit / "points.csv",
        sources=run.audit / "sources.csv",
    log:
        run.folder / "logs" / "audit.log",
    params:
        published=published,
        audit=run.audit,
    shell:
        "python -m analysis.audit {params.published} --out {params.audit} 2>&1 | tee {log}"


# One figure a finding: how many there are is known when the audit is done.
rule audit_figures:
    input:
        points=rules.audit.output.points,
        modules=sources("analysis.audit.figures"),
    output:
        figures=directory(run.figures / "audit"),
    log:
        run.folder / "logs" / "audit_figures.log",
    params:
        audit=run.audit,
    shell:
        "python -m analysis.audit.figures {params.audit} --out {output.figures} 2>&1 | tee {log}"


# Apart from the audit, which needs no run: what this run measured of what the claims rest on.
rule audit_reproduced:
    input:
        published=rules.audit.input.published,
        ablation=run.tables / "ablation.csv",
        modules=sources("analysis.audit.reproduced"),
    output:
        reproduced=run.audit / "reproduced.csv",
    log:
        run.folder / "logs" / "audit_reproduced.log",
    params:
        published=published,
        settings=run.settings,
        models=resolved["models"],
    shell:
        "python -m analysis.audit.reproduced {params.published} --settings {params.settings} "
        "--ablation {input.ablation} --out {output.reproduced} 2>&1 | tee {log}"


# Never part of `all`: the report prints the committed rates, and a test holds their signature against the code.
rule error_rates:
    input:
        modules=sources("analysis.error_rates.__main__"),
    output:
        ERROR_RATES_RUN / "error_rates.csv",
    log:
        ERROR_RATES_RUN / "error_rates.log",
    threads: 2
    shell:
        "OMP_NUM_THREADS=1 python -m analysis.error_rates --out {output} --workers {threads} 2>&1 | tee {log}"


# The name that `error_rates` had before; `calibrate` computes the moments of tokens, which is another thing.
rule calibration:
    input:
        rules.error_rates.output,
