"""What can be set about the central system; every duration is counted on the event loop's clock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CentralSystemSettings:
    """How the central system listens, waits and limits.

    Attributes:
        host: address to listen on.
        port: port to listen on; 0 takes any free one.
        path: first part of the URL; charge points connect at `ws://HOST:PORT{path}/{id}`.
        max_frame_bytes: a longer frame ends the link (close code 1009).
        ping_interval_s: how often a silent link is asked for a sign of life.
        ping_timeout_s: a link that then sends neither pong nor frame for this long is dead.
        close_timeout_s: how long a closing handshake may take before the socket is cut.
        open_timeout_s: how long an opening handshake may take.
        call_timeout_s: how long a charger may take to answer a CALL before the outcome is uncertain.
        call_yields_after_s: how long a grant waits at most for the answer to another question; then it is sent.
        silent_calls_before_close: unanswered CALLs in a row after which the link is cut, so that the charger redials.
        duplicate_ping_s: how long the present owner of an identity has to answer a ping when a second socket claims it.
        heartbeat_s: heartbeat interval told to chargers; each gets its own within a tenth of it, so that a thousand
            chargers that boot together do not stay together.
        sample_interval_s: how often chargers are asked to report meter values.
        websocket_ping_s: WebSocketPingInterval asked of chargers that have that setting.
        boot_grace_s: how long a charger that reconnects may take to send BootNotification by itself, and again once
            asked, before it is commissioned without.
        recommission_s: after this the boot order is run again where a fallback got no clear answer.
        messages_per_s: pace at which one charger's messages are read when it sends without end.
        message_burst: messages read at once before that pace holds.
        refusal_interval_s: refusals of one charger for one cause are logged at most this often; all are counted.
        login_backoff_s: wait after the first wrong password from one address for one identity; it doubles each time.
        conceal_unknown: True answers an unknown identity like a wrong password, so that nobody learns which exist.
        clock_tolerance_s: a charger whose clock is off by more gets no schedules that end by that clock.
        pause_s: time the others get to make room before a fallback is raised.
        trigger_spacing_s: least time between two TriggerMessages; some chargers block on more.
        newcomer_wait_s: how long Authorize is left unanswered while the site has no room for all that a charger can
            draw which was never seen to keep a limit.
        clear_foreign_limits: whether limits that others left in a charger below what it was granted are taken away;
            they are reported in any case.
        watt_phases: phases a charger that takes watts divides a limit by, where the installer knows; None takes the
            phases seen in the running transaction, and one until then, which can never exceed the grant.
    """

    host: str = "127.0.0.1"
    port: int = 9000
    path: str = "/ocpp"
    max_frame_bytes: int = 65_536
    ping_interval_s: float = 10.0
    ping_timeout_s: float = 5.0
    close_timeout_s: float = 1.0
    open_timeout_s: float = 5.0
    call_timeout_s: float = 10.0
    call_yields_after_s: float = 3.0
    silent_calls_before_close: int = 3
    duplicate_ping_s: float = 2.0
    heartbeat_s: int = 60
    sample_interval_s: int = 5
    websocket_ping_s: int = 30
    boot_grace_s: float = 5.0
    recommission_s: float = 60.0
    messages_per_s: float = 50.0
    message_burst: int = 250
    refusal_interval_s: float = 60.0
    login_backoff_s: float = 0.5
    conceal_unknown: bool = False
    clock_tolerance_s: float = 5.0
    pause_s: float = 15.0
    trigger_spacing_s: float = 6.0
    newcomer_wait_s: float = 20.0
    clear_foreign_limits: bool = False
    watt_phases: int | None = None
