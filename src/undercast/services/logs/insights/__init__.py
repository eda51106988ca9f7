"""The query language of CloudWatch Logs Insights: tokens, syntax, values, functions, and the run of a query. Pure."""
