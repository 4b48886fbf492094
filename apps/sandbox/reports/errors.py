"""The reports' own error codes; they stand at the end of the message, as seen live."""

from apps.metrica.serving.envelope import ApiError


def report_error(code: int, message: str, *, location: str = "", error_type: str = "invalid_parameter") -> ApiError:
    return ApiError(error_type, f"{message}, error code: {code}", location=location)


def wrong_attribute(name: str) -> ApiError:
    return report_error(4001, f"Wrong attribute, value: {name}", location="dimensions")


def wrong_metric(name: str, why: str = "") -> ApiError:
    return report_error(4002, f"Wrong metric, value: {name}{why}", location="metrics")


def wrong_filter(why: str) -> ApiError:
    return report_error(4003, f"Wrong filter, value: {why}", location="filters")
