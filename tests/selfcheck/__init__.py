"""The benchmarks' own figures: agreement with the frameworks' timers, false calls between equals."""
