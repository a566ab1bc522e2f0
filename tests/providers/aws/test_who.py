"""Who a stack deploys as, and what is said of credentials that don't do: with boto3's own configuration files."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from defang_nb.client import api
from defang_nb.errors import DefangError, ProviderError, UsageError
from defang_nb.providers.aws.refusals import refusal


@pytest.fixture
def files(aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An AWS configuration with some profiles, and nothing in the environment."""
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "DEFANG_STACK",
        "AWS_PROFILE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    (tmp_path / "config").write_text(
        "[profile team]\nregion = eu-north-1\n[profile half]\nregion = eu-north-1\naws_access_key_id = a\n"
        "[profile sso]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = r\nregion = eu-north-1\n"
        "[sso-session s]\nsso_region = eu-north-1\nsso_start_url = https://example.awsapps.com/start\n"
    )
    (tmp_path / "credentials").write_text("[team]\naws_access_key_id = test\naws_secret_access_key = test\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_account_region_identity_and_profile(files: Path) -> None:
    api.stack_new("prod", provider="aws", profile="team")
    found = api.whoami(stack="prod")
    assert (found.account, found.region, found.profile) == ("123456789012", "eu-north-1", "team")
    assert found.identity.startswith("arn:aws:")
    assert found.source == "shared-credentials-file"


@pytest.mark.parametrize(
    ("settings", "kind", "said", "hint"),
    [
        ("AWS_REGION=eu-north-1", ProviderError, "no AWS credentials", "aws configure"),
        ("AWS_PROFILE=taem", UsageError, "no AWS profile 'taem'", "did you mean team? profiles: "),
        ("AWS_PROFILE=sso", ProviderError, "session of the profile 'sso' has ended", "aws sso login --profile sso"),
        ("AWS_PROFILE=half", ProviderError, "half of the AWS credentials", "aws configure --profile half"),
        ("AWS_PROFILE=team\nAWS_REGION=eu-nort-1", UsageError, "no region 'eu-nort-1'", "did you mean eu-north-1?"),
        ("", UsageError, "no AWS region", "AWS_REGION"),
    ],
)
def test_what_is_wrong_has_one_error_with_a_way_out(
    files: Path, settings: str, kind: type[DefangError], said: str, hint: str
) -> None:
    (files / ".defang").mkdir()
    (files / ".defang" / "prod").write_text(f"DEFANG_PROVIDER=aws\n{settings}\n")
    with pytest.raises(kind, match=said) as refused:
        api.whoami(stack="prod")
    assert hint in refused.value.hint


WHO, TASK = "arn:aws:iam::123456789012:user/ada", "arn:aws:ecs:eu-central-1:123456789012:task-definition/x:1"
USER = f"User: {WHO} is not authorized to perform: ecs:RunTask on resource: {TASK}"


@pytest.mark.parametrize(
    ("code", "message", "said", "hint"),
    [
        ("ExpiredToken", "expired", "have expired", "aws sso login --profile team"),
        ("AccessDenied", "Access Denied", "AWS denies ecs.run_task: Access Denied", "manages the account"),
        ("AccessDenied", f"{USER} because no identity-based policy allows the ecs:RunTask action",
         f"AWS denies ecs:RunTask on {TASK} to {WHO}: the policies of the user or role do not allow it", "manages the account"),
        ("UnauthorizedOperation", f"You are not authorized to perform this operation. {USER} with an explicit deny in a "
         "service control policy. Encoded authorization failure message: AbC-d_e", "(?m).SCP. forbids it$", "admin"),
        ("AccessDeniedException", f"{USER} because no permissions boundary allows the ecs:RunTask action",
         "(?m)the permissions boundary does not allow it$", "widen it"),
        ("RequestTimeTooSkewed", "too large", "clock", "set the clock"),
        ("SignatureDoesNotMatch", "Signature expired: 2026 is now earlier than 2027", "clock", "set the clock"),
        ("InvalidClientTokenId", "invalid", "does not know these credentials", "aws configure"),
    ],
)  # fmt: skip
def test_what_aws_says_no_with(code: str, message: str, said: str, hint: str) -> None:
    no = ClientError({"Error": {"Code": code, "Message": message}}, "RunTask")
    with pytest.raises(ProviderError, match=said) as refused:
        raise refusal(no, "ecs", "run_task", "team")
    assert hint in refused.value.hint
