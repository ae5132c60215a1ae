"""The way of one frame in so many, told in spans of OpenTelemetry; without its library nothing of that is loaded."""
