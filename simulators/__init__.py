"""The other side of the wire: charge points, vehicles, meters, whole depots and faults between them and the gateway.

Nothing here imports a connector: two independent readings of OCPP and of the meters' payloads check each other.
"""
