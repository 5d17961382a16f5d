"""How ready each company is to buy, why, and since when."""
