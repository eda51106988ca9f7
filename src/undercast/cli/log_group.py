"""Where a function logs to.

AWS: Lambda API, "LoggingConfig": the default is /aws/lambda/NAME; several functions may share a group of another name.
"""

from undercast.cli.client import aws


def log_group_of(url: str, function: str) -> str:
    """The log group of a function that is there. Raises botocore's ClientError, BotoCoreError."""
    configuration = aws(url, "lambda").get_function_configuration(FunctionName=function)
    return str(configuration["LoggingConfig"]["LogGroup"])
