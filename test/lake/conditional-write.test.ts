/** Conditional writes against a real S3 that fails in every way: who won is never mistaken. */

import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { PUT_ID, type WriteOutcome } from '../../src/lake/conditional-write.ts';
import type { Verdict } from '../../src/local/request-hooks.ts';
import { drop, type Fault, type FaultLake, fail, failureOf, openFaultLake } from './fault-lake.ts';

let rig: FaultLake;

beforeAll(async () => {
  rig = await openFaultLake({ attempts: 2 });
});

afterAll(() => rig.close());

let keys = 0;
const freshKey = () => `key-${++keys}`;

/** Puts an object as another writer would, and returns its ETag. */
async function putByAnother(Key: string, Body: string): Promise<string> {
  const { ETag } = await rig.s3.send(
    new PutObjectCommand({ Bucket: rig.bucket, Key, Body, Metadata: { [PUT_ID]: 'another' } }),
  );
  return ETag!;
}

async function stored(Key: string): Promise<string | undefined> {
  try {
    const { Body } = await rig.s3.send(new GetObjectCommand({ Bucket: rig.bucket, Key }));
    return await Body?.transformToString();
  } catch {
    return undefined;
  }
}

async function etagOf(Key: string): Promise<string> {
  return (await rig.s3.send(new HeadObjectCommand({ Bucket: rig.bucket, Key }))).ETag!;
}

const ours = Buffer.from('ours');

/** How the two kinds of write begin: what is there before, and the write. */
const WRITES = {
  create: async (key: string): Promise<() => Promise<WriteOutcome>> => {
    return () => rig.lake.writer.create(rig.at(key), ours, { contentType: 'text/x-test' });
  },
  replace: async (key: string): Promise<() => Promise<WriteOutcome>> => {
    const etag = await putByAnother(key, 'before');
    return () => rig.lake.writer.replace(rig.at(key), ours, etag, { metadata: { run: 'r1' } });
  },
} as const;

const KINDS = ['create', 'replace'] as const;

/** Lets another writer in at the moment of the fault, once. */
function meanwhile(key: string, act: () => Promise<unknown>, verdict?: Fault['verdict']): Fault['verdict'] {
  return async (request) => {
    if (request.key === key) await act();
    return typeof verdict === 'function' ? await verdict(request) : verdict;
  };
}

