"""DynamoDB's expressions: parsed once, compiled to closures, kept by their text."""
