/**
 * The import directions of docs/ARCHITECTURE.md, as the lint rules of biome.json hold them: each case is
 * a module in a copy of the source tree, and all are linted in one go with the project's own settings.
 */

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../..');
const IMPORTS = 'lint/style/noRestrictedImports';
const ENVIRONMENT = 'lint/style/noProcessEnv';
const GLOBALS = 'lint/style/noRestrictedGlobals';

/** Who (below `src`) imports what, and whether that is refused. */
const IMPORT_CASES: readonly (readonly [from: string, of: string, refused: boolean])[] = [
  ['main.ts', './worker-process.ts', false],
  ['main.ts', './local/local-aws.ts', true],
  ['worker-process.ts', 'node:process', false],
  ['service.ts', './metric-run/index.ts', false],
  ['service.ts', './lake/lake.ts', false],
  ['service.ts', './cli/send.ts', true],
  ['service.ts', './demo/demo.ts', true],
  ['service.ts', '@aws-sdk/client-s3', true],
  ['config.ts', './contract/output-compression.ts', false],
  ['config.ts', './lake/lake.ts', true],
  ['config.ts', 'node:process', true],
  ['common/clock.ts', './errors.ts', false],
  ['common/clock.ts', 'node:crypto', false],
  ['common/clock.ts', '../observability/logger.ts', true],
  ['common/clock.ts', '../config.ts', true],
  ['common/clock.ts', 'pino', true],
  ['observability/metrics.ts', '../common/clock.ts', false],
  ['observability/metrics.ts', 'prom-client', false],
  ['observability/metrics.ts', '../worker/worker-observer.ts', true],
  ['observability/metrics.ts', '../contract/envelope.ts', true],
  ['contract/envelope.ts', '../common/errors.ts', false],
  ['contract/envelope.ts', '../lake/lake.ts', true],
  ['lake/tier-table/cell.ts', '../s3-client.ts', false],
  ['lake/tier-table/cell.ts', '../../common/errors.ts', false],
  ['lake/tier-table/cell.ts', '../../warm-tier/merge.ts', true],
  ['lake/tier-table/cell.ts', '@aws-sdk/client-sqs', true],
  ['lake/lake.ts', '../contract/object-location.ts', false],
  ['lake/lake.ts', '@aws-sdk/client-s3', false],
  ['lake/lake.ts', 'node:fs/promises', false],
  ['lake/lake.ts', 'parquet-wasm', false],
  ['lake/lake.ts', '@aws-sdk/client-sqs', true],
  ['lake/lake.ts', '@aws-sdk/client-sns', true],
  ['lake/lake.ts', '../events/publisher.ts', true],
  ['lake/lake.ts', '../worker/handler.ts', true],
  ['lake/lake.ts', '../metric-run/settings.ts', true],
  ['events/publisher.ts', '@aws-sdk/client-sns', false],
  ['events/publisher.ts', '../contract/outgoing-event.ts', false],
  ['events/publisher.ts', '@aws-sdk/client-s3', true],
  ['events/publisher.ts', '../lake/lake.ts', true],
  ['ledger/database.ts', 'pg', false],
  ['ledger/database.ts', 'kysely', false],
  ['ledger/database.ts', '../ingest/index.ts', true],
  ['worker/worker.ts', '@aws-sdk/client-sqs', false],
  ['worker/worker.ts', 'sqs-consumer', false],
  ['worker/worker.ts', '../events/publisher.ts', false],
  ['worker/worker.ts', '../contract/envelope.ts', false],
  ['worker/worker.ts', '../metric-run/index.ts', true],
  ['worker/worker.ts', '../lake/lake.ts', true],
  ['worker/worker.ts', '../config.ts', true],
  ['worker/worker.ts', '../service.ts', true],
  ['worker/worker.ts', '@aws-sdk/client-s3', true],
  ['worker/worker.ts', 'pg', true],
  ['metric-run/handler.ts', '../lake/lake.ts', false],
  ['metric-run/handler.ts', '../worker/handler.ts', false],
  ['metric-run/handler.ts', '../worker/worker.ts', true],
  ['metric-run/handler.ts', '../hot-tier/index.ts', true],
  ['metric-run/handler.ts', '../warm-tier/index.ts', true],
  ['metric-run/handler.ts', '../config.ts', true],
  ['metric-run/handler.ts', '@aws-sdk/client-s3', true],
  ['metric-run/handler.ts', 'apache-arrow', true],
  ['metric-run/expression/lag.ts', '../settings.ts', false],
  ['metric-run/expression/lag.ts', '../../lake/series-batch.ts', false],
  ['metric-run/expression/lag.ts', '../../ingest/index.ts', true],
  ['hot-tier/handler.ts', '../metric-run/index.ts', true],
  ['warm-tier/handler.ts', '../lake/tier-table/cell.ts', false],
  ['warm-tier/handler.ts', '../hot-tier/index.ts', true],
  ['ingest/handler.ts', '../ledger/database.ts', false],
  ['ingest/handler.ts', 'pg', true],
  ['local/resources.ts', '@aws-sdk/client-sqs', false],
  ['local/resources.ts', '../common/clock.ts', false],
  ['local/resources.ts', '../contract/envelope.ts', true],
  ['cli.ts', './cli/send.ts', false],
  ['cli/send.ts', '@aws-sdk/client-sqs', false],
  ['cli/send.ts', '../local/resources.ts', false],
  ['demo/demo.ts', '../local/resources.ts', false],
  ['../test/chaos/check/hot.ts', './facts.ts', false],
  ['../test/chaos/check/hot.ts', '../history.ts', false],
  ['../test/chaos/check/hot.ts', 'node:path', false],
  ['../test/chaos/check/hot.ts', '@duckdb/node-api', false],
  ['../test/chaos/check/hot.ts', '../plan.ts', true],
  ['../test/chaos/check/hot.ts', '../../../src/contract/tier-keys.ts', true],
  ['../test/chaos/check/hot.ts', '../../support/parquet.ts', true],
  ['../test/chaos/check/hot.ts', 'zod', true],
];

