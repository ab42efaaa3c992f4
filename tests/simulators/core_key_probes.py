"""For each configuration key of the Core profile, something that shows it is acted upon."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import pairwise

from websockets.frames import Frame, Opcode

from simulators.configuration import MAX_KEYS
from simulators.hardware import Hardware, Rotation
from simulators.pilot import Cable
from simulators.requests import REQUESTS
from tests.simulators.chargers import car
from tests.simulators.fake_central import settle
from tests.simulators.key_world import ACCEPTED, TAG, World, world
from twin_core.models.ids import IdTag

REGISTER = "Energy.Active.Import.Register"
Probe = Callable[[], Awaitable[None]]


async def allow_offline_tx_for_unknown_id() -> None:
    for allowed in (True, False):
        async with world() as here:
            await here.set(AllowOfflineTxForUnknownId=str(allowed))
            await here.central.stop()
            await settle(5)
            assert await here.plug() is allowed


async def authorization_cache_enabled() -> None:
    async with world() as here:
        await here.set(AuthorizationCacheEnabled="false", LocalPreAuthorize="true")
        for _ in range(2):
            await here.plug()
            here.point.unplug(1)
        assert len(here.central.of("Authorize")) == 2


async def authorize_remote_tx_requests() -> None:
    async with world() as here:
        await here.set(AuthorizeRemoteTxRequests="true")
        assert await here.call("RemoteStartTransaction", idTag="FAR") == ACCEPTED
        await settle()
        assert [p["idTag"] for p in here.central.of("Authorize")] == ["FAR"]


async def clock_aligned_data_interval() -> None:
    async with world() as here:
        await here.set(ClockAlignedDataInterval="60")
        await settle(130)
        told = [(p["connectorId"], p["meterValue"][0]["timestamp"][14:19]) for p in here.central.of("MeterValues")]
        assert told == [(0, "01:00"), (1, "01:00"), (0, "02:00"), (1, "02:00")]


async def connection_time_out() -> None:
    async with world() as here:
        await here.set(ConnectionTimeOut="30")
        await here.call("RemoteStartTransaction", idTag="FAR")
        await settle(28)
        assert here.statuses()[-1] == "Preparing"
        await settle(4)
        assert here.statuses()[-1] == "Available"


async def connector_phase_rotation() -> None:
    async with world(connectors=2, hardware=Hardware(rotation=(Rotation.RST, Rotation.STR))) as here:
        assert await here.value("ConnectorPhaseRotation") == "0.RST,1.RST,2.STR"
        await here.point.plug(2, car(n_phases=1), TAG)
        await settle(30)
        assert [a > 0 for a in here.point.grid_currents()] == [False, True, False]


async def get_configuration_max_keys() -> None:
    async with world() as here:
        assert await here.value("GetConfigurationMaxKeys") == str(MAX_KEYS)
        assert (await here.call("GetConfiguration", key=["Colour"] * (MAX_KEYS + 1)))[0] != "configurationKey"


async def heartbeat_interval() -> None:
    async with world() as here:
        await here.set(HeartbeatInterval="100")
        await settle(350)
        assert len(here.central.of("Heartbeat")) == 3


async def local_authorize_offline() -> None:
    for allowed in (True, False):
        async with world() as here:
            await here.know(TAG)
            await here.set(LocalAuthorizeOffline=str(allowed))
            await here.central.stop()
            await settle(5)
            assert await here.plug() is allowed


async def local_pre_authorize() -> None:
    async with world() as here:
        await here.know(TAG)
        await here.set(LocalPreAuthorize="true")
        assert await here.plug()
        assert here.central.of("Authorize") == []


async def max_energy_on_invalid_id() -> None:
    for stops, reasons in (("true", ["DeAuthorized"]), ("false", [])):
        async with world() as here:
            await here.set(MaxEnergyOnInvalidId="500", StopTransactionOnInvalidId=stops)
            here.answer_invalid()
            await here.plug(then_s=600)
            assert here.stop_reasons() == reasons
            assert 480 <= here.point.controller.station.outlets[1].register_kwh * 1000 <= 500
            assert here.point.grid_currents() == (0.0, 0.0, 0.0)


async def meter_values_aligned_data() -> None:
    async with world() as here:
        await here.set(ClockAlignedDataInterval="60", MeterValuesAlignedData="Voltage")
        await settle(61)
        assert {(v["measurand"], v["location"]) for v in here.sampled(0)} == {("Voltage", "Inlet")}
        assert {v["measurand"] for v in here.sampled()} == {"Voltage"}


async def meter_values_sampled_data() -> None:
    async with world() as here:
        await here.set(MeterValuesSampledData=f"SoC,{REGISTER}.L2")
        await here.plug(then_s=15)
        assert [(v["measurand"], v.get("phase")) for v in here.sampled()] == [("SoC", None), (REGISTER, "L2")]


async def meter_value_sample_interval() -> None:
    async with world() as here:
        await here.set(MeterValueSampleInterval="30")
        await here.plug(then_s=95)
        assert len(here.central.of("MeterValues")) == 3


async def minimum_status_duration() -> None:
    async with world() as here:
        await here.set(MinimumStatusDuration="20")
        await here.plug(then_s=15)
        assert here.statuses() == ["Available"]
        await settle(10)
        assert here.statuses() == ["Available", "Charging"]


async def number_of_connectors() -> None:
    async with world(connectors=2) as here:
        assert await here.value("NumberOfConnectors") == "2"


async def reset_retries() -> None:
    for retries, boots, errors in (("1", 1, ["NoError", "ResetFailure"]), ("2", 2, ["NoError", "NoError"])):
        async with world(hardware=Hardware(failing_resets=2)) as here:
            await here.set(ResetRetries=retries)
            assert await here.call("Reset", type="Soft") == ACCEPTED
            await settle(60)
            assert len(here.central.of("BootNotification")) == boots
            told = [p["errorCode"] for p in here.central.of("StatusNotification") if p["connectorId"] == 0]
            assert told == errors


async def stop_transaction_on_ev_side_disconnect() -> None:
    for stops, reasons, status in (("true", ["EVDisconnected"], "Available"), ("false", [], "SuspendedEV")):
        async with world() as here:
            await here.set(StopTransactionOnEVSideDisconnect=stops)
            await here.plug()
            here.point.unplug(1)
            await settle()
            assert here.stop_reasons() == reasons
            assert here.statuses()[-1] == status


async def stop_transaction_on_invalid_id() -> None:
    for stops, reasons in (("true", ["DeAuthorized"]), ("false", [])):
        async with world() as here:
            await here.set(StopTransactionOnInvalidId=stops)
            here.answer_invalid()
            await here.plug()
            assert here.stop_reasons() == reasons
            assert here.point.grid_currents() == (0.0, 0.0, 0.0)


async def contexts_at_stop(here: World) -> list[tuple[str, str]]:
    await here.plug(then_s=130)
    here.point.unplug(1)
    await settle()
    data = here.central.of("StopTransaction")[0]["transactionData"]
    return [(v["measurand"], v["context"]) for value in data for v in value["sampledValue"]]


async def stop_txn_aligned_data() -> None:
    async with world() as here:
        await here.set(ClockAlignedDataInterval="60", StopTxnAlignedData="Power.Active.Import")
        assert await contexts_at_stop(here) == [("Power.Active.Import", "Sample.Clock")] * 2


async def stop_txn_sampled_data() -> None:
    async with world() as here:
        await here.set(MeterValueSampleInterval="50", StopTxnSampledData=REGISTER)
        contexts = ["Transaction.Begin", "Sample.Periodic", "Sample.Periodic", "Transaction.End"]
        assert await contexts_at_stop(here) == [(REGISTER, context) for context in contexts]


async def supported_feature_profiles() -> None:
    one_of_each = {
        "Core": "ClearCache",
        "FirmwareManagement": "UpdateFirmware",
        "LocalAuthListManagement": "SendLocalList",
        "Reservation": "ReserveNow",
        "SmartCharging": "SetChargingProfile",
        "RemoteTrigger": "TriggerMessage",
    }
    async with world() as here:
        assert set((await here.value("SupportedFeatureProfiles")).split(",")) == set(one_of_each)
        assert set(one_of_each.values()) <= set(REQUESTS)


async def starts_when_refused(**settings: str) -> list[float]:
    async with world() as here:
        await here.set(**settings)
        here.central.raw_answers["StartTransaction"] = ("InternalError", "no disk", {})
        await here.plug(then_s=300)
        return [heard.at_s for heard in here.central.heard if heard.action == "StartTransaction"]


async def transaction_message_attempts() -> None:
    assert len(await starts_when_refused(TransactionMessageAttempts="2")) == 2


async def transaction_message_retry_interval() -> None:
    moments = await starts_when_refused(TransactionMessageRetryInterval="25")
    assert [round(later - earlier) for earlier, later in pairwise(moments)] == [25, 50]


async def unlock_connector_on_ev_side_disconnect() -> None:
    for unlocks, status in (("true", "Available"), ("false", "Finishing")):
        async with world() as here:
            await here.set(UnlockConnectorOnEVSideDisconnect=unlocks)
            await here.plug(car(cable=Cable.A32))
            here.point.unplug(1)
            await settle()
            assert here.statuses()[-1] == status
            assert await here.point.swipe(1, IdTag("STRANGER")) is False
            assert await here.point.swipe(1, TAG) is (unlocks == "false")
            await settle()
            assert here.statuses()[-1] == "Available"


async def web_socket_ping_interval() -> None:
    async with world() as here:
        protocol = here.central.sockets["CP1"].protocol
        send, pongs = protocol.send_frame, []

        def counted(frame: Frame) -> None:
            pongs.extend([frame] if frame.opcode is Opcode.PONG else [])
            send(frame)

        setattr(protocol, "send_frame", counted)  # noqa: B010 - the library has no counter for it
        await here.set(WebSocketPingInterval="20")
        await settle(70)
        assert len(pongs) == 3
        await here.set(WebSocketPingInterval="0")
        await settle(70)
        assert len(pongs) == 3


PROBES: dict[str, Probe] = {
    "AllowOfflineTxForUnknownId": allow_offline_tx_for_unknown_id,
    "AuthorizationCacheEnabled": authorization_cache_enabled,
    "AuthorizeRemoteTxRequests": authorize_remote_tx_requests,
    "ClockAlignedDataInterval": clock_aligned_data_interval,
    "ConnectionTimeOut": connection_time_out,
    "ConnectorPhaseRotation": connector_phase_rotation,
    "GetConfigurationMaxKeys": get_configuration_max_keys,
    "HeartbeatInterval": heartbeat_interval,
    "LocalAuthorizeOffline": local_authorize_offline,
    "LocalPreAuthorize": local_pre_authorize,
    "MaxEnergyOnInvalidId": max_energy_on_invalid_id,
    "MeterValuesAlignedData": meter_values_aligned_data,
    "MeterValuesSampledData": meter_values_sampled_data,
    "MeterValueSampleInterval": meter_value_sample_interval,
    "MinimumStatusDuration": minimum_status_duration,
    "NumberOfConnectors": number_of_connectors,
    "ResetRetries": reset_retries,
    "StopTransactionOnEVSideDisconnect": stop_transaction_on_ev_side_disconnect,
    "StopTransactionOnInvalidId": stop_transaction_on_invalid_id,
    "StopTxnAlignedData": stop_txn_aligned_data,
    "StopTxnSampledData": stop_txn_sampled_data,
    "SupportedFeatureProfiles": supported_feature_profiles,
    "TransactionMessageAttempts": transaction_message_attempts,
    "TransactionMessageRetryInterval": transaction_message_retry_interval,
    "UnlockConnectorOnEVSideDisconnect": unlock_connector_on_ev_side_disconnect,
    "WebSocketPingInterval": web_socket_ping_interval,
}
