"""Rules between the keys of a config, which a schema cannot state."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from config.ranges import Range
from config.unmatched import Present
from config.vocabulary.known_answers import KNOWN_ANSWERS, SCALES
from config.vocabulary.replacements import REFERENCE, REPLACEMENTS
from config.vocabulary.sources import SOURCES, pairs_of, sources_with
from config.vocabulary.tasks import NEEDS, TASKS, reported_tasks, task_of
from config.vocabulary.tokens import RANDOM_PATCHES, TOKEN_GROUPS

_ALLOWED_KNOWN_ANSWER = {"family": tuple(KNOWN_ANSWERS), "scale": SCALES}


def misplaced_keys(raw: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of data sets that their source has no use for."""
    for name, dataset in raw["datasets"].items():
        for key in dataset:
            named = sources_with(key)
            if named and dataset["source"] not in named:
                yield (
                    f"datasets.{name}.{key}: {dataset[key]!r} cannot be set for source {dataset['source']}; remove it "
                    f"(it is for {', '.join(named)})"
                )


def inconsistencies(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong between the keys of a config with its defaults."""
    for name, model in config["models"].items():
        yield from _of_model(f"models.{name}", model)
    for name, dataset in config["datasets"].items():
        yield from _of_dataset(f"datasets.{name}", dataset)
    yield from undecided_comparisons(config)
    yield from impossible_margins(config)
    yield from _of_calibration(config)
    extraction = config["extraction"]
    if extraction["precision"] == "tf32" and extraction["device"] == "cpu":
        yield (
            "extraction.precision: 'tf32' is of NVIDIA GPUs, and extraction.device is cpu; allowed: float32, bfloat16, "
            "or device auto, which computes in float32 where there is no GPU"
        )
    if unknown := [name for name in config["measures"]["datasets"] if name not in config["datasets"]]:
        yield (
            f"measures.datasets: {', '.join(unknown)} is not a data set of this config; "
            f"allowed: {', '.join(config['datasets'])}"
        )
    yield from _of_conditions(config)
    yield from _missing_margins(config)


def _of_model(place: str, model: Mapping[str, Any]) -> Iterator[str]:
    if model["source"] == "known_answer":
        for key, allowed in _ALLOWED_KNOWN_ANSWER.items():
            if model[key] not in allowed:
                yield f"{place}.{key}: {model[key]!r} is no known-answer {key}; allowed: {', '.join(allowed)}"
        if model.get("weights") in ("hub", "random"):
            yield (
                f"{place}.weights: {model['weights']!r} is for source timm; allowed: the path of a checkpoint, or "
                "leave the key out for the committed weights"
            )
        for key in sorted({"architecture", "backend", "image_size"} & set(model)):
            yield f"{place}.{key}: {model[key]!r} cannot be set for source known_answer; remove it"
        return
    if model.get("weights") == "random" and "sha256" in model:
        yield f"{place}.sha256: {model['sha256']!r} cannot be set for random weights; remove it"
    for key in ("architecture", "image_size", "weights"):
        if key not in model:
            yield f"{place}: missing {key}; needed for source timm"


def _of_dataset(place: str, dataset: Mapping[str, Any]) -> Iterator[str]:
    source = SOURCES[dataset["source"]]
    if source.read and "path" not in dataset:
        yield f"{place}: missing path; needed for source {source.name}: the folder of the data set"
    for key in sorted(source.required - set(dataset)):
        yield f"{place}: missing {key}; needed for source {source.name}"
    for task in dataset["tasks"]:
        if task not in source.tasks:
            yield (
                f"{place}.tasks: {task!r} needs {NEEDS[TASKS[task].needs]}, which source {source.name} lacks; "
                f"allowed: {', '.join(source.tasks)}"
            )
    paired = {task for task in dataset["tasks"] if TASKS[task].needs in ("twins", "pairs")}
    if "pairs" in source.keys and dataset["pairs"] < 2 and paired:
        yield f"{place}.pairs: {dataset['pairs']}, but retrieval and correspondence need pairs; allowed: at least 2"
    if "test" in source.keys and dataset["pairs"] > dataset["test"]:
        yield (
            f"{place}.pairs: {dataset['pairs']} is more than the {dataset['test']} test images; "
            f"allowed: at most {dataset['test']}"
        )


def impossible_margins(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield the ranges that are none, and the margins that the ranges of their tasks rule out."""
    analysis = config["analysis"]
    for key in ("ranges", "lower_is_better"):
        for task in analysis[key]:
            if task in TASKS:
                yield f"analysis.{key}: {task} is a task of this project, which knows it; remove it"
    ranges = {task: Range.of(stated) for task, stated in analysis["ranges"].items()}
    for task, limits in ranges.items():
        if not limits.low < limits.high:
            yield (
                f"analysis.ranges.{task}: {analysis['ranges'][task]} is no range; needed: [lowest, highest], the first "
                "below the second"
            )
        elif not limits.of_fractions and task not in analysis["margins"]:
            yield (
                f"analysis.margins: missing {task}; the default margin is a fraction, and its values are in "
                f"{limits}: state the largest difference that does not matter, and why"
            )
    for task, stated in analysis["margins"].items():
        given = ranges.get(task)
        if (task_of(task).percent if given is None else given.of_fractions) and stated["margin"] >= 1:
            other = f", unless analysis.ranges.{task} gives its scores another range"
            yield (
                f"analysis.margins.{task}.margin: {stated['margin']} is no fraction; allowed: above 0 and below 1"
                f"{'' if given or task in TASKS or task == 'default' else other}"
            )
        elif given is not None and given.span is not None and stated["margin"] >= given.span > 0:
            yield (
                f"analysis.margins.{task}.margin: {stated['margin']} is as wide as its range {given}, so that no "
                f"difference could matter; allowed: above 0 and below {given.span:g}"
            )


def present_in(config: Mapping[str, Any]) -> Present:
    """Return what a config with its defaults has that its analysis may name."""
    return Present(
        whose="this config",
        tasks=list(
            dict.fromkeys(
                reported
                for dataset in config["datasets"].values()
                for task in dataset["tasks"]
                for reported in reported_tasks(task, pairs_of(dataset["source"]))
            )
        ),
        models={name: (model["family"], model["scale"]) for name, model in config["models"].items()},
        conditions=[name for entry in config["conditions"].items() for name in names_of(*entry)],
    )


def _missing_margins(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tasks for which the default margin, a fraction, cannot stand, because their values are none."""
    asked = dict.fromkeys(task for dataset in config["datasets"].values() for task in dataset["tasks"])
    for task in asked:
        if not TASKS[task].percent and task not in config["analysis"]["margins"]:
            yield (
                f"analysis.margins: missing {task}; the default margin is a fraction, and its values are in "
                f"{TASKS[task].unit_of_changes}"
            )


def _of_calibration(config: Mapping[str, Any]) -> Iterator[str]:
    name = config["calibrate_on"]
    if name not in config["datasets"]:
        yield f"calibrate_on: {name!r} is not a data set of this config; allowed: {', '.join(config['datasets'])}"
        return
    dataset = config["datasets"][name]
    if "calibration" not in SOURCES[dataset["source"]].keys:
        yield f"calibrate_on: {name!r} is of source {dataset['source']}, which has no calibration images"
    elif dataset["calibration"] < 2:
        yield (
            f"datasets.{name}.calibration: {dataset['calibration']}, but calibrate_on names this data set; "
            "allowed: at least 2"
        )


def _of_conditions(config: Mapping[str, Any]) -> Iterator[str]:
    names = [name for entry in config["conditions"].items() for name in names_of(*entry)]
    for name in sorted(name for name, times in Counter(names).items() if times > 1):
        yield f"conditions: two conditions are called {name}, one of them a draw of random patches; rename one"
    if unknown := [name for name in config["extraction"]["curves"]["conditions"] if name not in names]:
        yield (
            f"extraction.curves.conditions: {', '.join(unknown)} is not a condition of this config; "
            f"allowed: {', '.join(names)}"
        )
    for name, condition in config["conditions"].items():
        yield from _wrong_for_its_tokens(name, condition)
        if (name == REFERENCE) != (not condition):
            yield (
                f"conditions.{name}: {dict(condition)!r}; only full, and it alone, replaces nothing: "
                "every other condition needs tokens and by"
            )


def names_of(name: str, entry: Mapping[str, Any]) -> list[str]:
    """Return the names of the conditions that a config's entry stands for: its own, or one per draw.

    Examples:
        >>> names_of("control", {"tokens": ["random_patches"], "by": "zero", "draws": 2})
        ['control_1', 'control_2']
    """
    if RANDOM_PATCHES not in entry.get("tokens", ()):
        return [name]
    return [f"{name}_{draw}" for draw in range(1, entry.get("draws", 1) + 1)]


def _wrong_for_its_tokens(name: str, condition: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a condition on its tokens cannot have."""
    tokens = condition.get("tokens", [])
    groups = [TOKEN_GROUPS[token] for token in tokens if token in TOKEN_GROUPS]
    if RANDOM_PATCHES not in tokens:
        for key in sorted({"patches", "draws"} & set(condition)):
            yield f"conditions.{name}.{key}: {condition[key]} is for tokens [{RANDOM_PATCHES}]; remove it"
    for group in groups:
        if group.alone and len(tokens) > 1:
            yield (f"conditions.{name}.tokens: {tokens}; {group.name} are replaced alone: make two conditions of it")
            return
    by = condition.get("by")
    allowed = [one.name for one in REPLACEMENTS.values() if one.for_random_patches]
    if by is not None and by not in allowed and any(not group.calibrated for group in groups):
        yield (
            f"conditions.{name}.by: {by!r} needs calibrated tokens, and random patches are none; "
            f"allowed: {', '.join(allowed)}"
        )


def undecided_comparisons(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield the comparisons that name both or neither of families and scales."""
    for name, comparison in config["analysis"]["comparisons"].items():
        if ("families" in comparison) == ("scales" in comparison):
            yield (
                f"analysis.comparisons.{name}: {'both' if 'families' in comparison else 'neither'} of families and "
                "scales given; needed: exactly one, the two that are compared"
            )
