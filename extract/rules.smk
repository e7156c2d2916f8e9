"""From images and weights to outcomes."""

from config.layout import KNOWN_ANSWER_TRAINING
from config.vocabulary.known_answers import KNOWN_ANSWERS, SCALES
from config.vocabulary.tasks import ASKED, TASKS
from extract.jobs import Jobs

jobs = Jobs(resolved, run_settings, run)
TASKS_ON_RECORDS = [task for task in ASKED if TASKS[task].on_records]
# Tasks that run the network themselves: the module of each has its name.
DENSE_TASKS = [task for task in ASKED if not TASKS[task].on_records]


for _dataset in run_settings.datasets:

    rule:
        name:
            f"prepare_{_dataset}"
        output:
            jobs.kept("packs", jobs.pixels(_dataset), temp),
            jobs.facts(_dataset),
        log:
            run.folder / "logs" / "prepare" / f"{_dataset}.log",
        threads: 2
        params:
            settings=run.settings,
            dataset=_dataset,
            values=jobs.values("seed", dataset=_dataset),
            code=code_of("extract.datasets.prepare"),
        shell:
            "python -m extract.datasets.prepare --settings {params.settings} "
            "--dataset {params.dataset} --workers {threads} 2>&1 | tee {log}"


# Never part of `all`: what of the run's models and data is missing, and what the run costs; it has no output.
rule preflight:
    log:
        run.folder / "logs" / "preflight.log",
    params:
        settings=run.settings,
    shell:
        "python -m extract.preflight --config {params.settings} 2>&1 | tee {log}"


# Without shards a model is one job, which loads its network once and passes its images once.
if jobs.whole_models:

    rule extract:
        input:
            packs=jobs.every_pack(),
            weights=lambda wildcards: jobs.weights(wildcards.model),
        output:
            run.calibration("{model}"),
            jobs.kept("records", jobs.records("{model}"), temp),
            jobs.measures("{model}"),
            run.changes_of("{model}"),
            jobs.outcomes(jobs.tasks(DENSE_TASKS)),
        log:
            run.folder / "logs" / "extract" / "{model}.log",
        # The longest jobs first: the short ones after them fill the cores until the last has ended.
        priority: 2
        resources:
            gpu=jobs.gpus(),
        params:
            settings=run.settings,
            values=lambda wildcards: jobs.values(
                *("seed", "calibrate_on", "conditions", "extraction", "measures", "datasets"),
                *(["probe"] if jobs.tasks(DENSE_TASKS) else []),
                model=wildcards.model,
            ),
            covariances=jobs.covariances(),
            code=[
                code_of(module)
                for module in (
                    "extract.one_model",
                    *(f"extract.tasks.{task}" for task in jobs.tasks(DENSE_TASKS)),
                )
            ],
        shell:
            "python -m extract.one_model --settings {params.settings} --model {wildcards.model} "
            "2>&1 | tee {log}"

