"""AWS: cd, builds and services in the user's own account. `boto3` is an extra (`defang-nb[aws]`); see `account.py`."""
