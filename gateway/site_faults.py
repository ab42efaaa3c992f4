"""Everything that keeps a site from being run as written; `depot check` lists it, `depot run` refuses it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from connectors.ocpp.tls import check_tls
from gateway.clock import wall_utc
from gateway.meters import meter_binding
from gateway.secret import secret
from gateway.site_file import SiteFile
from gateway.tls import client_tls, depot_ca
from twin_core.errors import ConfigurationError
from twin_core.models.site import SiteTree
from twin_core.planning.table import factory
from twin_core.safety.commissioning import commissioning_faults
from twin_core.safety.parameters import EnvelopeParameters


def site_faults(site: SiteFile, tree: SiteTree, parameters: EnvelopeParameters) -> list[str]:
    """Every fault in words: the field, what is wrong with it, what to do."""
    faults = [str(fault) for fault in commissioning_faults(tree, parameters, tick_s=site.control.tick_s)]
    return [*faults, *_names_that_lead_nowhere(site), *_certificates_of_no_use(site), *_secrets_not_set(site)]


def _names_that_lead_nowhere(site: SiteFile) -> Iterator[str]:
    try:
        factory(site.control.planner)
    except ConfigurationError as error:
        yield f"control.planner: {error}"
    for meter in site.meters:
        try:
            meter_binding(meter)
        except ConfigurationError as error:
            yield f"meters: {error}"
    for charger in site.chargers if site.upstream is None else ():
        if charger.upstream_password_env is not None:
            yield f"chargers.{charger.id}.upstream_password_env: there is no upstream: add an [upstream] with a url"
    if site.data_dir.is_file():
        yield f"data_dir: {site.data_dir} is a file: name a folder"
    ca_file = None if site.mqtt is None else site.mqtt.ca_file
    if ca_file is not None and not ca_file.is_file():
        yield f"mqtt.ca_file: there is no file {ca_file}: name the broker's certificate authority, or leave it out"


def _certificates_of_no_use(site: SiteFile) -> Iterator[str]:
    tls, upstream = site.ocpp.tls, site.upstream
    looks: list[Callable[[], object]] = [lambda: depot_ca(site.depot_ca, wall_utc())]
    if tls is not None:
        looks.append(lambda: check_tls(tls.files(), wall_utc()))
    if upstream is not None and upstream.ca_file is not None:
        looks.append(lambda: client_tls(upstream.ca_file, "upstream.ca_file"))
    for look in looks:
        try:
            look()
        except ConfigurationError as error:
            yield str(error)


def _secrets_not_set(site: SiteFile) -> Iterator[str]:
    named = [(f"chargers.{charger.id}.password_env", charger.password_env) for charger in site.chargers]
    named.append(("adopt_password_env", site.adopt_password_env))
    named.append(("mqtt.password_env", None if site.mqtt is None else site.mqtt.password_env))
    named.append(("influx.token_env", None if site.influx is None else site.influx.token_env))
    named += [
        (f"chargers.{charger.id}.upstream_password_env", charger.upstream_password_env) for charger in site.chargers
    ]
    named.append(("upstream.password_env", None if site.upstream is None else site.upstream.password_env))
    for field, variable in named:
        try:
            secret(variable, field)
        except ConfigurationError as error:
            yield str(error)
