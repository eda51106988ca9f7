"""Debuggers of functions: how they are started, where they are reached, and the clocks that stand still meanwhile."""
