/** The worker's image, looked at from outside and within: size, rights, labels, and what is not in it. */

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { StartedTestContainer } from 'testcontainers';
import { inspectImage, noEngine } from './engine.ts';
import { BASE_IMAGE, buildWorkerImage, COMMIT, startShell, WORKER_IMAGE } from './images.ts';

const MEGABYTE = 1_000_000;
const MOST_ADDED = 120 * MEGABYTE;

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  readonly devDependencies: Readonly<Record<string, string>>;
};

const onEngine = noEngine === undefined ? describe : describe.skip;

onEngine("the worker's image", () => {
  let shell: StartedTestContainer;
  const run = async (script: string) => (await shell.exec(['sh', '-c', script])).output.trim();

  beforeAll(async () => {
    await buildWorkerImage();
    shell = await startShell();
  });

  afterAll(async () => {
    await shell?.stop({ timeout: 0 });
  });

  test('adds at most 120 MB to its base image', async () => {
    const [image, base] = await Promise.all([inspectImage(WORKER_IMAGE), inspectImage(BASE_IMAGE)]);
    const added = image.Size - base.Size;
    process.stderr.write(`the image adds ${(added / MEGABYTE).toFixed(1)} MB to ${BASE_IMAGE}\n`);
    expect(added).toBeLessThanOrEqual(MOST_ADDED);
  });

  test('runs node itself, as a user without rights, with a health check', async () => {
    const { Config } = await inspectImage(WORKER_IMAGE);
    expect(Config).toMatchObject({ User: 'node', Cmd: ['node', 'dist/main.js'] });
    expect(Config.Entrypoint ?? []).not.toContain('/bin/sh');
    const { Test = [] } = (Config as { Healthcheck?: { Test?: string[] } }).Healthcheck ?? {};
    expect(Test.slice(0, 3)).toEqual(['CMD', 'node', '-e']);
    expect(await run('whoami')).toBe('node');
  });

  test('says which commit it is of', async () => {
    const { Config } = await inspectImage(WORKER_IMAGE);
    expect(Config.Env).toContain(`TIDEMILL_COMMIT=${COMMIT}`);
    expect(Config.Labels).toMatchObject({
      'org.opencontainers.image.title': 'tidemill',
      'org.opencontainers.image.licenses': 'Apache-2.0',
      'org.opencontainers.image.revision': COMMIT,
    });
  });

  test('holds no package of development, no TypeScript and nothing its user may change', async () => {
    const installed = await run('ls node_modules; ls -d node_modules/@*/* | cut -d/ -f2-');
    const dev = new Set(Object.keys(manifest.devDependencies));
    // Of the types that come with development some come with production too, empty of code.
    const unwanted = installed.split(/\s+/).filter((name) => dev.has(name) && !/types$/.test(name));
    expect(unwanted).toEqual([]);
    expect(await run("find . -name '*.ts' -o -name '.env*' -o -name .git | head")).toBe('');
    expect(await run('find . -writable | head')).toBe('');
  });
});
