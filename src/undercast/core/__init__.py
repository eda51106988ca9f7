"""Types that every layer shares: names, errors, requests, clocks, ids, configuration. No I/O."""
