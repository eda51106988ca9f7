"""The IAM policy language: parse, validate, evaluate. Pure.

AWS: IAM User Guide, "Policy evaluation logic" and "IAM JSON policy element reference".
"""
