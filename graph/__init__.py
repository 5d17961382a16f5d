"""What a client can call: the GraphQL schema, the HTTP doors, and the web process that serves them."""
