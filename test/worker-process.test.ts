/**
 * How the worker's process ends. STARTS says how often it is started and stopped (60 to look for what is
 * rare: process.exit() with a compile cache hung in 6 of 200).
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { environment } from '../src/local/resources.ts';
import { plainRequest } from './support/metric-requests.ts';
import { openRig, type Rig } from './support/rig.ts';
import type { Scene } from './support/scene.ts';
import { launch } from './support/worker-process.ts';

const PACKAGE = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'));
const STARTS = Number(process.env.STARTS ?? 3);
const AT_ONCE = 3;

let rig: Rig;
let scene: Scene;

beforeAll(async () => {
  rig = await openRig();
  scene = await rig.scene();
});
afterAll(() => rig.close());

test(
  'a worker that is told to stop ends by itself, with code 0, after a run and without one',
  async () => {
    await scene.dataset('d', { A: [[0, 1]], B: [[0, 2]] });
    let started = 0;
    const lane = async () => {
      for (let n = started++; n < STARTS; n = started++) {
        // Who stops just when SQS hands it a run keeps it for as long as this.
        const worker = await scene.worker({ WORKER_VISIBILITY_TIMEOUT_SECONDS: '3' });
        if (n % 3 === 0) {
          const runId = `run-${n}`;
          await scene.send(plainRequest({ runId, metricCode: runId }));
          await scene.events.completed(runId);
        }
        expect(await worker.stop()).toEqual({ code: 0, signal: null });
        expect(worker.log.map(({ msg }) => msg)).toContain('stopped');
        expect(worker.log.map(({ msg }) => msg)).not.toContain('something kept the process');
        expect(worker.complaints()).toBe('');
      }
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, STARTS) }, lane));
  },
  30_000 + STARTS * 5_000,
);

test('a second signal ends it at once, with code 130', async () => {
  const hold = scene.traffic.hold({ operation: 'PutObject', key: /metrics\.parquet$/ });
  const worker = await scene.worker();
  await scene.send(plainRequest({ runId: 'held', metricCode: 'held' }));
  await hold.come(1);
  worker.signal('SIGTERM');
  await worker.logged('asked to stop');
  worker.signal('SIGTERM');
  expect(await worker.exit).toEqual({ code: 130, signal: null });
  hold.release();
});

test('a signal that comes while it loads its modules ends it with code 0, before it has begun anything', async () => {
  // Sends it as soon as anything listens for it.
  const preload = `
    process.on('newListener', (name) => {
      if (name === 'SIGTERM') process.nextTick(() => process.kill(process.pid, name));
    });`;
  const worker = launch('early', {
    ...environment(scene.resources),
    NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(preload)}`,
  });
  expect(await worker.exit).toEqual({ code: 0, signal: null });
  expect(worker.log).toEqual([]);
  expect(worker.complaints()).toBe('');
});

test('under a Node that is too old it says so and ends with code 1, before it has loaded what that lacks', async () => {
  const preload = "Object.defineProperty(process.versions, 'node', { value: '20.20.2' })";
  const worker = launch('old', {
    ...environment(scene.resources),
    NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(preload)}`,
  });
  expect(await worker.exit).toEqual({ code: 1, signal: null });
  const [, needed] = /^>=(\d+)$/.exec(PACKAGE.engines.node)!;
  expect(worker.complaints()).toContain(`tidemill needs Node ${needed} or later`);
});
