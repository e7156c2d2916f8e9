"""Kinds of claim: one small pure function each.

A kind takes the published numbers that a claim rests on and returns the recomputed result, the tolerance that the
printed digits allow, a verdict, the arithmetic, and the changes that would alter the verdict. Nothing here knows the
article. A new kind is a function and a row of `KINDS`.

Four rules apply to all of them.

- *Rounding first* (`statcheck`, `scrutiny`): a printed number stands for what rounds to it, a digitised one for what
  lies within its precision, before anything is judged. Counts and limits are exact, and an exact tie is told as one.
- *A wrong number is not a wrong conclusion*: there are two flags. A stated value can be off while the conclusion
  stands; a bound, an order, a trend or an inference can fail without a wrong value.
- *Which documents disagree*: a stated value is itself a published number. If everything that gives another one is in
  its own document, the claim is contradicted; if it is in others (a figure, the data of a plot), the sources disagree.
  A stated limit, a trend or a word measures nothing: where every document that gives the numbers is against it, the
  claim is contradicted, and where one keeps it, the sources disagree.
- *Unpublished numbers are not held against a claim*: it is not checkable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from analysis.audit.kinds.agreement import baseline, equality, sameness, value_range
from analysis.audit.kinds.arithmetic import delta, factor, mean, percent_change, ratio, sum_of_parts
from analysis.audit.kinds.case import RELATIONS, Case, NumberTerm, Options, printed_case, printed_number
from analysis.audit.kinds.columns import extreme, no_worse, pairwise, share_of, spreads_apart
from analysis.audit.kinds.counting import attainable_p, denominator
from analysis.audit.kinds.finding import HELD, Finding, Need, Severity, Value, Verdict
from analysis.audit.kinds.granularity import debit, grimmer
from analysis.audit.kinds.inference import causal, chance, nonsignificance, not_checkable, significance
from analysis.audit.kinds.members import count, overlap, scope
from analysis.audit.kinds.order import bound, order, quantifier
from analysis.audit.kinds.pairs import pairwise_equality
from analysis.audit.kinds.reported import confidence_interval, independent, p_value, possible
from analysis.audit.kinds.revisions import revision
from analysis.audit.kinds.series import monotone, onset, peak
from analysis.audit.kinds.two_quantities import accounts, association, precedence, specific
from analysis.audit.kinds.uncertainty import intervals, standard_errors

__all__ = [
    "HELD",
    "KINDS",
    "RELATIONS",
    "Case",
    "Finding",
    "Kind",
    "Need",
    "NumberTerm",
    "Options",
    "Severity",
    "Value",
    "Verdict",
    "printed_case",
    "printed_number",
]

ONE = (1, 1)
MAYBE = (0, 1)
MANY = (1, None)
ANY = (0, None)
SERIES = (2, None)
ENDS = (2, 2)


@dataclass(frozen=True)
class Kind:
    """A kind of claim: its function, and what a claim of this kind must and may specify.

    Attributes:
        evaluate: the pure function.
        roles: role → smallest and largest number of terms; None for no limit.
        states: whether the claim states a number: True, False, or None for either.
        options: the options that it takes.
        same_unit: False where the stated number has another unit than its parts (a ratio of percentages).
        paired: two roles whose terms form pairs.
        free: roles whose unit differs from that of the others (a count, a position).
        unit_by_pair: whether only the two terms of a pair need the same unit.
        tells_needs: False where no single number decides, so that a finding may hold without needs and still fail.

    Examples:
        >>> found = KINDS["sum"].evaluate(printed_case("-5.4", parts=["-4.9", "-0.2"]))
        >>> str(found.verdict), found.recomputed, found.tolerance
        ('contradicted', '-5.1', '0.15')
        >>> KINDS["sum"].roles
        {'parts': (1, None)}
    """

    evaluate: Callable[[Case], Finding]
    roles: Mapping[str, tuple[int, int | None]]
    states: bool | None
    options: frozenset[str] = frozenset()
    same_unit: bool = True
    paired: tuple[str, str] | None = None
    free: frozenset[str] = frozenset()
    unit_by_pair: bool = False
    tells_needs: bool = True


KINDS: Mapping[str, Kind] = {
    "delta": Kind(delta, {"from": ONE, "to": ONE}, True, frozenset({"drop"})),
    "sum": Kind(sum_of_parts, {"parts": MANY}, True),
    "mean": Kind(mean, {"values": MANY}, True),
    "ratio": Kind(ratio, {"numerator": ONE, "denominator": ONE}, True, same_unit=False),
    "factor": Kind(
        factor,
        {"larger": MANY, "smaller": MANY},
        True,
        frozenset({"relation"}),
        same_unit=False,
        paired=("larger", "smaller"),
    ),
    "percent_change": Kind(percent_change, {"from": ONE, "to": ONE}, True, frozenset({"drop"}), same_unit=False),
    "equality": Kind(equality, {"values": MANY}, None, frozenset({"versions"})),
    "baseline": Kind(
        baseline, {"scores": MANY, "changes": MANY}, True, frozenset({"drop"}), paired=("scores", "changes")
    ),
    "range": Kind(value_range, {"low": ONE, "high": ONE, "values": MANY}, False, frozenset({"attained"})),
    "sameness": Kind(
        sameness, {"first": MANY, "second": MANY}, None, frozenset({"needs", "vague"}), paired=("first", "second")
    ),
    "bound": Kind(bound, {"values": MANY}, True, frozenset({"absolute", "relation", "vague", "rounded"})),
    "quantifier": Kind(
        quantifier,
        {"values": MANY, "others": ANY},
        True,
        frozenset({"absolute", "relation", "quantifier", "members", "needs"}),
    ),
    "order": Kind(order, {"smaller": MANY, "larger": MANY}, False, frozenset({"absolute", "or_equal"})),
    "monotone": Kind(monotone, {"series": SERIES}, False, frozenset({"direction"})),
    "peak": Kind(peak, {"series": SERIES}, True, frozenset({"direction"}), same_unit=False),
    "onset": Kind(
        onset,
        {"series": SERIES, "first": MAYBE, "last": MAYBE},
        False,
        frozenset({"share", "earliest", "latest", "abrupt"}),
        free=frozenset({"first", "last"}),
    ),
    "pairwise": Kind(
        pairwise,
        {"first": MANY, "second": MANY},
        None,
        frozenset({"relation", "absolute", "vague"}),
        same_unit=False,
        paired=("first", "second"),
        unit_by_pair=True,
        tells_needs=False,
    ),
    "extreme": Kind(extreme, {"values": MANY}, True, frozenset({"direction"})),
    "share_of": Kind(share_of, {"part": ONE, "whole": ONE}, True, same_unit=False),
    "no_worse": Kind(
        no_worse, {"first": MANY, "second": MANY}, True, frozenset({"direction"}), paired=("first", "second")
    ),
    "spreads_apart": Kind(
        spreads_apart,
        {"larger": ONE, "smaller": ONE, "spreads": (1, 2)},
        True,
        frozenset({"relation"}),
        same_unit=False,
    ),
    "denominator": Kind(
        denominator, {"values": MANY, "n": MAYBE}, False, frozenset({"n", "items"}), free=frozenset({"n"})
    ),
    "grimmer": Kind(
        grimmer,
        {"mean": ONE, "sd": ONE, "n": MAYBE},
        False,
        frozenset({"n", "items"}),
        free=frozenset({"n"}),
        tells_needs=False,
    ),
    "debit": Kind(
        debit, {"mean": ONE, "sd": ONE, "n": MAYBE}, False, frozenset({"n"}), free=frozenset({"n"}), tells_needs=False
    ),
    "p_value": Kind(
        p_value,
        {"statistic": ONE, "df": (0, 2)},
        True,
        frozenset({"test", "tails", "alpha"}),
        same_unit=False,
        free=frozenset({"df"}),
    ),
    "confidence_interval": Kind(
        confidence_interval,
        {"estimate": ONE, "low": ONE, "high": ONE, "se": MAYBE, "df": MAYBE},
        False,
        frozenset({"level"}),
        free=frozenset({"df"}),
    ),
    "possible": Kind(
        possible, {"values": MANY, "most": MAYBE}, False, frozenset({"lowest", "highest"}), free=frozenset({"most"})
    ),
    "independent": Kind(
        independent, {"first": SERIES, "second": SERIES}, False, paired=("first", "second"), tells_needs=False
    ),
    "attainable_p": Kind(attainable_p, {"draws": ONE}, True, same_unit=False),
    "chance": Kind(chance, {"values": MANY, "chance": MAYBE}, False, frozenset({"near", "classes", "vague"})),
    "significance": Kind(significance, {}, True, frozenset({"alpha"}), same_unit=False),
    "nonsignificance": Kind(nonsignificance, {}, True, frozenset({"alpha"}), same_unit=False),
    "causal": Kind(causal, {"smaller": ANY, "larger": ANY}, False, frozenset({"also_differs", "needs"})),
    "pairwise_equality": Kind(
        pairwise_equality, {"first": MANY, "second": MANY}, False, paired=("first", "second"), unit_by_pair=True
    ),
    "association": Kind(
        association,
        {"first": SERIES, "second": SERIES},
        False,
        frozenset({"absolute", "direction", "vague"}),
        paired=("first", "second"),
        free=frozenset({"first", "second"}),
        tells_needs=False,
    ),
    "precedence": Kind(
        precedence,
        {"earlier": SERIES, "later": SERIES},
        False,
        frozenset({"share", "vague"}),
        free=frozenset({"earlier", "later"}),
        tells_needs=False,
    ),
    "specific": Kind(specific, {"effect": MANY, "others": MANY}, False),
    "accounts": Kind(
        accounts,
        {"part": MANY, "whole": MANY},
        False,
        frozenset({"vague"}),
        paired=("part", "whole"),
    ),
    "standard_errors": Kind(
        standard_errors,
        {"first": ONE, "second": ONE, "sd": (1, 2), "n": ONE},
        False,
        frozenset({"near", "apart", "vague"}),
        free=frozenset({"n"}),
    ),
    "intervals": Kind(intervals, {"first": ENDS, "second": ENDS}, False, frozenset({"apart", "vague"})),
    "count": Kind(count, {"values": MANY}, True, frozenset({"column"}), same_unit=False, free=frozenset({"values"})),
    "scope": Kind(
        scope,
        {"values": MANY},
        False,
        frozenset({"column", "words", "vague"}),
        free=frozenset({"values"}),
        tells_needs=False,
    ),
    "overlap": Kind(
        overlap, {"first": MANY, "second": MANY}, False, frozenset({"per_item", "vague"}), tells_needs=False
    ),
    "revision": Kind(
        revision,
        {"numbers": ANY, "descriptions": ANY},
        False,
        free=frozenset({"numbers", "descriptions"}),
        tells_needs=False,
    ),
    "not_checkable": Kind(not_checkable, {}, None, frozenset({"needs"}), same_unit=False),
}
