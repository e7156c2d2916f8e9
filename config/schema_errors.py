"""Messages for values that a JSON schema rejects: key, value, what is allowed, and the nearest known name."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import jsonschema

from config.errors import did_you_mean


def _is_integer(_checker: object, value: object) -> bool:
    """Tell whether a value is an integer as Python counts them; to JSON, 130.0 is one too."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_checker: object, value: object) -> bool:
    """Tell whether a value is a number that can be compared, which NaN cannot."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


_DRAFT = jsonschema.Draft202012Validator
_Validator = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    _DRAFT, type_checker=_DRAFT.TYPE_CHECKER.redefine_many({"integer": _is_integer, "number": _is_number})
)


def violations(value: object, schema: Mapping[str, Any], whole: str) -> list[str]:
    """Return one line per violation of a schema, in the order of the keys; none where the value is valid.

    Args:
        value: as read from YAML.
        schema: JSON schema, draft 2020-12.
        whole: name of the value itself, for violations that are of no key in it.

    Examples:
        >>> schema = {"properties": {"by": {"enum": ["zero", "mean"]}}, "additionalProperties": False}
        >>> for line in violations({"by": "zreo", "token": "cls"}, schema, "the condition"):
        ...     print(line)
        the condition: unknown key 'token' (value 'cls'); allowed: by
        by: 'zreo' is not known (did you mean 'zero'?); allowed: zero, mean
    """
    validator = _Validator(schema, format_checker=jsonschema.FormatChecker(("regex",)))
    errors = sorted(validator.iter_errors(value), key=lambda error: list(map(str, error.absolute_path)))
    # The validator reports every missing key by itself, and one line tells them all.
    return list(dict.fromkeys(line for error in errors for line in explain(error, whole)))


def explain(error: jsonschema.ValidationError, whole: str) -> Iterator[str]:
    """Yield what a violation means, one line per faulty key: the key, the value, and what is allowed."""
    place = ".".join(map(str, error.absolute_path)) or whole
    value = cast(Any, error.instance)
    schema = cast(Mapping[str, Any], error.schema)
    match error.validator:
        case "additionalProperties":
            allowed = sorted(schema.get("properties", ()))
            for key in sorted(set(value) - set(allowed), key=str):
                yield (
                    f"{place}: unknown key {key!r} (value {value[key]!r}){did_you_mean(key, allowed)}; "
                    f"allowed: {', '.join(allowed) or 'none'}"
                )
        case "required":
            missing = sorted(set(schema["required"]) - set(value))
            yield f"{place}: missing {', '.join(missing)}; found: {', '.join(map(str, value)) or 'nothing'}"
        case "enum":
            allowed = [str(each) for each in schema["enum"]]
            yield f"{place}: {value!r} is not known{did_you_mean(value, allowed)}; allowed: {', '.join(allowed)}"
        case "type":
            needed = schema["type"] if isinstance(schema["type"], str) else " or ".join(schema["type"])
            quoted = isinstance(value, int | float) and "string" in schema["type"]
            if value != value:
                yield f"{place}: {value} is no number; needed: {needed}"
                return
            exact = needed == "integer" and isinstance(value, float) and value.is_integer()
            hint = ", in quotes" if quoted else f", such as {int(value)}" if exact else ""
            yield f"{place}: {value!r} is a {type(value).__name__}; needed: {needed}{hint}"
        case "pattern":
            meaning = f" ({schema['description'].rstrip('.')})" if "description" in schema else ""
            yield f"{place}: {value!r} is not allowed; needed: text that matches {schema['pattern']}{meaning}"
        case "format":
            yield f"{place}: {value!r} is not allowed; needed: a {schema['format']}"
        case "minItems" | "maxItems":
            fewest, most = schema.get("minItems", 0), schema.get("maxItems")
            needed = f"{fewest}" if fewest == most else f"{fewest} to {most}" if most else f"{fewest} or more"
            yield f"{place}: {len(value)} given; needed: {needed}"
        case _:
            yield f"{place}: {error.message}"
