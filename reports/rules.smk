"""From tables, figures and verdicts to the report."""

from config.layout import ANCHORS, ERROR_RATES, PROTOCOL
from analysis.rows.registry import MULTIVERSE
from reports.project import page_sources, read_project


rule report:
    input:
        tables=[path_of(table, run) for table in DECLARED],
        error_rates=ERROR_RATES.relative_to(workflow.basedir),
        anchors=ANCHORS.relative_to(workflow.basedir),
        protocol=PROTOCOL.relative_to(workflow.basedir),
        figures=[
            run.figure(dataset, figure) for dataset in run_settings.datasets for figure in FIGURES
        ],
        audit=list(rules.audit.output),
        findings=rules.audit_figures.output.figures,
        reproduced=rules.audit_reproduced.output.reproduced,
        facts=[run.pack(dataset).facts for dataset in run_settings.datasets],
        # Of the universes of the run, where they were run.
        multiverse=[
            file
            for file in (*map(run.multiverse, MULTIVERSE), run.specification_curve)
            if file.exists()
        ],
        published=[published / name for name in ("tables.csv", "figures.csv", "interactive.csv")],
        pages=[page.relative_to(workflow.basedir) for page in page_sources()],
        modules=sources("reports.build"),
    output:
        [run.report / page.file for page in read_project().pages],
    log:
        run.folder / "logs" / "report.log",
    threads: 2
    params:
        settings=run.settings,
        values=resolved,
        published=published,
    shell:
        "python -m reports.build --settings {params.settings} --published {params.published} "
        "--workers {threads} 2>&1 | tee {log}"