else:

    rule calibrate:
        input:
            pack=jobs.pack(run_settings.calibrate_on),
            weights=lambda wildcards: jobs.weights(wildcards.model),
        output:
            run.calibration("{model}"),
        log:
            run.folder / "logs" / "calibrate" / "{model}.log",
        resources:
            gpu=jobs.gpus(),
        params:
            settings=run.settings,
            values=lambda wildcards: jobs.values(
                "seed", "calibrate_on", "extraction", model=wildcards.model
            ),
            covariances=jobs.covariances(),
            code=code_of("extract.calibration"),
        shell:
            "python -m extract.calibration --settings {params.settings} --model {wildcards.model} "
            "2>&1 | tee {log}"

    rule extract:
        input:
            pack=lambda wildcards: jobs.pack(wildcards.dataset),
            weights=lambda wildcards: jobs.weights(wildcards.model),
            calibration=run.calibration("{model}"),
        output:
            jobs.kept("records", jobs.record_pattern(), temp),
            jobs.measures_pattern(),
        log:
            run.folder / "logs" / "extract" / "{model}" / "{dataset}" / "{shard}-of-{shards}.log",
        resources:
            gpu=jobs.gpus(),
        params:
            settings=run.settings,
            values=lambda wildcards: jobs.values(
                "seed", "conditions", "extraction", "measures", model=wildcards.model
            ),
            shard=lambda wildcards: int(wildcards.shard) - 1,
            code=code_of("extract.run"),
        shell:
            "python -m extract.run --settings {params.settings} --model {wildcards.model} "
            "--dataset {wildcards.dataset} --shard {params.shard} 2>&1 | tee {log}"

    for _task in jobs.tasks(DENSE_TASKS):

        rule:
            name:
                _task
            input:
                packs=jobs.packs(_task),
                weights=lambda wildcards: jobs.weights(wildcards.model),
                calibration=run.calibration("{model}"),
            output:
                jobs.outcomes([_task]),
            log:
                run.folder / "logs" / _task / "{model}.log",
            resources:
                gpu=jobs.gpus(),
            params:
                settings=run.settings,
                task=_task,
                values=lambda wildcards: jobs.values(
                    "seed", "conditions", "extraction", "probe", "datasets", model=wildcards.model
                ),
                code=code_of(f"extract.tasks.{_task}"),
            shell:
                "python -m extract.tasks.{params.task} --settings {params.settings} "
                "--model {wildcards.model} 2>&1 | tee {log}"

    # A job a model, so that records can be deleted model by model.
    rule changes_of_records:
        input:
            records=lambda wildcards: jobs.records(wildcards.model),
        output:
            run.changes_of("{model}"),
        log:
            run.folder / "logs" / "record_changes" / "{model}.log",
        params:
            settings=run.settings,
            code=code_of("extract.record_changes"),
        shell:
            "python -m extract.record_changes --settings {params.settings} --model {wildcards.model} "
            "2>&1 | tee {log}"


rule evaluate:
    input:
        packs=jobs.packs(),
        records=lambda wildcards: jobs.records(wildcards.model),
    output:
        jobs.outcomes(jobs.tasks(TASKS_ON_RECORDS)),
    log:
        run.folder / "logs" / "evaluate" / "{model}.log",
    priority: 1
    resources:
        gpu=jobs.gpus(jobs.tasks(TASKS_ON_RECORDS)),
    params:
        settings=run.settings,
        tasks=jobs.tasks(TASKS_ON_RECORDS),
        values=lambda wildcards: jobs.values(
            "seed", "conditions", "extraction", "probe", "datasets", model=wildcards.model
        ),
        code=code_of("extract.evaluate"),
    shell:
        "python -m extract.evaluate --settings {params.settings} --model {wildcards.model} "
        "--task {params.tasks} 2>&1 | tee {log}"


rule record_changes:
    input:
        [run.changes_of(model) for model in run_settings.models],
    output:
        run.record_changes,
    log:
        run.folder / "logs" / "record_changes.log",
    params:
        settings=run.settings,
        code=code_of("extract.record_changes"),
    shell:
        "python -m extract.record_changes --settings {params.settings} 2>&1 | tee {log}"


# Never part of `all`: the committed weights are read from the checkout, and retrained ones are laid beside them
# for comparison, not over them.
rule train_known_answer_model:
    output:
        [
            KNOWN_ANSWER_TRAINING / f"{{family}}_{{size}}.{suffix}"
            for suffix in ("safetensors", "yaml", "log.csv")
        ],
    log:
        KNOWN_ANSWER_TRAINING / "logs" / "{family}_{size}.log",
    wildcard_constraints:
        family="|".join(KNOWN_ANSWERS),
        size="|".join(scale.lower() for scale in SCALES),
    params:
        folder=KNOWN_ANSWER_TRAINING,
        scale=lambda wildcards: wildcards.size.upper(),
        code=code_of("extract.known_answer.train"),
    shell:
        "python -m extract.known_answer.train --family {wildcards.family} --scale {params.scale} "
        "--output {params.folder} --threads {threads} 2>&1 | tee {log}"


rule known_answer_models:
    input:
        expand(
            KNOWN_ANSWER_TRAINING / "{family}_{size}.safetensors",
            family=KNOWN_ANSWERS,
            size=[scale.lower() for scale in SCALES],
        ),
