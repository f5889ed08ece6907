"""One table between errors and statuses, read in both directions."""

import inspect

import grpc
import pytest

from protos.semlink.v1 import common_pb2 as pb
from shared import errors
from shared.wire import failure as wire

Code = grpc.StatusCode
TABLE = {
    errors.InvalidInput: Code.INVALID_ARGUMENT,
    errors.InvalidPicture: Code.INVALID_ARGUMENT,
    errors.InvalidSetting: Code.INVALID_ARGUMENT,
    errors.InvalidSymbols: Code.INVALID_ARGUMENT,
    errors.Mismatch: Code.FAILED_PRECONDITION,
    errors.NotFound: Code.NOT_FOUND,
    errors.Exhausted: Code.RESOURCE_EXHAUSTED,
    errors.Expired: Code.DEADLINE_EXCEEDED,
    errors.Unconfigured: Code.FAILED_PRECONDITION,
    errors.Unavailable: Code.UNAVAILABLE,
    errors.Lost: Code.UNAVAILABLE,
    errors.DataLoss: Code.DATA_LOSS,
    errors.Unauthenticated: Code.UNAUTHENTICATED,
    errors.PermissionDenied: Code.PERMISSION_DENIED,
    errors.SemLinkError: Code.INTERNAL,
}
NUMBERS = {
    Code.INVALID_ARGUMENT: 3,
    Code.DEADLINE_EXCEEDED: 4,
    Code.NOT_FOUND: 5,
    Code.PERMISSION_DENIED: 7,
    Code.RESOURCE_EXHAUSTED: 8,
    Code.FAILED_PRECONDITION: 9,
    Code.INTERNAL: 13,
    Code.UNAVAILABLE: 14,
    Code.DATA_LOSS: 15,
    Code.UNAUTHENTICATED: 16,
}
GENERAL = {kind: kind if kind.__base__ is errors.SemLinkError else kind.__base__ for kind in TABLE}
SPECIAL = (errors.Lost, errors.Unconfigured)
"""What a failure has a flag for."""
GENERAL |= {kind: kind for kind in (errors.SemLinkError, *SPECIAL)}


def test_the_table_holds_every_error() -> None:
    kinds = {kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.SemLinkError)}
    assert kinds == set(TABLE)


@pytest.mark.parametrize("kind", TABLE)
def test_an_error_keeps_its_kind_and_message_over_the_wire(kind: type[errors.SemLinkError]) -> None:
    error = kind("k = 63: choose 16, 64 or 256")
    assert wire.status_of(error) is TABLE[kind]
    failure = pb.Failure.FromString(wire.failure_from(error).SerializeToString())
    assert failure.code == NUMBERS[TABLE[kind]]
    back = wire.error_from_failure(failure)
    assert type(back) is GENERAL[kind]
    assert str(back) == str(error)


@pytest.mark.parametrize("code", Code)
def test_every_status_is_some_error_with_a_message(code: grpc.StatusCode) -> None:
    known = {row: kind for kind, row in TABLE.items() if GENERAL[kind] is kind and kind not in SPECIAL}
    assert type(wire.error_from_status(code, "why")) is known.get(code, errors.SemLinkError)
    assert code.name in str(wire.error_from_status(code, ""))


def test_what_is_no_error_of_ours_is_internal_and_logged(capsys: pytest.CaptureFixture[str]) -> None:
    failure = wire.failure_from(ZeroDivisionError("1 / 0"))
    assert failure.code == 13
    assert "1 / 0" in failure.message
    assert "unexpected error" in "".join(capsys.readouterr())


def test_a_code_of_a_later_version_is_an_error_all_the_same() -> None:
    assert type(wire.error_from_failure(pb.Failure(code=99, message="new"))) is errors.SemLinkError
