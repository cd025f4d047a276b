"""What is claimed of vnetlab's speed, measured: `python -m benchmarks` runs it all.

A file per claim. Each measures vnetlab and what it is compared with in turn, A B A B, and states
the ratio of the medians: on a busy machine that moves less than any time.
"""
