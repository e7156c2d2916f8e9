"""From images and weights to outcomes."""

import json

from extract.evaluate import TASKS as TASKS_ON_RECORDS

from config.layout import KNOWN_ANSWER_TRAINING, KNOWN_ANSWER_WEIGHTS
from config.settings import KNOWN_ANSWER


def tasks_of_run(among):
    return [task for task in among if run_settings.datasets_with(task)]


def values(**read):
    """What a job reads from the config: when one of these changes, and only then, it is run again.

    As text with sorted keys, since Snakemake compares the text of params, and the order of keys is no change.
    """
    return json.dumps(read, sort_keys=True)


def values_of(*keys, model):
    return values(model=resolved["models"][model], **{key: resolved[key] for key in keys})


def weights_file(wildcards):
    """The checkpoint that a model is read from, where it is a file."""
    model = run_settings.models[wildcards.model]
    if model.source == "known_answer" and model.weights is None:
        name = f"{model.family}_{model.scale.lower()}.safetensors"
        return (KNOWN_ANSWER_WEIGHTS / name).relative_to(workflow.basedir)
    return [] if model.weights in ("hub", "random") else model.weights


def gpus():
    """One GPU a job where there is one; on a machine without, jobs must not wait for each other."""
    device = run_settings.extraction.device
    return int(device == "cuda" or (device == "auto" and Path("/dev/nvidiactl").exists()))


def shards(model, dataset):
    n = run_settings.datasets[dataset].shards
    return [
        run.records(model, dataset, f"{shard}-of-{n}", condition)
        for shard in range(1, n + 1)
        for condition in run_settings.conditions
    ]


def pack_files(dataset):
    pack = run.pack(dataset)
    masks = [pack.masks] if run_settings.datasets[dataset].source == "scenes" else []
    return [pack.images, pack.index, pack.pairs, pack.facts, *masks]


for _dataset in run_settings.datasets:

    rule:
        name:
            f"prepare_{_dataset}"
        input:
            modules=sources("extract.datasets.prepare"),
        output:
            pack_files(_dataset),
        log:
            run.folder / "logs" / "prepare" / f"{_dataset}.log",
        threads: 2
        params:
            settings=run.settings,
            dataset=_dataset,
            values=values(dataset=resolved["datasets"][_dataset], seed=resolved["seed"]),
        shell:
            "python -m extract.datasets.prepare --settings {params.settings} "
            "--dataset {params.dataset} --workers {threads} 2>&1 | tee {log}"


rule calibrate:
    input:
        pack=pack_files(run_settings.calibrate_on),
        weights=weights_file,
        modules=sources("extract.calibration"),
    output:
        run.calibration("{model}"),
    log:
        run.folder / "logs" / "calibrate" / "{model}.log",
    resources:
        gpu=gpus(),
    params:
        settings=run.settings,
        values=lambda wildcards: values_of(
            "seed", "calibrate_on", "extraction", model=wildcards.model
        ),
    shell:
        "python -m extract.calibration --settings {params.settings} --model {wildcards.model} "
        "2>&1 | tee {log}"


rule extract:
    input:
        pack=lambda wildcards: pack_files(wildcards.dataset),
        weights=weights_file,
        calibration=run.calibration("{model}"),
        modules=sources("extract.run"),
    output:
        [
            run.records("{model}", "{dataset}", "{shard}-of-{shards}", c)
            for c in run_settings.conditions
        ],
    log:
        run.folder / "logs" / "extract" / "{model}" / "{dataset}" / "{shard}-of-{shards}.log",
    resources:
        gpu=gpus(),
    params:
        settings=run.settings,
        values=lambda wildcards: values_of(
            "seed", "conditions", "extraction", model=wildcards.model
        ),
        shard=lambda wildcards: int(wildcards.shard) - 1,
    shell:
        "python -m extract.run --settings {params.settings} --model {wildcards.model} "
        "--dataset {wildcards.dataset} --shard {params.shard} 2>&1 | tee {log}"


rule evaluate:
    input:
        packs=[pack_files(dataset) for dataset in run_settings.datasets],
        records=lambda wildcards: [
            file for dataset in run_settings.datasets for file in shards(wildcards.model, dataset)
        ],
        modules=sources("extract.evaluate"),
    output:
        [run.outcomes(task, "{model}") for task in tasks_of_run(TASKS_ON_RECORDS)],
    log:
        run.folder / "logs" / "evaluate" / "{model}.log",
    params:
        settings=run.settings,
        tasks=tasks_of_run(TASKS_ON_RECORDS),
        values=lambda wildcards: values_of("probe", "conditions", "datasets", model=wildcards.model),
    shell:
        "python -m extract.evaluate --settings {params.settings} --model {wildcards.model} "
        "--task {params.tasks} 2>&1 | tee {log}"


rule segment:
    input:
        packs=[pack_files(each.name) for each in run_settings.datasets_with("segmentation")],
        weights=weights_file,
        calibration=run.calibration("{model}"),
        modules=sources("extract.tasks.segmentation"),
    output:
        run.outcomes("segmentation", "{model}"),
    log:
        run.folder / "logs" / "segment" / "{model}.log",
    resources:
        gpu=gpus(),
    params:
        settings=run.settings,
        values=lambda wildcards: values_of(
            "seed", "conditions", "extraction", "probe", "datasets", model=wildcards.model
        ),
    shell:
        "python -m extract.tasks.segmentation --settings {params.settings} "
        "--model {wildcards.model} 2>&1 | tee {log}"


rule record_changes:
    input:
        records=[
            shards(model, dataset)
            for model in run_settings.models
            for dataset in run_settings.datasets
        ],
        modules=sources("extract.record_changes"),
    output:
        run.record_changes,
    log:
        run.folder / "logs" / "record_changes.log",
    params:
        settings=run.settings,
    shell:
        "python -m extract.record_changes --settings {params.settings} 2>&1 | tee {log}"


rule train_known_answer_model:
    # Never part of `all`: the committed weights are read from the checkout, and retrained ones are laid beside
    # them for comparison, not over them.
    input:
        modules=sources("extract.known_answer.train"),
    output:
        [
            KNOWN_ANSWER_TRAINING / f"{{family}}_{{size}}.{suffix}"
            for suffix in ("safetensors", "yaml", "log.csv")
        ],
    log:
        KNOWN_ANSWER_TRAINING / "logs" / "{family}_{size}.log",
    wildcard_constraints:
        family="|".join(KNOWN_ANSWER["family"]),
        size="|".join(scale.lower() for scale in KNOWN_ANSWER["scale"]),
    params:
        folder=KNOWN_ANSWER_TRAINING,
        scale=lambda wildcards: wildcards.size.upper(),
    shell:
        "python -m extract.known_answer.train --family {wildcards.family} --scale {params.scale} "
        "--output {params.folder} --threads {threads} 2>&1 | tee {log}"


rule known_answer_models:
    input:
        expand(
            KNOWN_ANSWER_TRAINING / "{family}_{size}.safetensors",
            family=KNOWN_ANSWER["family"],
            size=[scale.lower() for scale in KNOWN_ANSWER["scale"]],
        ),
