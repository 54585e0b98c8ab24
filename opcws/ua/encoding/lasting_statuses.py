"""What an OPC UA server says of a node that it will say again, and what may pass."""

from ...model.status_codes import CODES, is_bad

#: What is said of a node today will be said of it tomorrow.
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
    """Whether it is Bad, and the same question may be answered a little later."""
    return is_bad(status) and status & 0xFFFF0000 not in _FOR_GOOD
