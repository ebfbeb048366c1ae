import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { IngestManifest } from '../../src/contract/ingest-manifest.ts';
import { planManifest } from '../../src/ingest/manifest-plan.ts';
import { monthOf, outputDigest, outputPath } from '../../src/ingest/series-path.ts';
import type { LoadedFile } from '../../src/ledger/file-ledger.ts';

const digestOf = (name: string, version: number) =>
  outputDigest({ uri: name, etag: String(version), load: 'l' });

function loaded(
  name: string,
  version: number,
  series: readonly string[] = ['A'],
  modified = version,
): LoadedFile {
  const digest = digestOf(name, version);
  const outputs = series.map((code) => ({
    path: outputPath(code, 24_312, digest, 1),
    series: code,
    records: 1,
    bytes: 1,
  }));
  return { path: `s3://b/${name}`, digest, etag: String(version), modified, records: series.length, outputs };
}

/** The manifest that a plan makes. */
function made(plan: ReturnType<typeof planManifest>): IngestManifest {
  return {
    version_id: 'v',
    series_codes: [...plan.seriesCodes],
    parquet_files: [...plan.parquetFiles],
    sources: plan.sources,
  };
}

describe('the next manifest', () => {
  test('replaces a changed file, keeps other ingestions, other writers and what the ledger has lost', () => {
    const theirs = made(planManifest(undefined, 'other', [loaded('x', 1, ['X'])]));
    const foreign: IngestManifest = {
      ...theirs,
      series_codes: [...theirs.series_codes!, 'F'],
      parquet_files: ['F/part-0.parquet', ...theirs.parquet_files],
    };
    const first = planManifest(foreign, 'mine', [loaded('a', 1), loaded('b', 1, ['A', 'B'])]);
    expect(first).toMatchObject({ changed: true, seriesCodes: ['A', 'B', 'F', 'X'], newSeries: ['A', 'B'] });
    expect(first.parquetFiles).toHaveLength(5);
    const second = planManifest(made(first), 'mine', [loaded('a', 2), loaded('b', 1, ['A', 'B'])]);
    expect(second.parquetFiles).toContain(outputPath('A', 24_312, digestOf('a', 2), 1));
    expect(second.parquetFiles).not.toContain(outputPath('A', 24_312, digestOf('a', 1), 1));
    expect(second.parquetFiles).toContain('F/part-0.parquet');
    const lost = planManifest(made(second), 'mine', [loaded('c', 1, ['C'])]);
    expect(lost.parquetFiles).toHaveLength(second.parquetFiles.length + 1);
    expect(lost.rowCount).toBe(5);
  });

  test('lists the files of a month in the order in which their sources changed: the last one wins', () => {
    const plan = planManifest(undefined, 'mine', [loaded('a', 3), loaded('b', 1), loaded('c', 2)]);
    expect(plan.parquetFiles).toEqual(
      [loaded('b', 1), loaded('c', 2), loaded('a', 3)].map(({ outputs }) => outputs[0]!.path),
    );
  });

  test('drops a series that a file no longer has', () => {
    const first = planManifest(undefined, 'mine', [loaded('a', 1, ['A', 'B'])]);
    expect(planManifest(made(first), 'mine', [loaded('a', 2, ['A'])]).seriesCodes).toEqual(['A']);
  });

  test('is the same whatever was committed in between, and settles', () => {
    const file = fc.record({
      name: fc.constantFrom('a', 'b', 'c'),
      version: fc.integer({ min: 1, max: 3 }),
      series: fc.subarray(['A', 'B/ö', '..'], { minLength: 1 }),
    });
    fc.assert(
      fc.property(
        fc.array(fc.uniqueArray(file, { selector: ({ name }) => name }), { minLength: 1, maxLength: 5 }),
        (steps) => {
          let ledger = new Map<string, LoadedFile>();
          let current: IngestManifest | undefined;
          for (const step of steps) {
            ledger = new Map([
              ...ledger,
              ...step.map(({ name, version, series }) => [name, loaded(name, version, series)] as const),
            ]);
            current = made(planManifest(current, 'mine', [...ledger.values()]));
          }
          const straight = planManifest(undefined, 'mine', [...ledger.values()]);
          expect(current).toEqual(made(straight));
          expect(planManifest(current, 'mine', [...ledger.values()]).changed).toBe(false);
        },
      ),
    );
  });
});

describe('a path', () => {
  test.each([
    ['A', 24_312, 1, 'A/year=2026/month=01/d.parquet'],
    ['SEA.T-1_x', 24_323, 2, 'SEA.T-1_x/year=2026/month=12/d.2.parquet'],
    ['a/b', 0, 1, 'a%2Fb/year=0000/month=01/d.parquet'],
    ['..', 24_312, 1, '%2E%2E/year=2026/month=01/d.parquet'],
    ['year=1', 24_312, 1, 'year%3D1/year=2026/month=01/d.parquet'],
    ['ü 😀', 24_312, 1, '%C3%BC%20%F0%9F%98%80/year=2026/month=01/d.parquet'],
  ])('of %j', (code, month, part, path) => {
    expect(outputPath(code, month, 'd', part)).toBe(path);
  });

  test('lies in the month of its times, to the microsecond', () => {
    fc.assert(
      fc.property(fc.integer({ min: -8_000_000_000_000, max: 8_000_000_000_000 }), (ms) => {
        const { month, start, end } = monthOf(ms * 1000);
        const date = new Date(ms);
        expect(month).toBe(date.getUTCFullYear() * 12 + date.getUTCMonth());
        expect(start <= ms * 1000 && ms * 1000 < end).toBe(true);
        expect(monthOf(start).month).toBe(month);
        expect(monthOf(end - 1).month).toBe(month);
        expect(monthOf(end).month).toBe(month + 1);
      }),
    );
  });
});
