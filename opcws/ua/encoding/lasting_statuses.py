"""Status codes of a node that will come again, and those that may pass."""

from ...model.status_codes import CODES, is_bad

#: Status codes that will be the same tomorrow.
_FOR_GOOD = frozenset(
    CODES[_each]
    for _each in (
        *("BadUserAccessDenied", "BadSecurityModeInsufficient", "BadNotSupported"),
        *("BadServiceUnsupported", "BadNotImplemented", "BadNodeIdUnknown", "BadNodeIdInvalid"),
        *("BadNodeNotInView", "BadNotReadable", "BadAttributeIdInvalid", "BadNoMatch"),
        *("BadReferenceTypeIdInvalid", "BadBrowseDirectionInvalid", "BadTooManyMatches"),
        *("BadIndexRangeInvalid", "BadIndexRangeNoData", "BadDecodingError"),
        *("BadResponseTooLarge", "BadEncodingLimitsExceeded", "BadFilterNotAllowed"),
        *("BadMonitoredItemFilterInvalid", "BadMonitoredItemFilterUnsupported"),
        *("BadEventFilterInvalid", "BadFilterOperatorUnsupported"),
    )
)


def may_pass(status: int) -> bool:
    """Whether *status* is Bad, but the same request may succeed a little later."""
    return is_bad(status) and status & 0xFFFF0000 not in _FOR_GOOD