describe.each(KINDS)('a %s', (kind) => {
  async function run(...faults: Fault[]): Promise<{ key: string; outcome: WriteOutcome }> {
    const key = freshKey();
    const write = await WRITES[kind](key);
    rig.faults(...faults);
    return { key, outcome: await write() };
  }

  async function failed(...faults: Fault[]): Promise<{ key: string; failure: string }> {
    const key = freshKey();
    const write = await WRITES[kind](key);
    rig.faults(...faults);
    return { key, failure: await failureOf(write()) };
  }

  test('writes once and tells what it wrote', async () => {
    const { key, outcome } = await run();
    expect(outcome).toEqual({ outcome: 'written', etag: await etagOf(key), size: 4 });
    expect(rig.wire()).toEqual(['PutObject 200']);
    const facts = await rig.lake.store.head(rig.at(key));
    expect(facts?.metadata[PUT_ID]).toMatch(/^[0-9a-f]{32}$/);
    if (kind === 'replace') expect(facts?.metadata.run).toBe('r1');
    expect(rig.watched.conflicts).toEqual([]);
  });

  test.each<[string, Fault]>([
    ['a 500', { when: 'after', operation: 'PutObject', verdict: fail(500, 'InternalError') }],
    ['a 503', { when: 'after', operation: 'PutObject', verdict: fail(503, 'SlowDown') }],
    ['a dropped connection', { when: 'after', operation: 'PutObject', verdict: drop }],
    [
      'a connection cut in mid-answer',
      { when: 'after', operation: 'PutObject', verdict: { kind: 'cut', afterBytes: 0 } },
    ],
    [
      'a 500 at every try',
      { when: 'after', operation: 'PutObject', times: 9, verdict: fail(500, 'InternalError') },
    ],
    ['a lost connection at every try', { when: 'after', operation: 'PutObject', times: 9, verdict: drop }],
  ])('that was carried out but answered by %s is written, and no conflict', async (_, fault) => {
    const { key, outcome } = await run(fault);
    expect(outcome).toEqual({ outcome: 'written', etag: await etagOf(key), size: 4 });
    expect(await stored(key)).toBe('ours');
    expect(rig.watched.conflicts).toEqual([]);
  });

  test.each<[string, Fault['verdict']]>([
    ['a 409', fail(409, 'ConditionalRequestConflict')],
    ['a 500', fail(500, 'InternalError')],
    ['a 503', fail(503, 'SlowDown')],
    ['a 429', fail(429, 'TooManyRequests')],
    ['a timeout told by S3', fail(400, 'RequestTimeout')],
    ['an expired token', fail(400, 'ExpiredToken')],
    ['a dropped connection', drop],
  ])('that met %s before it was carried out is tried again', async (_, verdict) => {
    const { key, outcome } = await run({ when: 'before', operation: 'PutObject', times: 2, verdict });
    expect(outcome.outcome).toBe('written');
    expect(await stored(key)).toBe('ours');
    expect(rig.watched.conflicts).toEqual([]);
  });

  test('whose look at the object meets an expired token, which no body names, still settles', async () => {
    const { outcome } = await run(
      { when: 'after', operation: 'PutObject', times: 2, verdict: drop },
      { when: 'before', operation: 'HeadObject', times: 2, verdict: fail(400, 'ExpiredToken') },
    );
    expect(outcome.outcome).toBe('written');
    expect(rig.wire()).toContain('HeadObject 400');
  });

  test('that loses answers of the look at the object too still settles', async () => {
    const { outcome } = await run(
      { when: 'after', operation: 'PutObject', times: 2, verdict: drop },
      { when: 'before', operation: 'HeadObject', times: 3, verdict: fail(500, 'InternalError') },
    );
    expect(outcome.outcome).toBe('written');
  });

  test.each([
    [403, 'AccessDenied'],
    [400, 'InvalidRequest'],
    [404, 'NoSuchBucket'],
    [501, 'NotImplemented'],
  ])('answered %d %s fails for good, and is not tried again', async (status, code) => {
    const verdict = fail(status, code);
    const { key, failure } = await failed({ when: 'before', operation: 'PutObject', times: 9, verdict });
    expect(failure).toBe(
      `InvalidRequestError OUTPUT_WRITE_ERROR: Failed to write s3://${rig.bucket}/${key}: ${code} (HTTP ${status})`,
    );
    expect(rig.watched.requests.length).toBeLessThanOrEqual(2); // The SDK tries a 5xx again.
  });

  test('whose look at the object is refused is a failure to write', async () => {
    const { failure } = await failed(
      { when: 'before', operation: 'PutObject', times: 9, verdict: fail(409, 'ConditionalRequestConflict') },
      { when: 'before', operation: 'HeadObject', times: 9, verdict: fail(403, 'AccessDenied') },
    );
    expect(failure).toMatch(/^InvalidRequestError OUTPUT_WRITE_ERROR: .*403/);
  });

  test('whose signal aborts rejects with the reason, at once and in mid-retry', async () => {
    const key = freshKey();
    const etag = await putByAnother(key, 'before');
    const writing = (signal: AbortSignal) =>
      kind === 'create'
        ? rig.lake.writer.create(rig.at(freshKey()), ours, { signal })
        : rig.lake.writer.replace(rig.at(key), ours, etag, { signal });
    expect(await failureOf(writing(AbortSignal.abort(new Error('told to stop'))))).toBe(
      'Error: told to stop',
    );
    for (const verdict of [fail(500, 'InternalError'), { kind: 'delay', ms: 300 } as const, drop]) {
      const controller = new AbortController();
      rig.faults({
        when: 'before',
        operation: 'PutObject',
        times: 99,
        verdict: async () => {
          controller.abort(new Error('told to stop'));
          return verdict;
        },
      });
      expect(await failureOf(writing(controller.signal))).toBe('Error: told to stop');
    }
  });
});

test('what does not pass in any try is a RetryableError, and nothing is written', async () => {
  const endless: [string, Fault['verdict']][] = [
    ['500', fail(500, 'InternalError')],
    ['503 SlowDown', fail(503, 'SlowDown')],
    ['409 ConditionalRequestConflict', fail(409, 'ConditionalRequestConflict')],
    ['dropped connections', drop],
  ];
  const cases = await Promise.all(
    KINDS.flatMap((kind) =>
      endless.map(async ([name, verdict]) => {
        const key = `endless ${kind} ${name}`;
        return { kind, key, verdict, write: await WRITES[kind](key) };
      }),
    ),
  );
  rig.faults({
    when: 'before',
    operation: 'PutObject',
    times: 999,
    verdict: async ({ key }) => cases.find((one) => one.key === key)?.verdict as Verdict,
  });
  const failures = await Promise.all(cases.map(({ write }) => failureOf(write())));
  for (const [i, { kind, key }] of cases.entries()) {
    expect(failures[i]).toMatch(/^RetryableError OUTPUT_WRITE_ERROR: Failed to write s3:/);
    expect(await stored(key)).toBe(kind === 'create' ? undefined : 'before');
  }
  expect(new Set(rig.watched.retries)).toEqual(new Set(['s3_create', 's3_replace']));
  expect(rig.watched.conflicts).toEqual([]);
});

