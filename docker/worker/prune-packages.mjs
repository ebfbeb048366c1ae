// Removes from node_modules what Node never loads in production: `node prune-packages.mjs`, in the folder
// that holds it. What is removed by name must be there, so that a package that changed its layout stops
// the build instead of growing the image; check-imports.mjs then loads all that is left to be loaded.

import { globSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';

const ROOT = 'node_modules';

/** Node runs no TypeScript below node_modules, and nobody reads source maps or manuals of packages there. */
const UNUSED_FILE = /\.(?:[cm]?ts|map|md|markdown|flow)$/;
const KEPT_FILE = /^(?:licen[cs]e|notice|copying)/i;

/** Builds for bundlers, browsers and other module systems than the one Node chooses; tests and manuals. */
const UNUSED_PATHS = [
  '.bin',
  // Node takes `dist-cjs`: it is their `main`, and the first of `exports` that names node.
  '@aws-sdk/*/{dist-es,dist-types}',
  '@smithy/*/{dist-es,dist-types}',
  'apache-arrow/{src,bin,Arrow.es*.min.js,Arrow.externs.*.min.js}',
  'apache-arrow/node_modules/@types',
  'bintrees/{test,examples}',
  'csv-parse/dist/{iife,umd}',
  'parquet-wasm/{bundler,esm}',
  'pino/{test,docs,benchmarks,examples}',
  'piscina/{src,test,test-jest,docs,benchmark}',
  'thread-stream/test',
  'zod/src',
];

const remove = (path) => rmSync(join(ROOT, path), { recursive: true });

for (const pattern of UNUSED_PATHS) {
  const paths = globSync(pattern, { cwd: ROOT });
  if (paths.length === 0) throw new Error(`nothing is at ${ROOT}/${pattern}: see what replaced it`);
  for (const path of paths) remove(path);
}
for (const path of globSync('**/*', { cwd: ROOT })) {
  const name = basename(path);
  if (!UNUSED_FILE.test(name) || KEPT_FILE.test(name)) continue;
  if (statSync(join(ROOT, path)).isFile()) remove(path);
}
