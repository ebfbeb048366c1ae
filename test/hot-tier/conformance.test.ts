/** The recorded behaviour of the original writers: tiers.json, normalizeSchema and prepareForUpload. */

import { describe, expect, test } from '@jest/globals';
import type { ColumnKind, ColumnSpec } from '../../src/contract/column-spec.ts';
import { CEASED, findProvider, tierProviders } from '../../src/contract/tier-provider.ts';
import { putJsonRows } from '../../src/hot-tier/json-rows.ts';
import { RowBuilder } from '../../src/hot-tier/row-builder.ts';
import { distinctRows } from '../../src/hot-tier/sort-rows.ts';
import { type Table, takeRows, valueAt } from '../../src/lake/tier-table/table.ts';
import { type CaseFrame, POLARS_NAMES, tierCases } from '../contract/tier-cases.ts';
import { CHANGED, fromJson, type JsonRow, MAX_ROWS, REMOVED } from './uploads.ts';

function objects({ columns, rows }: CaseFrame): JsonRow[] {
  return rows.map((row) => Object.fromEntries(columns.map((name, i) => [name, row[i]])));
}

/** A value as the cases write it: int64 as numbers, times in ISO with their offset. */
function recorded(table: Table): CaseFrame {
  return {
    columns: table.columns.map(({ name }) => name),
    rows: Array.from({ length: table.rows }, (_, row) =>
      table.columns.map((column) => {
        const value = valueAt(column, row);
        if (typeof value !== 'bigint') return value;
        if (column.kind !== 'timestamp') return Number(value);
        return new Date(Number(value / 1000n)).toISOString().replace('.000Z', '+00:00');
      }),
    ),
  };
}

describe('rows are made the provider’s as the original writers make them', () => {
  test.each(tierCases.normalizeSchema.map((each, i) => [each.note ?? `case ${i}`, each] as const))(
    '%s',
    (_, { provider, input, expected, expectedError }) => {
      const normalize = () => fromJson(objects(input), CHANGED, findProvider(tierProviders(), provider));
      if (expected === undefined) {
        // The same column is told; the words are ours.
        const column = /column '([^']+)'/.exec(expectedError?.message ?? '')?.[1] ?? '';
        expect(normalize).toThrow(expect.objectContaining({ code: 'INPUT_READ_ERROR' }));
        expect(normalize).toThrow(`changed: row 1, column ${column}: `);
        return;
      }
      const table = normalize();
      const { columns, rows, dtypes } = expected;
      expect(recorded(table)).toEqual({ columns, rows });
      expect(Object.fromEntries(table.columns.map(({ name, kind }) => [name, POLARS_NAMES[kind]]))).toEqual(
        dtypes,
      );
    },
  );
});

/** Frames have no types of their own here: a column's kind is that of its values, and times are texts. */
function specsOf(frames: readonly CaseFrame[]): ColumnSpec[] {
  const kinds = new Map<string, ColumnKind>();
  for (const { columns, rows } of frames) {
    columns.forEach((name, i) => {
      const types = new Set(rows.map((row) => typeof row[i]));
      const kind = types.has('string') ? 'text' : types.has('boolean') ? 'boolean' : 'float64';
      if (!kinds.has(name)) kinds.set(name, kind);
    });
  }
  kinds.set(CEASED, 'boolean');
  return [...kinds].map(([name, kind]) => ({ name, kind }));
}

/** What the original writers' prepare_for_upload is in our steps. */
function prepared(
  changed: CaseFrame,
  removed: CaseFrame,
  pkColumns: readonly string[] | null,
  sentinel: number | undefined,
) {
  const builder = new RowBuilder(specsOf([changed, removed]), [], MAX_ROWS);
  builder.begin({ ...CHANGED, sentinel });
  putJsonRows(builder, objects(changed));
  builder.end();
  builder.begin(REMOVED);
  putJsonRows(builder, objects(removed));
  builder.end();
  const { table } = builder.finish();
  // They drop equal rows only where both frames have some, and where they are told the key. We do always.
  if (pkColumns === null || changed.rows.length === 0 || removed.rows.length === 0) return table;
  return takeRows(table, distinctRows(table, [...pkColumns, 'Time']).toSorted());
}

describe('changed and removed rows are joined as the original writers join them', () => {
  test.each(tierCases.prepareForUpload.map((each, i) => [each.note ?? `case ${i}`, each] as const))(
    '%s',
    (_, { changed, removed, valueColumns, pkColumns, expected }) => {
      const table = prepared(changed, removed, pkColumns, valueColumns === null ? undefined : -1);
      const { columns, rows } = recorded(table);
      expect(objects({ columns, rows })).toEqual(objects(expected));
      expect(columns.toSorted()).toEqual(expected.columns.toSorted());
    },
  );

  test('with the changed rows left out that hold the sentinel; a removed row may hold it', () => {
    const columns = ['InstanceType', 'Time', 'SPS', 'SpotPrice'];
    const changed = {
      columns,
      rows: [
        ['a', 't', 3, 0.05],
        ['b', 't', -1, 0.03],
        ['c', 't', 5, -1],
        ['d', 't', 0, 0],
      ],
    };
    const removed = { columns, rows: [['e', 't', -1, 0]] };
    const table = prepared(changed, removed, null, -1);
    expect(recorded(table).rows.map(([key]) => key)).toEqual(['a', 'd', 'e']);
  });
});
