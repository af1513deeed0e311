/**
 * The tables of networks. Records are JSON documents; an address is a row of its own, so that the
 * database itself refuses to give one twice.
 *
 *   networks ── id, name ────────────── one row a network, the predefined ones too
 *   sandboxes ─ id, container_id ────── one row a live container: its endpoints and ports
 *   addresses ─ network_id + address ── taken by an endpoint; goes when the kernel has let it go
 */
export const networkTables = `
CREATE TABLE networks (
  id     TEXT PRIMARY KEY,
  name   TEXT NOT NULL UNIQUE,
  record TEXT NOT NULL
) STRICT;

CREATE TABLE sandboxes (
  id           TEXT PRIMARY KEY,
  container_id TEXT NOT NULL UNIQUE,
  record       TEXT NOT NULL
) STRICT;

CREATE TABLE addresses (
  network_id  TEXT NOT NULL,
  address     TEXT NOT NULL,
  endpoint_id TEXT NOT NULL,
  PRIMARY KEY (network_id, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX addresses_by_endpoint ON addresses (endpoint_id);
`;
