"""Who the customers are: companies and the people in them."""
