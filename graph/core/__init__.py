"""What every room of the schema is made with; knows no room."""
