/**
 * `npm run bench -- [case ...] [--rounds N] [--base COMMIT] [--json FILE]`: every side of every case,
 * each in a process of its own, in turn (A B A B ...), and the medians as a table.
 *
 * Ours is also measured at a base commit in the same turns: the last commit where the tree has changes,
 * the one before it where it has none. Nothing is judged here: the table says what was aimed at.
 */

import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { buildFor, buildSides } from './builds.ts';
import type { BenchCase, Side, SideResult } from './case.ts';
import { BENCH_CASES } from './cases.ts';

const execute = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '../..');
const DATA = join(tmpdir(), 'tidemill-bench');

interface Row {
  readonly side: Side;
  readonly label: string;
  readonly dist: string;
  readonly results: SideResult[];
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

const say = (line: string) => process.stdout.write(`${line}\n`);

/** A checkout of `commit` beside the tree, which uses the tree's node_modules; undefined where git has none. */
async function checkout(commit: string): Promise<string | undefined> {
  const dir = mkdtempSync(join(tmpdir(), 'tidemill-base-'));
  try {
    await execute('git', ['worktree', 'add', '--detach', dir, commit], { cwd: ROOT });
    symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
    return dir;
  } catch {
    rmSync(dir, { recursive: true, force: true });
    return undefined;
  }
}

async function defaultBase(): Promise<string> {
  const { stdout } = await execute('git', ['status', '--porcelain', '--', 'src'], { cwd: ROOT });
  return stdout.trim() === '' ? 'HEAD~1' : 'HEAD';
}

async function runSide(
  script: string,
  name: string,
  { name: side, nodeOptions = [] }: Side,
  dist: string,
  dir: string,
): Promise<SideResult | undefined> {
  try {
    const { stdout } = await execute(process.execPath, [...nodeOptions, script, name, side, dist, dir], {
      maxBuffer: 1 << 26,
    });
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as SideResult;
  } catch (error) {
    say(`  ${side} did not run: ${String((error as { stderr?: string }).stderr ?? error).slice(0, 2000)}`);
    return undefined;
  }
}

async function measure(
  script: string,
  bench: BenchCase,
  rounds: number,
  dist: string,
  base: string | undefined,
): Promise<Row[]> {
  const dir = join(DATA, bench.name);
  mkdirSync(dir, { recursive: true });
  await bench.prepare(dir);
  const rows: Row[] = bench.sides.map((side) => ({ side, label: side.name, dist, results: [] }));
  const ours = bench.sides[0]!;
  if (base !== undefined) rows.push({ side: ours, label: `${ours.name}, base`, dist: base, results: [] });
  for (let round = 0; round < rounds; round++) {
    for (const row of rows) {
      const result = await runSide(script, bench.name, row.side, row.dist, dir);
      if (result !== undefined) row.results.push(result);
    }
  }
  return rows;
}

function table(bench: BenchCase, rows: readonly Row[]): string[] {
  const figure = (row: Row, of: (result: SideResult) => number) => median(row.results.map(of));
  const ours = rows[0]!;
  const lines = [`${bench.name}: ${bench.about}`, `  aim: ${bench.aim}`];
  for (const row of rows) {
    if (row.results.length === 0) continue;
    const seconds = figure(row, (result) => result.seconds);
    const peak = figure(row, (result) => result.peakMb);
    const faster = seconds / figure(ours, (result) => result.seconds);
    const memory = figure(ours, (result) => result.peakMb) / peak;
    const extra = Object.keys(row.results[0]!.extra ?? {}).map((name) => {
      return `${name} ${figure(row, (result) => result.extra?.[name] ?? Number.NaN).toFixed(1)}`;
    });
    const versus =
      row === ours ? '' : `  ours ${faster.toFixed(2)} x as fast, ${memory.toFixed(2)} x the memory`;
    lines.push(
      `  ${row.label.padEnd(22)} ${(seconds * 1000).toFixed(0).padStart(7)} ms ${peak.toFixed(0).padStart(6)} MiB` +
        `  ${row.results[0]!.rows} rows${extra.length > 0 ? `  ${extra.join(', ')}` : ''}${versus}`,
    );
  }
  return lines;
}

/** A base so old that today's build does not know its modules is left out. */
function sayUnbuilt(error: unknown): undefined {
  say(`the base can not be built: ${String(error).slice(0, 500)}\n`);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '5' },
      base: { type: 'string' },
      json: { type: 'string' },
    },
  });
  const unknown = positionals.filter((name) => !BENCH_CASES.some((bench) => bench.name === name));
  if (unknown.length > 0)
    throw new Error(
      `no case ${unknown.join(', ')}; there are: ${BENCH_CASES.map(({ name }) => name).join(', ')}`,
    );
  const chosen = BENCH_CASES.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const commit = values.base ?? (await defaultBase());
  const base = commit === 'none' ? undefined : await checkout(commit);
  const gib = (totalmem() / 2 ** 30).toFixed(0);
  say(
    `${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), ${gib} GiB, Node ${process.version}; base ${base === undefined ? 'none' : commit}`,
  );
  say(`medians of ${values.rounds} rounds, sides in turn, each in its own process, warmed up first\n`);
  const report: Record<string, unknown> = {};
  const script = await buildSides(ROOT);
  try {
    const dist = await buildFor(ROOT);
    const builtBase = base && (await buildFor(base).catch(sayUnbuilt));
    for (const bench of chosen) {
      const rows = await measure(script, bench, Number(values.rounds), dist, builtBase);
      for (const line of table(bench, rows)) say(line);
      say('');
      report[bench.name] = Object.fromEntries(rows.map(({ label, results }) => [label, results]));
    }
  } finally {
    rmSync(dirname(script), { recursive: true });
    if (base !== undefined && existsSync(base)) {
      await execute('git', ['worktree', 'remove', '--force', base], { cwd: ROOT });
    }
  }
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
}

await main();
