"""Azure Table Storage, or Azurite: the ``Store`` port of shared.services. Every method is one request.

The SDK's own retries are off for writes. Measured against a local fault server (azure-data-tables 12.7.0, azure-core 1.41.0): with its
defaults a replace, an upsert and a delete whose reply is lost are sent four times, and on 503 every write is, so that the second
send of our own change meets 412 and looks like somebody else's; with ``retry_total=0`` each is sent once, whatever the network does
(tests/shared/test_tables.py). So a 412 is somebody else's change for sure, and a write that got no answer raises Retryable: it may
have happened, the caller reads again. Reads are tried three times.

How values cross: int as Int32 or Int64, str of any length cut into pieces of the 32 K characters a property may hold, None left out.
Keys may hold any character: those Table Storage forbids are written "!" and two hexadecimal digits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from azure.core import MatchConditions
from azure.core.credentials import TokenCredential
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.data.tables import EdmType, EntityProperty, TableClient, TableServiceClient, UpdateMode

from shared.errors import Changed, ConfigurationError, Retryable
from shared.services import StoredRow

TABLES = ("connectors", "grants", "flowruns", "claims", "links", "limits", "outcomes")
ONE_SEND: dict[str, Any] = {"retry_total": 0, "connection_timeout": 5, "read_timeout": 15}
READ_RETRIES = 2
INT32, INT64 = range(-(2**31), 2**31), range(-(2**63), 2**63)
PIECE = 16_000  # characters outside the basic plane count twice
PIECE_MARK = "__"
FORBIDDEN = re.compile(r"[/\\#?%!\x00-\x1f\x7f-\x9f]")
SPELLED = re.compile(r"!([0-9a-f]{2})")
T = TypeVar("T")


class Tables:
    """Rows of Table Storage by table, partition and row key; see the module for what each write promises."""

    def __init__(self, service: TableServiceClient) -> None:
        self._service = service
        self._tables: dict[str, TableClient] = {}

    @classmethod
    def from_connection_string(cls, connection_string: str, **options: Any) -> Tables:
        """Use a connection string (``UseDevelopmentStorage=true`` is Azurite); *options* of the SDK's client replace ours."""
        return cls(TableServiceClient.from_connection_string(connection_string, **ONE_SEND | options))

    @classmethod
    def from_endpoint(cls, endpoint: str, credential: TokenCredential) -> Tables:
        """Use an identity at https://<account>.table.core.windows.net (AzureWebJobsStorage__tableServiceUri)."""
        return cls(TableServiceClient(endpoint, credential=credential, **ONE_SEND))

    def create(self, tables: tuple[str, ...] = TABLES) -> None:
        """Create the tables that are missing."""
        for table in tables:
            with _errors(table):
                self._service.create_table_if_not_exists(table)

    def read(self, table: str, partition: str, row: str) -> StoredRow | None:
        """Return a row or None."""
        try:
            with _errors(table):
                return _stored(self._table(table).get_entity(_spelled(partition), _spelled(row), retry_total=READ_RETRIES))
        except ResourceNotFoundError:
            return None

    def insert(self, table: str, partition: str, row: str, values: Mapping[str, Any]) -> str:
        """Insert a row and return its ETag; raise Changed when it exists."""
        entity = _entity(partition, row, values)
        with _errors(table):
            return str(self._written(table, lambda client: client.create_entity(entity))["etag"])

    def replace(self, table: str, partition: str, row: str, values: Mapping[str, Any], etag: str) -> str:
        """Replace a row if it still has *etag* and return the new one; raise Changed when it is another, or gone."""
        entity = _entity(partition, row, values)
        try:
            with _errors(table):
                condition = MatchConditions.IfNotModified
                answer = self._table(table).update_entity(entity, UpdateMode.REPLACE, etag=etag, match_condition=condition)
        except ResourceNotFoundError as error:
            raise Changed(f"A row of {table} is gone.") from error
        return str(answer["etag"])

    def upsert(self, table: str, partition: str, row: str, values: Mapping[str, Any]) -> None:
        """Write a row whatever was there."""
        entity = _entity(partition, row, values)
        with _errors(table):
            self._written(table, lambda client: client.upsert_entity(entity, UpdateMode.REPLACE))

    def delete(self, table: str, partition: str, row: str, etag: str | None = None) -> None:
        """Delete a row if it is there; with *etag* raise Changed when it has another."""
        condition: dict[str, Any] = {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
        with _errors(table):
            self._table(table).delete_entity(_spelled(partition), _spelled(row), **condition)

    def rows(self, table: str, partition: str | None = None, *, limit: int | None = None) -> list[StoredRow]:
        """Return the rows of a partition, or of the table, in key order; at most *limit*."""
        size: dict[str, Any] = {"results_per_page": min(limit, 1000)} if limit else {}
        found: list[StoredRow] = []
        try:
            with _errors(table):
                client = self._table(table)
                if partition is None:
                    entities = client.list_entities(retry_total=READ_RETRIES, **size)
                else:
                    values = {"partition": _spelled(partition)}
                    query = "PartitionKey eq @partition"
                    entities = client.query_entities(query, parameters=values, retry_total=READ_RETRIES, **size)
                for entity in entities:
                    found.append(_stored(entity))
                    if limit and len(found) == limit:
                        break
        except ResourceNotFoundError:
            return []
        return found

    def _table(self, table: str) -> TableClient:
        if table not in self._tables:
            self._tables[table] = self._service.get_table_client(table)
        return self._tables[table]

    def _written(self, table: str, write: Callable[[TableClient], T]) -> T:
        """Write once; when the table itself is missing nothing was written: create it and write."""
        try:
            return write(self._table(table))
        except ResourceNotFoundError:
            self.create((table,))
            return write(self._table(table))


@contextmanager
def _errors(table: str) -> Iterator[None]:
    try:
        yield
    except (ResourceExistsError, ResourceModifiedError) as error:
        raise Changed(f"A row of {table} was written by somebody else.") from error
    except ClientAuthenticationError as error:
        raise ConfigurationError(
            "The app may not use Table Storage: it needs the role Storage Table Data Contributor."
        ) from error
    except (ServiceRequestError, ServiceResponseError) as error:
        raise Retryable(f"Table Storage did not answer ({table}).") from error
    except HttpResponseError as error:
        if error.status_code == 403:
            raise ConfigurationError(
                "The app may not use Table Storage: it needs the role Storage Table Data Contributor."
            ) from error
        if error.status_code == 412:
            raise Changed(f"A row of {table} was written by somebody else.") from error
        if error.status_code in (408, 429) or (error.status_code or 0) >= 500:
            raise Retryable(f"Table Storage answered {error.status_code} ({table}).") from error
        raise


def _entity(partition: str, row: str, values: Mapping[str, Any]) -> dict[str, Any]:
    entity: dict[str, Any] = {"PartitionKey": _spelled(partition), "RowKey": _spelled(row)}
    for name, value in values.items():
        match value:
            case None:
                continue
            case str():
                pieces = [value[start : start + PIECE] for start in range(0, len(value), PIECE)] or [""]
                entity |= {f"{name}{PIECE_MARK}{index}" if index else name: piece for index, piece in enumerate(pieces)}
            case bool() | float():
                entity[name] = value
            case int() if value in INT32:
                entity[name] = value
            case int() if value in INT64:
                entity[name] = EntityProperty(value, EdmType.INT64)
            case _:
                raise TypeError(f"{name} is of type {type(value).__name__}: a row holds str, int of 64 bits, bool and float.")
    return entity


def _stored(entity: Mapping[str, Any]) -> StoredRow:
    values: dict[str, Any] = {}
    pieces: dict[tuple[str, int], str] = {}
    for name, value in entity.items():
        if name in ("PartitionKey", "RowKey"):
            continue
        whole, mark, index = name.rpartition(PIECE_MARK)
        if mark and index.isdecimal() and whole in entity:
            pieces[whole, int(index)] = value
        else:
            values[name] = value.value if isinstance(value, EntityProperty) else value
    for (whole, _), piece in sorted(pieces.items()):
        values[whole] += piece
    etag = entity.metadata["etag"]  # type: ignore[attr-defined]
    return StoredRow(_read(entity["PartitionKey"]), _read(entity["RowKey"]), values, str(etag))


def _spelled(key: str) -> str:
    return FORBIDDEN.sub(lambda found: f"!{ord(found[0]):02x}", key)


def _read(key: str) -> str:
    return SPELLED.sub(lambda found: chr(int(found[1], 16)), key)
