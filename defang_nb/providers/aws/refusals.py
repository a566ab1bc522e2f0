"""What AWS says no with → one error of ours: what was refused, why, and what to do."""

from __future__ import annotations

from defang_nb.errors import DefangError, ProviderError, UsageError
from defang_nb.provision.ports import TransientError

_THROTTLED = frozenset({
    "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException",
    "TooManyRequestsException", "RequestLimitExceeded", "BandwidthLimitExceeded", "SlowDown", "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException", "EC2ThrottledException", "TransactionInProgressException",
})  # fmt: skip
_BUSY = frozenset(
    {"InternalError", "InternalFailure", "InternalServerError", "ServerException", "ServiceUnavailable", "RequestTimeout"}
)
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
_UNKNOWN = frozenset(
    {"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthFailure"}
)
_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "403", "Forbidden"}
)


class AwsError(ProviderError):
    """A call that AWS refused. `code` is AWS's own word for it (`ResourceNotFoundException`), `call` is `ecs.run_task`."""

    def __init__(self, message: str, *, code: str, call: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.call = call


def refusal(error: Exception, service: str, operation: str) -> DefangError:
    """Which of our errors boto3's `error` is."""
    from botocore import exceptions

    call = f"{service}.{operation}" if operation else service
    match error:
        case DefangError():
            return error
        case exceptions.NoCredentialsError() | exceptions.PartialCredentialsError() | exceptions.CredentialRetrievalError():
            return ProviderError(
                f"no AWS credentials: {error}", hint="aws configure, aws sso login, or AWS_PROFILE in the stack's file"
            )
        case exceptions.TokenRetrievalError() | exceptions.SSOTokenLoadError() | exceptions.UnauthorizedSSOTokenError():
            return ProviderError(f"the AWS session has ended: {error}", hint="aws sso login")
        case exceptions.ProfileNotFound():
            return UsageError(f"there is no AWS profile of that name: {error}", hint="aws configure list-profiles")
        case exceptions.ClientError():
            return _client_error(error, call)
        case exceptions.ConnectionError() | exceptions.HTTPClientError() | exceptions.IncompleteReadError():
            return TransientError(
                f"AWS can't be reached ({call}): {error}", hint="is there a network, and does the region exist?"
            )
        case exceptions.BotoCoreError():
            return ProviderError(f"{call}: {error}")
        case _:
            return ProviderError(f"{call}: {type(error).__name__}: {error}")


def _client_error(error: Exception, call: str) -> DefangError:
    answer = getattr(error, "response", {})
    told = answer.get("Error", {})
    code, message = str(told.get("Code", "")), str(told.get("Message", ""))
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _THROTTLED or status == 429:
        return TransientError(f"AWS throttles {call}: {message}", refused=True)
    if code in _BUSY or status >= 500:
        return TransientError(f"AWS failed at {call}: {message or code or status}")
    if code in _EXPIRED:
        return AwsError(
            f"the AWS credentials have expired ({call})", code=code, call=call, hint="get new ones: aws sso login, say"
        )
    if code in _UNKNOWN:
        return AwsError(f"AWS does not know these credentials ({call}): {message}", code=code, call=call, hint="aws configure")
    if code in _DENIED:
        return AwsError(f"AWS denies {call}: {message}", code=code, call=call, hint="whoever manages the account can allow it")
    return AwsError(f"{call}: {message or code}", code=code, call=call)
