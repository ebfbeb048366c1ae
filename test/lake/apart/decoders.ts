/** Decoder threads at work in a process of its own: what came of each series, as plain data. */

import type { Worker } from 'node:worker_threads';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { systemClock } from '../../../src/common/clock.ts';
import { createDecoderThreads, type DecoderThreads } from '../../../src/lake/decoder-threads.ts';
import { openObject } from '../../../src/lake/random-access.ts';
import type { SeriesSource } from '../../../src/lake/series-batch.ts';
import type { Verdict } from '../../../src/local/request-hooks.ts';
import type { Row } from '../../support/conformance-cases.ts';
import { drained } from '../../support/series-sources.ts';
import { drop, type FaultLake, fail, openFaultLake } from '../fault-lake.ts';
import { doubles, handmadeParquet, longs, TIME, VALUE } from '../handmade-parquet.ts';

const S3 = { region: 'us-east-1', forcePathStyle: true, connectTimeoutMs: 1_000, idleTimeoutMs: 5_000 };

interface Stage {
  readonly rig: FaultLake;
  readonly decoders: DecoderThreads;
  /** Every thread that was started, in order. */
  readonly threads: Worker[];
  /** What the threads' lakes told, as `GetObject 206` and `retry s3_read_body`. */
  readonly told: string[];
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** The series in an object, decoded in a thread. */
  open(key: string, signal?: AbortSignal): Promise<SeriesSource>;
}

const never = new AbortController().signal;

async function onStage<T>(work: (stage: Stage) => Promise<T>): Promise<T> {
  const threads: Worker[] = [];
  process.on('worker', (thread) => void threads.push(thread));
  const rig = await openFaultLake({ attempts: 2 });
  const told: string[] = [];
  const decoders = createDecoderThreads(
    { s3: S3 },
    {
      request: ({ operation, status }) => void told.push(`${operation} ${status}`),
      conflict: (operation) => void told.push(`conflict ${operation}`),
      retry: (operation) => void told.push(`retry ${operation}`),
    },
  );
  try {
    return await work({
      rig,
      decoders,
      threads,
      told,
      put: async (Key, Body) => {
        await rig.s3.send(new PutObjectCommand({ Bucket: rig.bucket, Key, Body }));
      },
      async open(key, signal = never) {
        const location = rig.at(key);
        // No more than the footer comes with the opening.
        const { etag, size, tail } = await openObject(rig.lake.store, location, { tailBytes: 8 });
        const file = { kind: 's3', location, etag, size, tail } as const;
        return decoders.open([{ file, named: true }], 'A', signal);
      },
    });
  } finally {
    await decoders.close();
    await rig.close();
  }
}

/** A file of many row groups of 100 rows. */
function fileOf(groups: number): Uint8Array {
  return handmadeParquet(
    [TIME, VALUE],
    Array.from({ length: groups }, (_, g) => {
      const numbers = Array.from({ length: 100 }, (_, i) => g * 100 + i);
      const statistics = { min: longs(g * 100), max: longs(g * 100 + 99) };
      const chunks = {
        obs_time: { data: longs(...numbers), statistics },
        value: { data: doubles(...numbers) },
      };
      return { rows: 100, chunks };
    }),
  );
}

const messageOf = (error: unknown) => {
  const { name, code, message } = error as { name: string; code?: string; message: string };
  return `${name} ${code ?? ''}: ${message}`;
};

function failure(work: Promise<unknown>): Promise<string> {
  return work.then(() => 'no error', messageOf);
}

const rowsAreRight = (rows: readonly Row[], count: number) =>
  rows.length === count && rows.every(([time, value], i) => time === i && value === i);

/** Several series at once, then one more. */
export function atOnce() {
  return onStage(async ({ put, open, threads, told, rig }) => {
    await put('a', fileOf(40));
    let seen = 0;
    const sources = await Promise.all([open('a'), open('a'), open('a')]);
    rig.faults({
      when: 'before',
      operation: 'GetObject',
      times: 999,
      verdict: async () => {
        seen++;
        return undefined;
      },
    });
    const rows = await Promise.all(sources.map(drained));
    const counted = { told: told.length, seen };
    const again = await drained(await open('a'));
    return {
      right: [...rows, again].map((list) => rowsAreRight(list, 4_000)),
      threads: threads.length,
      counted,
    };
  });
}

/** A series whose bytes broke off twice on their way. */
export function brokenOff() {
  return onStage(async ({ put, open, told, rig }) => {
    await put('a', fileOf(3));
    const cut: Verdict = { kind: 'cut', afterBytes: 4 };
    const source = await withheld(
      rig,
      () => open('a'),
      () => rig.faults({ when: 'after', operation: 'GetObject', times: 2, verdict: cut }),
    );
    const rows = await drained(source);
    return { right: rowsAreRight(rows, 300), retries: told.filter((one) => one.startsWith('retry')) };
  });
}

