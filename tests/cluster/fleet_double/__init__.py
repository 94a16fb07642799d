"""A double of fleetd for tests: the same API, the same scheduling, the same keys in etcd, units really run by systemd.

It stands where fleetd would: on every node, as the node's fleet.service, with the node's etcd and the node's systemd.
How fleet behaves was read from what it answered (tests/cluster/captures) and from its source, version 1.0.0.
"""
