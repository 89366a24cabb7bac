"""The only modules that name boto3, MLflow or apprise."""
