"""The truth: schema, migrations and every query. The only SQL in the project."""
