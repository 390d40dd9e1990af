"""From observation and truth to a verdict."""
