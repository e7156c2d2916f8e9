"""The numbers that the pages' prose refers to by name, written to `_variables.yml`."""

from __future__ import annotations

from reports.checks import tally
from reports.definitions import families_in_words, level_in_percent
from reports.inputs import Inputs
from reports.numbers import count, counted, scale_of_changes, scale_of_files
from reports.verdicts import VERDICTS, verdict_counts, verdict_of

Variables = dict[str, dict[str, str]]


def variables(inputs: Inputs) -> Variables:
    """Return group → key → text. Free text, such as the run's title, belongs in includes, which escape it."""
    settings = inputs.settings
    analysis = settings.analysis
    counts = verdict_counts(inputs.claims)
    failing = [claim for claim in inputs.claims if verdict_of(claim).fails]
    tallied = tally(inputs.checks)
    measured = [row for row in inputs.reproduced if not row["number"]]
    used = {number for claim in inputs.claims for number in claim["numbers"].split(";") if number}
    return {
        "run": {
            "seed": str(settings.seed),
            "draws": count(analysis.draws),
            "resamples": count(analysis.resamples),
            "level": level_in_percent(str(analysis.level)),
            "alpha": f"{100 * analysis.alpha:g}",
            "families": families_in_words(settings),
            "models": counted(len(inputs.models), "model"),
            "datasets": counted(len(inputs.datasets), "data set"),
            "conditions": counted(len({condition.entry for condition in settings.conditions.values()}), "condition"),
            "changes": scale_of_changes(settings.for_analysis.tasks),
            "files": scale_of_files(settings.for_analysis.tasks),
            "rows": counted(len(inputs.ablation), "row"),
        },
        "audit": {
            "claims": count(len(inputs.claims)),
            "statements": count(sum(claim["origin"] == "article" for claim in inputs.claims)),
            "added": count(sum(claim["origin"] != "article" for claim in inputs.claims)),
            "defects": counted(len({claim["defect"] or claim["id"] for claim in failing}), "defect"),
            "failing": count(len(failing)),
            "conclusions": count(sum(claim["severity"] == "conclusion" for claim in failing)),
            "places": count(len({claim["place"] for claim in inputs.claims})),
            "used": count(len(used)),
            "findings": count(sum(bool(claim["rank"]) for claim in inputs.claims)),
            "readings": count(sum(claim["strictest"] != claim["verdict"] for claim in inputs.claims)),
            "reproduced": count(sum(row["reproduced"] == "reproduced" for row in measured)),
            "not_reproduced": count(sum(row["reproduced"] == "not reproduced" for row in measured)),
            "not_measured": count(sum(row["reproduced"] == "not measured" for row in measured)),
            **{verdict.key: count(counts[verdict.name]) for verdict in VERDICTS},
        },
        "published": {
            "total": count(sum(inputs.published_counts.values())),
            **{name.removesuffix(".csv"): count(number) for name, number in inputs.published_counts.items()},
        },
        "checks": {
            "total": count(tallied.total),
            "passed": count(tallied.passed),
            "failed": count(tallied.failed),
        },
    }
