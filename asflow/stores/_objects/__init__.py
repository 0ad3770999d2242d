"""Outputs in S3, Google Cloud Storage or Azure."""
