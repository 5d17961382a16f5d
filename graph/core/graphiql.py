"""A page to try queries in, for browsers in development."""

from strawberry.http.ides import get_graphql_ide_html

PAGE = get_graphql_ide_html(graphql_ide="graphiql")
