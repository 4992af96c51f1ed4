"""What the Python tests share: the wire, the processes under test, and the parts around them.

Tests/Differential and Tests/Wire both drive a scheduler process over real sockets: `wire` builds
and reads messages, `process` starts and ends schedulers, `peers` plays hub, engines and clients,
`traffic` keeps normal work flowing beside a test. Nothing here sleeps to guess that something has
happened: see `peers.Cluster.settle`.
"""
