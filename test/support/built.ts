/** The worker as it is shipped: what tests start as processes is the build, which starts faster than its sources. */

import { createHash } from 'node:crypto';
import { existsSync, globSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../src/common/clock.ts';

const ROOT = join(import.meta.dirname, '../..');
/** A build that is older is made again when it is wanted. */
const KEPT_MS = 86_400_000;
const INPUTS = ['src/**/*.ts', 'package.json', 'package-lock.json', '.ci/build.ts'];

/** Tells sources apart, whatever they were built at. */
async function digestOf(root: string, more: readonly string[]): Promise<string> {
  const paths = globSync(INPUTS, { cwd: root }).sort();
  // It is this checkout's build that is run, whichever sources it is run on.
  const hash = createHash('sha256').update(more.join('\n'));
  hash.update(await readFile(join(ROOT, '.ci/build.ts')));
  for (const path of paths)
    hash
      .update(`${path}\n`)
      .update(await readFile(join(root, path)))
      .update('\n');
  return hash.digest('hex').slice(0, 16);
}

/**
 * The dist folder of the sources below `root`, which is built unless it was before: what is at hand is told
 * by the sources' digest, so that processes and checkouts may share it.
 *
 * @param more modules below src that are to be files of their own too; default none
 */
export async function builtFrom(root: string, more: readonly string[] = []): Promise<string> {
  const store = join(root, 'node_modules/.cache/tidemill');
  const place = join(store, await digestOf(root, more));
  const dist = join(place, 'dist');
  if (existsSync(dist)) return dist;
  await mkdir(store, { recursive: true });
  await removeOld(store);
  const fresh = await mkdtemp(join(store, 'building-'));
  const { build } = await import('../../.ci/build.ts');
  await build(root, join(fresh, 'dist'), more);
  await cp(join(root, 'package.json'), join(fresh, 'package.json'));
  // Another process may have been first.
  await rename(fresh, place).catch(() => rm(fresh, { recursive: true }));
  return dist;
}

async function removeOld(store: string): Promise<void> {
  for (const name of await readdir(store)) {
    const path = join(store, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
    if (systemClock.now() - mtimeMs > KEPT_MS) await rm(path, { recursive: true, force: true });
  }
}

/** The dist folder of these sources. jest.config.js has it built before the first suite. */
export const DIST = process.env.TIDEMILL_TEST_DIST ?? (await builtFrom(ROOT));
