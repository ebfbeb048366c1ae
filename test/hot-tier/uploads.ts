/** Uploads for tests: rows of any form put into a builder, and tables read back as objects. */

import { discard } from '../../src/common/discard.ts';
import { findProvider, type TierProvider, tierProviders } from '../../src/contract/tier-provider.ts';
import { CsvRows } from '../../src/hot-tier/csv-rows.ts';
import { JsonLines } from '../../src/hot-tier/json-lines.ts';
import { putJsonRows } from '../../src/hot-tier/json-rows.ts';
import { RowBuilder, type SourceRules } from '../../src/hot-tier/row-builder.ts';
import { columnOf, type Table, valueAt } from '../../src/lake/tier-table/table.ts';

export const aws: TierProvider = findProvider(tierProviders(), 'aws');
export const CHANGED: SourceRules = { name: 'changed', ceased: false };
export const REMOVED: SourceRules = { name: 'removed', ceased: true };
export const MAX_ROWS = 1_000;

export type JsonRow = Readonly<Record<string, unknown>>;

/** A row of aws with what a test does not care about. */
export function awsRow(values: JsonRow = {}): JsonRow {
  return {
    InstanceType: 'm5.large',
    Region: 'us-east-1',
    AZ: 'use1-az1',
    Time: '2026-01-23 14:20:00',
    ...values,
  };
}

export function built(
  fill: (builder: RowBuilder) => void,
  source = CHANGED,
  provider = aws,
  maxRows = MAX_ROWS,
): Table {
  const builder = RowBuilder.of(provider, maxRows);
  builder.begin(source);
  fill(builder);
  builder.end();
  return builder.finish().table;
}

export function fromJson(rows: readonly JsonRow[], source = CHANGED, provider = aws): Table {
  return built((builder) => putJsonRows(builder, rows), source, provider);
}

/** Pushes the bytes in pieces of `size`, whose memory is given back after each, as an upload does. */
function inPieces(
  bytes: Uint8Array,
  size: number,
  reader: { push(chunk: Uint8Array): void; end(): void },
): void {
  for (let at = 0; at < bytes.length; at += size) {
    const piece = new Uint8Array(bytes.subarray(at, at + size));
    reader.push(piece);
    discard(piece);
  }
  reader.end();
}

export function fromJsonLines(text: string | Uint8Array, size = 1 << 20, maxRows = MAX_ROWS): Table {
  const bytes = Buffer.from(text);
  return built((builder) => inPieces(bytes, size, new JsonLines(builder)), CHANGED, aws, maxRows);
}

export function fromCsv(text: string | Uint8Array, size = 1 << 20): Table {
  const bytes = Buffer.from(text);
  return built((builder) => inPieces(bytes, size, new CsvRows(builder)));
}

/** A table's rows as objects: int64 and times as bigints. */
export function objectsOf(table: Table): Record<string, unknown>[] {
  return Array.from({ length: table.rows }, (_, row) =>
    Object.fromEntries(table.columns.map((column) => [column.name, valueAt(column, row)])),
  );
}

/** One column's values. */
export function valuesOf(table: Table, name: string): unknown[] {
  const column = columnOf(table, name)!;
  return Array.from({ length: table.rows }, (_, row) => valueAt(column, row));
}

export function micros(iso: string): bigint {
  return BigInt(Date.parse(iso)) * 1000n;
}
