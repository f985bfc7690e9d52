"""All that the fleet keeps, and every access to it: one Redis or Valkey server, its keys, its scripts.

What a worker calls is synchronous (leases, outlet), what the controller calls is asynchronous (the rest); the keys and
scripts are the same. `store.keys` documents each key, `store/lua/` holds each script.
"""
