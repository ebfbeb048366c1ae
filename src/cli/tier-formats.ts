/** The files of a reader's snapshot, written for those who read them. Pure. */

import type { TierProvider } from '../contract/tier-provider.ts';
import type { SnapshotFile, TimeSpan } from '../warm-tier/snapshot.ts';

export const FORMATS = ['list', 'json', 'duckdb', 'spark'] as const;
export type Format = (typeof FORMATS)[number];

export interface Snapshot {
  readonly provider: TierProvider;
  /** The manifests that were read. */
  readonly manifests: readonly { readonly uri: string; readonly revision: number }[];
  readonly files: readonly (SnapshotFile & { readonly uri: string })[];
  readonly span: TimeSpan | undefined;
}

export function formatSnapshot(snapshot: Snapshot, format: Format): string[] {
  if (format === 'json') return jsonOf(snapshot).split('\n');
  if (format === 'duckdb') return duckdbOf(snapshot);
  if (format === 'spark') return sparkOf(snapshot);
  return snapshot.files.map(({ uri }) => uri);
}

/** `2026-01-23T14:20:00Z`, with as many digits of the second as there are. */
function isoOf(micros: number | null): string | null {
  return micros === null ? null : new Date(micros / 1_000).toISOString().replace('.000Z', 'Z');
}

function jsonOf({ provider, manifests, files, span }: Snapshot): string {
  return JSON.stringify(
    {
      provider: provider.name,
      keyColumns: provider.keyColumns,
      timeColumn: provider.timeColumn,
      ...(span === undefined ? {} : { from: isoOf(span.from), to: isoOf(span.to) }),
      manifests,
      files: files.map(({ uri, level, rows, bytes, minTime, maxTime }) => {
        return { uri, level, rows, bytes, minTime: isoOf(minTime), maxTime: isoOf(maxTime) };
      }),
    },
    null,
    2,
  );
}

function about({ manifests }: Snapshot): string[] {
  return manifests.map(({ uri, revision }) => `revision ${revision} of ${uri}`);
}

/** In the order of merges: false, not known, true. */
const CEASED_ORDER = 'CASE WHEN Ceased THEN 2 WHEN Ceased IS NULL THEN 1 ELSE 0 END';

function duckdbOf(snapshot: Snapshot): string[] {
  const { provider, files, span } = snapshot;
  const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;
  const time = quoted(provider.timeColumn);
  const keys = [...provider.keyColumns, provider.timeColumn].map(quoted).join(', ');
  const listed = files.map(
    ({ uri }, i) => `  '${uri.replaceAll("'", "''")}'${i < files.length - 1 ? ',' : ''}`,
  );
  const where =
    span === undefined
      ? []
      : [`WHERE ${time} >= TIMESTAMPTZ '${isoOf(span.from)}' AND ${time} < TIMESTAMPTZ '${isoOf(span.to)}'`];
  return [
    ...about(snapshot).map((line) => `-- ${line}`),
    '-- From those that came first to those that came last.',
    'SET VARIABLE files = [',
    ...listed,
    '];',
    "SELECT * EXCLUDE (filename) FROM read_parquet(getvariable('files'), union_by_name = true, filename = true)",
    ...where,
    '-- Of a row that was collected twice, the one that merges keep: a living one, then the last to come.',
    `QUALIFY row_number() OVER (PARTITION BY ${keys} ORDER BY ${CEASED_ORDER}, list_position(getvariable('files'), filename) DESC) = 1;`,
  ];
}

function sparkOf(snapshot: Snapshot): string[] {
  const { provider, files, span } = snapshot;
  const text = (value: string) => JSON.stringify(value);
  const time = `F.col(${text(provider.timeColumn)})`;
  const where =
    span === undefined
      ? []
      : [
          `    .where(${time} >= F.lit(${text(isoOf(span.from) ?? '')}).cast("timestamp"))`,
          `    .where(${time} < F.lit(${text(isoOf(span.to) ?? '')}).cast("timestamp"))`,
        ];
  const keys = [...provider.keyColumns, provider.timeColumn].map(text).join(', ');
  return [
    ...about(snapshot).map((line) => `# ${line}`),
    'from pyspark.sql import functions as F, Window',
    '# Of a row that was collected twice, a living one, as merges do (of several living ones they keep the last to come):',
    `once = Window.partitionBy(${keys}).orderBy(F.expr(${text(CEASED_ORDER)}))`,
    'rows = (',
    '    spark.read.option("mergeSchema", "true").parquet(',
    ...files.map(({ uri }) => `        ${text(uri.replace(/^s3:/, 's3a:'))},`),
    '    )',
    ...where,
    '    .withColumn("_n", F.row_number().over(once)).where("_n = 1").drop("_n")',
    ')',
  ];
}
