"""What AWS says no with → one error of ours: what was refused, why, and what to do."""

from __future__ import annotations

import re
from difflib import get_close_matches

from defang_nb.errors import DefangError, ProviderError, UsageError
from defang_nb.providers.aws.denials import denied
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


_SKEWED = frozenset({"RequestTimeTooSkewed", "InvalidSignatureTime", "RequestInTheFuture"})
_SKEW = re.compile(r"Signature (?:expired|not yet current)|too skewed", re.IGNORECASE)


class AwsError(ProviderError):
    """A call that AWS refused. `code` is AWS's own word for it (`ResourceNotFoundException`), `call` is `ecs.run_task`."""

    def __init__(self, message: str, *, code: str, call: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.call = call


def refusal(error: Exception, service: str, operation: str, profile: str = "") -> DefangError:
    """Which of our errors boto3's `error` is. `profile` is the one that was asked for, to be named in what to do."""
    from botocore import exceptions

    call = f"{service}.{operation}" if operation else service
    match error:
        case DefangError():
            return error
        case exceptions.PartialCredentialsError():
            return ProviderError(f"half of the AWS credentials is missing: {error}", hint=f"aws configure{_flag(profile)}")
        case exceptions.TokenRetrievalError() | exceptions.SSOTokenLoadError() | exceptions.UnauthorizedSSOTokenError():
            return ProviderError(f"the AWS session{_of(profile)} has ended: {error}", hint=_login(profile))
        case exceptions.NoCredentialsError() | exceptions.CredentialRetrievalError():
            return ProviderError(
                f"no AWS credentials{_of(profile)}: {error}",
                hint=f"aws configure{_flag(profile)}, {_login(profile)}, or AWS_PROFILE in the stack's file",
            )
        case exceptions.ProfileNotFound():
            return UsageError(
                f"there is no AWS profile {profile!r}" if profile else f"there is no AWS profile of that name: {error}",
                hint=_profiles(profile),
            )
        case exceptions.ConfigParseError() | exceptions.ConfigNotFound():
            return UsageError(f"the AWS configuration can't be read: {error}", hint="mend that file")
        case exceptions.ClientError():
            return _client_error(error, call, profile)
        case exceptions.ConnectionError() | exceptions.HTTPClientError() | exceptions.IncompleteReadError():
            return TransientError(
                f"AWS can't be reached ({call}): {error}", hint="is there a network, and does the region exist?"
            )
        case exceptions.BotoCoreError():
            return ProviderError(f"{call}: {error}")
        case _:
            return ProviderError(f"{call}: {type(error).__name__}: {error}")


def _client_error(error: Exception, call: str, profile: str) -> DefangError:
    answer = getattr(error, "response", {})
    told = answer.get("Error", {})
    code, message = str(told.get("Code", "")), str(told.get("Message", ""))
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _THROTTLED or status == 429:
        return TransientError(f"AWS throttles {call}: {message}", refused=True)
    if code in _BUSY or status >= 500:
        return TransientError(f"AWS failed at {call}: {message or code or status}")
    if code in _SKEWED or (code in _UNKNOWN | _EXPIRED and _SKEW.search(message)):
        return AwsError(
            f"AWS does not take our signatures ({call}), since this machine's clock is wrong: {message}", code=code, call=call,
            hint="set the clock: `timedatectl set-ntp true`, say",
        )  # fmt: skip
    if code in _EXPIRED:
        return AwsError(
            f"the AWS credentials have expired ({call})",
            code=code,
            call=call,
            hint=f"get new ones: {_login(profile)}, or where they came from",
        )
    if code in _UNKNOWN:
        return AwsError(f"AWS does not know these credentials ({call}): {message}", code=code, call=call, hint="aws configure")
    if code in _DENIED:
        said, hint = denied(call, message)
        return AwsError(said, code=code, call=call, hint=hint)
    return AwsError(f"{call}: {message or code}", code=code, call=call)


def _login(profile: str) -> str:
    return f"aws sso login{_flag(profile)}"


def _flag(profile: str) -> str:
    return f" --profile {profile}" if profile else ""


def _of(profile: str) -> str:
    return f" of the profile {profile!r}" if profile else ""


def _profiles(profile: str) -> str:
    """Those that there are."""
    from botocore.session import Session

    known = list(Session().full_config.get("profiles", {}))
    close = get_close_matches(profile, known, n=1, cutoff=0.6)
    meant = f"did you mean {close[0]}? " if close else ""
    return f"{meant}profiles: {', '.join(known)}" if known else "there are none yet: aws configure"