/** Series that can not be read, one after the other, and a good one after each. */
export function failures() {
  return onStage(async ({ put, open, rig, threads }) => {
    const good = fileOf(3);
    await put('good', good);
    const wrong: Record<string, string> = {};
    const afterwards: boolean[] = [];
    const answer = (verdict: ReturnType<typeof fail>) => () =>
      rig.faults({ when: 'before', operation: 'GetObject', times: 99, verdict });
    await put('broken', good.slice().fill(0xff, 4, 60));
    wrong.broken = await failure(drained(await open('broken')));
    for (const [name, verdict] of Object.entries({
      forbidden: fail(403, 'AccessDenied'),
      failing: fail(500, 'InternalError'),
      dropping: drop,
    })) {
      const source = await withheld(rig, () => open('good'), answer(verdict));
      wrong[name] = await failure(drained(source));
      rig.faults();
      afterwards.push(rowsAreRight(await drained(await open('good')), 300));
    }
    await put('changing', good);
    const changing = await withheld(
      rig,
      () => open('changing'),
      () => put('changing', fileOf(4)),
    );
    wrong.changed = await failure(drained(changing));
    await put('going', good);
    const going = await withheld(
      rig,
      () => open('going'),
      async () => {
        await rig.s3.send(new DeleteObjectCommand({ Bucket: rig.bucket, Key: 'going' }));
      },
    );
    wrong.deleted = await failure(drained(going));
    rig.faults();
    afterwards.push(rowsAreRight(await drained(await open('good')), 300));
    return { wrong, afterwards, threads: threads.length };
  });
}

/** Opens a source whose first read waits until `then` is done. */
async function withheld(
  rig: FaultLake,
  opening: () => Promise<SeriesSource>,
  then: () => Promise<void> | void,
): Promise<SeriesSource> {
  const ready = Promise.withResolvers<void>();
  let opened = false;
  rig.faults({
    when: 'before',
    operation: 'GetObject',
    times: 99,
    verdict: async () => {
      if (opened) await ready.promise;
      return undefined;
    },
  });
  const source = await opening();
  opened = true;
  await then();
  ready.resolve();
  return source;
}

/** Sources that are left, at every point, each followed by a series that is read whole. */
export function leaving() {
  return onStage(async ({ put, open, threads, rig }) => {
    await put('long', fileOf(120));
    await put('short', fileOf(2));
    const outcomes: Record<string, unknown> = {};
    const goesOn = async () => rowsAreRight(await drained(await open('short')), 200);

    const closing = async (name: string, batches: number) => {
      const source = await open('long');
      for (let i = 0; i < batches; i++) await source.next();
      await source.close();
      await source.close();
      outcomes[name] = await goesOn();
    };
    await closing('closed at once', 0);
    await closing('closed after a batch', 1);
    await closing('closed after many batches', 50);

    const controller = new AbortController();
    const source = await open('long', controller.signal);
    await source.next();
    controller.abort(new Error('told to stop'));
    outcomes['aborted midway'] = await failure(source.next());
    outcomes['aborted for good'] = await failure(source.next());
    await source.close();
    outcomes['after an abort'] = await goesOn();

    const early = await open('long', AbortSignal.abort(new Error('too early')));
    outcomes['aborted before'] = await failure(early.next());
    await early.close();
    outcomes['after an early abort'] = await goesOn();

    // Nothing comes while S3 is silent.
    const release = Promise.withResolvers<void>();
    const waiting = await open('long');
    for (let i = 0; i < 3; i++) await waiting.next();
    rig.faults({
      when: 'before',
      operation: 'GetObject',
      times: 999,
      verdict: async () => {
        await release.promise;
        return undefined;
      },
    });
    const pending = failure(
      (async () => {
        for (;;) if ((await waiting.next()) === undefined) return;
      })(),
    );
    await systemClock.sleep(200);
    await waiting.close();
    release.resolve();
    rig.faults();
    outcomes['closed while a pull waits'] = await pending;
    outcomes['after that'] = await goesOn();
    return { outcomes, threads: threads.length };
  });
}

/** How far a decoder reads on while nobody takes its batches. */
export function backpressure() {
  return onStage(async ({ put, open, rig }) => {
    await put('long', fileOf(120));
    let seen = 0;
    const source = await open('long');
    rig.faults({
      when: 'before',
      operation: 'GetObject',
      times: 9_999,
      verdict: async () => {
        seen++;
        return undefined;
      },
    });
    await systemClock.sleep(500);
    const untaken = seen;
    const first = await source.next();
    for (let i = 0; i < 10; i++) await source.next();
    await systemClock.sleep(300);
    const afterEleven = seen;
    const rest = await drained(source);
    return { untaken, afterEleven, all: seen, rows: rest.length + 11 * (first?.times.length ?? 0) };
  });
}

/** Threads that die: at work, while they are idle, and all at once. */
export function deaths() {
  return onStage(async ({ put, open, threads, decoders }) => {
    await put('long', fileOf(120));
    const outcomes: Record<string, unknown> = {};
    const goesOn = async () => (await drained(await open('long'))).length;

    const source = await open('long');
    await source.next();
    await threads[0]?.terminate();
    outcomes['died at work'] = await failure(
      (async () => {
        for (;;) if ((await source.next()) === undefined) return;
      })(),
    );
    await source.close();
    outcomes['after a death'] = await goesOn();
    outcomes['idle error'] = threads.at(-1)?.emit('error', new Error('a late fault'));
    await threads.at(-1)?.terminate();
    outcomes['after an idle death'] = await goesOn();

    const orphan = await open('long');
    await orphan.next();
    await decoders.close();
    outcomes['closed under it'] = await failure(
      (async () => {
        for (;;) if ((await orphan.next()) === undefined) return;
      })(),
    );
    await orphan.close();
    outcomes['after closing'] = await goesOn();
    return { outcomes, threads: threads.length };
  });
}
