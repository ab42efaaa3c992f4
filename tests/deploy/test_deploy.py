"""The files of `deploy/`: they parse, they agree with each other and with the code, and what can be run here is run."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
import yaml

from connectors.grafana.dashboard import DASHBOARD_UID, dashboard
from connectors.grafana.panels import DATASOURCE_UID
from connectors.grafana.push import DATASOURCE_NAME, FOLDER_TITLE, FOLDER_UID, InfluxSource
from gateway.site_file import read_site
from tests.services import free_port, require_program

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SITE = tomllib.loads((DEPLOY / "site.toml").read_text())


def environment(service: str) -> dict[str, str]:
    return SERVICES[service].get("environment", {})


def example_variables() -> dict[str, str]:
    """Names and values in .env.example."""
    lines = (DEPLOY / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_every_service_restarts_is_watched_and_keeps_its_data_in_a_volume() -> None:
    for name, service in SERVICES.items():
        assert service["restart"] == "unless-stopped", name
        assert service["healthcheck"]["test"], name
        volumes = {mount.split(":")[0] for mount in service["volumes"]}
        assert volumes & set(COMPOSE["volumes"]), name
    named = {m.split(":")[0] for s in SERVICES.values() for m in s["volumes"] if not m.startswith((".", "$"))}
    assert named == set(COMPOSE["volumes"])


def test_every_file_that_is_mounted_exists() -> None:
    for service in SERVICES.values():
        for mount in service["volumes"]:
            source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", mount).split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists(), source
                assert mount.endswith(":ro"), mount


def test_only_charge_points_can_be_reached_from_outside() -> None:
    open_ports = [port for s in SERVICES.values() for port in s["ports"] if not port.startswith("127.0.0.1:")]
    assert open_ports == ["9000:9000"]


def test_no_password_has_a_default() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    used = dict(re.findall(r"\$\{(\w+)(:[-?][^}]*)\}", text))
    secrets = {name for name in used if re.search("PASSWORD|TOKEN", name)}
    assert len(secrets) == 4
    assert all(used[name].startswith(":?") for name in secrets)
    assert set(example_variables()) == set(used)
    assert all(example_variables()[name] == "" for name in secrets)
    for service in SERVICES:
        for name, value in environment(service).items():
            if re.search("PASSWORD|TOKEN", name):
                assert value.startswith("${"), f"{service}: {name}"


def test_defaults_in_compose_and_example_are_the_same() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    for name, default in re.findall(r"\$\{(\w+):-([^}]*)\}", text):
        assert example_variables()[name] == default


def test_the_site_finds_broker_and_database_where_compose_puts_them() -> None:
    assert SITE["mqtt"]["host"] in SERVICES
    assert str(SITE["mqtt"]["port"]) == SERVICES["mosquitto"]["ports"][0].split(":")[-1]
    assert environment("mosquitto")["MQTT_USERNAME"] == "${MQTT_USERNAME:-" + SITE["mqtt"]["username"] + "}"
    database = environment("influxdb")
    assert SITE["influx"]["url"] == "http://influxdb:8086"
    assert SITE["influx"]["org"] == database["DOCKER_INFLUXDB_INIT_ORG"]
    assert SITE["influx"]["bucket"] == database["DOCKER_INFLUXDB_INIT_BUCKET"]
    assert {SITE["influx"]["token_env"], SITE["mqtt"]["password_env"]} == set(environment("gateway"))


def test_gateway_ports_and_data_agree_between_site_image_and_compose() -> None:
    inner = {port.split(":")[-1] for port in SERVICES["gateway"]["ports"]}
    assert inner == {str(SITE["ocpp"]["port"]), str(SITE["panel"]["port"])}
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert set(re.search(r"^EXPOSE (.*)$", dockerfile, re.M)[1].split()) == inner  # type: ignore[index]
    assert SITE["ocpp"]["host"] == SITE["panel"]["host"] == "0.0.0.0"
    assert f":{SITE['panel']['port']}/healthz" in SERVICES["gateway"]["healthcheck"]["test"][-1]
    data = next(mount.split(":")[1] for mount in SERVICES["gateway"]["volumes"] if mount.startswith("gateway-data"))
    assert SITE["data_dir"].startswith(f"{data}/")
    assert f"VOLUME {data}" in dockerfile


def test_the_image_holds_every_package_of_the_wheel() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text()
    for package in wheel["packages"]:
        assert f"COPY {package} {package}\n" in dockerfile
        assert f"!{package}\n" in allowed


def test_the_sites_file_is_one_the_gateway_takes() -> None:
    site, _ = read_site(DEPLOY / "site.toml")
    assert site.influx.token_env == "DEPOT_INFLUX_TOKEN"
    assert [charger.id for charger in site.chargers] == ["CP1", "CP2"]


def test_grafana_is_provisioned_with_what_the_code_means() -> None:
    (source,) = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/influxdb.yaml").read_text())["datasources"]
    pushed = InfluxSource(SITE["influx"]["url"], SITE["influx"]["bucket"], token="$INFLUX_TOKEN").to_json()
    assert (source["uid"], source["name"]) == (DATASOURCE_UID, DATASOURCE_NAME)
    assert {key: source[key] for key in pushed} == pushed
    assert "INFLUX_TOKEN" in environment("grafana")
    (provider,) = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/depot.yaml").read_text())["providers"]
    assert (provider["folder"], provider["folderUid"]) == (FOLDER_TITLE, FOLDER_UID)
    mounts = dict(mount.split(":")[:2] for mount in SERVICES["grafana"]["volumes"])
    assert mounts["./grafana/dashboards"] == provider["options"]["path"]
    home = environment("grafana")["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/depot.json"
    assert dashboard()["uid"] == DASHBOARD_UID


def test_the_bucket_is_mapped_by_a_script_that_runs_and_stops_at_the_first_fault(tmp_path: Path) -> None:
    script = DEPLOY / "influxdb/map-bucket.sh"
    assert os.access(script, os.X_OK)
    influx = tmp_path / "influx"
    influx.write_text('#!/bin/sh\necho "$@"\n')
    influx.chmod(0o755)
    variables = {"BUCKET_ID": "0123", "BUCKET": "depot", "ORG": "depot"}
    given = {f"DOCKER_INFLUXDB_INIT_{name}": value for name, value in variables.items()}
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", str(script)], env=path | given, capture_output=True, text=True, check=True)
    assert done.stdout == "v1 dbrp create --bucket-id 0123 --db depot --rp autogen --default --org depot\n"
    assert subprocess.run(["sh", str(script)], env=path, capture_output=True, check=False).returncode != 0


@pytest.fixture
def broker_port() -> Iterator[int]:
    """A real mosquitto, started by the very command and configuration of compose.yaml."""
    require_program("mosquitto_passwd")
    mosquitto = require_program("mosquitto")
    directory = Path(tempfile.mkdtemp(prefix="deploy-mosquitto-"))
    directory.chmod(0o755)  # mosquitto leaves root behind
    port = free_port()
    (directory / "data").mkdir()
    configuration = (
        (DEPLOY / "mosquitto/mosquitto.conf").read_text().replace("listener 1883", f"listener {port} 127.0.0.1")
    )
    (directory / "mosquitto.conf").write_text(configuration.replace("/mosquitto/data", f"{directory}/data"))
    shell, flags, script = SERVICES["mosquitto"]["command"]
    script = script.replace("$$", "$").replace("/mosquitto/data", f"{directory}/data")
    script = script.replace("/mosquitto/config", str(directory)).replace("exec mosquitto", f"exec {mosquitto}")
    if os.geteuid() != 0:
        script = re.sub(r"^chown .*$", "", script, flags=re.M)
    variables = {"MQTT_USERNAME": "depot", "MQTT_PASSWORD": "it is 'secret' $HOME"}
    process = subprocess.Popen([shell, flags, script], env={"PATH": os.environ["PATH"] + ":/usr/sbin", **variables})
    yield port
    process.terminate()
    process.wait(10)
    shutil.rmtree(directory)


@pytest.mark.services
async def test_the_broker_starts_as_compose_starts_it_and_asks_for_the_password(broker_port: int) -> None:
    await _until_open(broker_port)
    async with aiomqtt.Client("127.0.0.1", broker_port, username="depot", password="it is 'secret' $HOME") as client:
        await client.publish("depot/test", "1", qos=1)
    for username, password in ((None, None), ("depot", "wrong"), ("root", "it is 'secret' $HOME")):
        with pytest.raises(aiomqtt.MqttError, match=r"[Nn]ot authori"):
            async with aiomqtt.Client("127.0.0.1", broker_port, username=username, password=password):
                pass


async def _until_open(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


@pytest.mark.services
def test_systemd_takes_the_unit_and_finds_it_well_locked(tmp_path: Path) -> None:
    analyse = require_program("systemd-analyze")
    unit = (DEPLOY / "systemd/depot-twin.service").read_text()
    copy = tmp_path / "depot-twin.service"
    copy.write_text(unit.replace("/opt/depot/bin/depot", "/bin/true"))
    verified = subprocess.run([analyse, "verify", str(copy)], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    security = subprocess.run(
        [analyse, "security", "--offline=true", "--threshold=25", "--no-pager", str(copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert security.returncode == 0, security.stdout[-300:]


def test_the_unit_runs_a_command_that_exists() -> None:
    unit = (DEPLOY / "systemd/depot-twin.service").read_text()
    assert re.search(r"^ExecStart=/opt/depot/bin/depot run /etc/depot/site.toml --headless$", unit, re.M)
    assert 'CMD ["run", "/etc/depot/site.toml", "--headless"]' in (DEPLOY / "Dockerfile").read_text()


def test_the_script_for_test_servers_says_what_it_would_do_and_does_nothing_twice(tmp_path: Path) -> None:
    for tool in ("sh", "sort", "tr", "id"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or "")
    script = str(DEPLOY / "test-services.sh")
    bare = subprocess.run(
        [tmp_path / "sh", script, "--dry-run"], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert {"influxdb", "chromium", "nodejs", "npm"} <= set(bare.stdout.split())
    for program in ("mosquitto", "mosquitto_passwd", "influxd", "chromium", "node", "npm"):
        (tmp_path / program).write_text("#!/bin/sh\n")
        (tmp_path / program).chmod(0o755)
    full = subprocess.run(
        [tmp_path / "sh", script], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert "everything is here already" in full.stdout
