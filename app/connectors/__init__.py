"""Where signals come from beside our own doors: providers and the connections to them."""
