"""`[authorisation]` and `[[tags]]` of the site file: who may charge."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field

from gateway.site_fields import Table


class TagTable(Table):
    """`[[tags]]`: a tag that drivers show, or a group that tags belong to."""

    id_tag: Annotated[str, Field(min_length=1, max_length=20)]
    blocked: bool = False
    expires: AwareDatetime | None = None
    group: Annotated[str, Field(min_length=1, max_length=20)] | None = None
    max_concurrent: Annotated[int, Field(ge=1)] | None = None


class AuthorisationTable(Table):
    """`[authorisation]`: who may charge, and whether chargers keep a list of them for when they are offline."""

    free_vend: bool = False
    fleet: bool = True
    local_list: bool = False
    max_concurrent: Annotated[int, Field(ge=1)] | None = None
