"""The Functions host of a bare machine: runs function_app.py against real storage queues when `func` is not installed.

It keeps the rules of Azure's host that an app can notice: settings and ``%NAME%``, queue leases, dequeue counts and
poison queues, NCRONTAB timers, HTTP routing. Where both are at hand, `func start` is the reference.
``python -m sandbox.host --help``

    settings.py   local.settings.json, host.json and its overrides, connections
    index.py      function_app.py becomes Functions; what cannot be loaded says why
    worker.py     one invocation: decode, call in the pool, encode, emit
    queues.py     queue listeners and queue outputs
    timers.py     NCRONTAB schedules, status, one run at a time
    web.py        routes, and the admin endpoints
"""
