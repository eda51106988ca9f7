"""Event sources as their consumers read them: queues' messages and streams' records, for mappings and for pipes.

No service: shared by those that consume. `events/poller.py` runs what is here.
"""
