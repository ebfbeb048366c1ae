/**
 * What is measured, and what measures: both are built first. Sources that are compiled as they load take 17 MiB in
 * each thread, and nothing that a side does not use itself may be in its process.
 */

import { existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { builtFrom } from '../support/built.ts';
import { MODULES } from './modules.ts';

/** The dist folder of a checkout, an older one perhaps, that has not all of the modules. */
export function buildFor(root: string): Promise<string> {
  return builtFrom(
    root,
    MODULES.filter((path) => existsSync(join(root, 'src', path))),
  );
}

/** Builds what runs a side, each case's parts in files of their own, into a new folder; returns the script to start. */
export async function buildSides(root: string): Promise<string> {
  const cache = join(root, 'node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const outdir = mkdtempSync(join(cache, 'tidemill-bench-'));
  await build({
    entryPoints: [join(import.meta.dirname, 'side-process.ts')],
    outdir,
    bundle: true,
    splitting: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node24',
    logLevel: 'warning',
  });
  return join(outdir, 'side-process.js');
}