describe('another writer', () => {
  test('that created the object first is a conflict, with what is there', async () => {
    const key = freshKey();
    const etag = await putByAnother(key, 'theirs');
    rig.faults();
    const outcome = await rig.lake.writer.create(rig.at(key), ours);
    expect(outcome).toMatchObject({
      outcome: 'conflict',
      found: { etag, size: 6, metadata: { [PUT_ID]: 'another' } },
    });
    expect(rig.wire()).toEqual(['PutObject 412', 'HeadObject 200']);
    expect(rig.watched.conflicts).toEqual(['create']);
    expect(await stored(key)).toBe('theirs');
  });

  test('that created the same bytes is a conflict all the same', async () => {
    const key = freshKey();
    await putByAnother(key, 'ours');
    expect((await rig.lake.writer.create(rig.at(key), ours)).outcome).toBe('conflict');
  });

  test('that replaced the object first is a conflict, with what is there', async () => {
    const key = freshKey();
    const old = await putByAnother(key, 'before');
    const etag = await putByAnother(key, 'theirs');
    rig.faults();
    const outcome = await rig.lake.writer.replace(rig.at(key), ours, old);
    expect(outcome).toMatchObject({ outcome: 'conflict', found: { etag, size: 6 } });
    expect(rig.wire()).toEqual(['PutObject 412', 'HeadObject 200']);
    expect(rig.watched.conflicts).toEqual(['replace']);
    expect(await stored(key)).toBe('theirs');
  });

  test('that deleted the object is a conflict in which nothing is found', async () => {
    const key = freshKey();
    const old = await putByAnother(key, 'before');
    await rig.s3.send(new DeleteObjectCommand({ Bucket: rig.bucket, Key: key }));
    rig.faults();
    expect(await rig.lake.writer.replace(rig.at(key), ours, old)).toEqual({
      outcome: 'conflict',
      found: undefined,
    });
    expect(rig.wire()).toEqual(['PutObject 404', 'HeadObject 404']);
    expect(await stored(key)).toBeUndefined();
  });

  test.each(KINDS)('that comes between a 409 and the next try of a %s is a conflict', async (kind) => {
    const key = freshKey();
    const write = await WRITES[kind](key);
    const act = () => putByAnother(key, 'theirs');
    const verdict = meanwhile(key, act, fail(409, 'ConditionalRequestConflict'));
    rig.faults({ when: 'before', operation: 'PutObject', verdict });
    expect((await write()).outcome).toBe('conflict');
    expect(await stored(key)).toBe('theirs');
  });

  test.each(KINDS)(
    'that comes between a lost answer before the %s and its next try is a conflict',
    async (kind) => {
      const key = freshKey();
      const write = await WRITES[kind](key);
      const act = () => putByAnother(key, 'theirs');
      rig.faults({ when: 'before', operation: 'PutObject', verdict: meanwhile(key, act, drop) });
      expect((await write()).outcome).toBe('conflict');
      expect(await stored(key)).toBe('theirs');
    },
  );

  test('that deletes what a create left, between its lost answer and its next try, does not stop it', async () => {
    const key = freshKey();
    const act = () => rig.s3.send(new DeleteObjectCommand({ Bucket: rig.bucket, Key: key }));
    rig.faults({ when: 'after', operation: 'PutObject', verdict: meanwhile(key, act, drop) });
    expect((await rig.lake.writer.create(rig.at(key), ours)).outcome).toBe('written');
    expect(await stored(key)).toBe('ours');
  });
});

/** Loses a third of the answers, before and after the write, by the count of requests. */
function unreliable(): Fault[] {
  let count = 0;
  const some = (verdicts: readonly (Fault['verdict'] | undefined)[]): Fault['verdict'] => {
    return async (request) => {
      const verdict = verdicts[count++ % verdicts.length];
      return typeof verdict === 'function' ? await verdict(request) : verdict;
    };
  };
  const before = [undefined, fail(500, 'InternalError'), undefined, drop, undefined, undefined];
  const after = [drop, undefined, undefined, fail(502, 'BadGateway'), undefined];
  return [
    { when: 'before', operation: 'PutObject', times: 9_999, verdict: some(before) },
    { when: 'after', operation: 'PutObject', times: 9_999, verdict: some(after) },
  ];
}

test('of many creators exactly one wins, whatever answers are lost, and it is the one whose bytes are there', async () => {
  rig.faults(...unreliable());
  for (let round = 0; round < 6; round++) {
    const key = freshKey();
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, (_, writer) =>
        rig.lake.writer.create(rig.at(key), Buffer.from(`writer ${writer}`)),
      ),
    );
    const winners = outcomes.flatMap(({ outcome }, writer) => (outcome === 'written' ? [writer] : []));
    expect(winners).toHaveLength(1);
    expect(await stored(key)).toBe(`writer ${winners[0]}`);
  }
});

test('no update is lost by writers that compare and set, whatever answers are lost', async () => {
  const key = freshKey();
  await putByAnother(key, '[]');
  rig.faults(...unreliable());
  const add = async (writer: number) => {
    for (;;) {
      const found = (await rig.lake.store.get(rig.at(key)))!;
      const list = JSON.parse(Buffer.from(found.bytes).toString()) as number[];
      // A write that landed, was not heard of, and was then replaced is told as a conflict.
      if (list.includes(writer)) return;
      const next = Buffer.from(JSON.stringify([...list, writer]));
      if ((await rig.lake.writer.replace(rig.at(key), next, found.etag)).outcome === 'written') return;
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, writer) => add(writer)));
  const list = JSON.parse((await stored(key))!) as number[];
  expect(list.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});
