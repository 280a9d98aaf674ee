"""How the work is done: plain Python that knows neither queue nor web."""
