"""The only modules that name boto3 or MLflow."""
