"""The benchmark: our server beside hand-written limits, on the same engines, in the same run."""