/** Ways to write an import, each on a line; each must be seen. */
const FORMS: readonly ((of: string, n: number) => string)[] = [
  (of) => `import '${of}';`,
  (of) => `export * from '${of}';`,
  (of, n) => `import type { A as A${n} } from '${of}'; export type B${n} = A${n};`,
  (of, n) => `export const c${n} = await import('${of}');`,
];

const CODE_CASES: readonly (readonly [at: string, code: string, rule: string | undefined])[] = [
  ['worker/worker.ts', 'export const env = process.env.A;', ENVIRONMENT],
  ['config.ts', 'export const env = process.env.A;', ENVIRONMENT],
  ['service.ts', 'export const env = globalThis.process.env;', ENVIRONMENT],
  ['main.ts', 'export const env = process.env.A;', undefined],
  ['cli/target.ts', 'export const env = process.env.A;', undefined],
  ['worker/worker.ts', 'setTimeout(() => {}, 1);', GLOBALS],
  ['metric-run/handler.ts', 'export const now = performance.now();', GLOBALS],
  ['common/clock.ts', 'setTimeout(() => {}, 1);', undefined],
];

interface Diagnostic {
  readonly category: string;
  readonly location: { readonly path: string; readonly start: { readonly line: number } };
}

/** The modules of the copied tree, line by line: every case has lines of its own. */
const modules = new Map<string, string[]>();
let refusals: ReadonlySet<string>;

function addLine(path: string, line: string): string {
  const lines = modules.get(path) ?? [];
  modules.set(path, lines);
  return `${join('src', path)}:${lines.push(line)}`;
}

const key = (rule: string, place: string) => `${rule} ${place}`;

const importCases = IMPORT_CASES.map(([from, of, refused]) => {
  const places = FORMS.map((form) => addLine(from, form(of, modules.get(from)?.length ?? 0)));
  return { from, of, refused, places };
});
const codeCases = CODE_CASES.map(([at, code, rule]) => ({ at, code, rule, place: addLine(at, code) }));
// A folder that no rule covers would be free to import anything.
const FREE = new Set(['cli', 'demo']);
const folders = readdirSync(join(ROOT, 'src'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !FREE.has(entry.name))
  .map(({ name }) => ({ name, place: addLine(`${name}/any.ts`, `import '../cli.ts';`) }));

/** Lints the modules in a tree of their own, with the project's settings: `rule path:line` of each refusal. */
function lint(): Set<string> {
  const tree = mkdtempSync(join(tmpdir(), 'tidemill-lint-'));
  try {
    copyFileSync(join(ROOT, 'biome.json'), join(tree, 'biome.json'));
    for (const [path, lines] of modules) {
      mkdirSync(dirname(join(tree, 'src', path)), { recursive: true });
      writeFileSync(join(tree, 'src', path), `${lines.join('\n')}\n`);
    }
    const biome = join(ROOT, 'node_modules/@biomejs/biome/bin/biome');
    const options = ['--reporter=json', '--max-diagnostics=none', '--vcs-enabled=false'];
    const run = spawnSync(process.execPath, [biome, 'lint', ...options], { cwd: tree, encoding: 'utf8' });
    const report = run.stdout.split('\n').find((line) => line.startsWith('{')) ?? run.stderr;
    const { diagnostics } = JSON.parse(report) as { diagnostics: readonly Diagnostic[] };
    return new Set(
      diagnostics.map(({ category, location }) => key(category, `${location.path}:${location.start.line}`)),
    );
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

beforeAll(() => {
  refusals = lint();
});

test.each(importCases.filter(({ refused }) => refused))('$from may not import $of', ({ places }) => {
  for (const place of places) expect(refusals).toContain(key(IMPORTS, place));
});

test.each(importCases.filter(({ refused }) => !refused))('$from may import $of', ({ places }) => {
  for (const place of places) expect(refusals).not.toContain(key(IMPORTS, place));
});

test.each(codeCases)('in $at, $code is held to $rule', ({ place, rule }) => {
  const held = [ENVIRONMENT, GLOBALS].filter((each) => refusals.has(key(each, place)));
  expect(held).toEqual(rule === undefined ? [] : [rule]);
});

test.each(folders)('the folder $name has a rule', ({ place }) => {
  expect(refusals).toContain(key(IMPORTS, place));
});
