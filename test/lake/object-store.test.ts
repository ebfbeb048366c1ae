/** Reading, listing and deleting objects on a real S3 that fails: what is tried again, and what is told. */

import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { openLake } from '../../src/lake/lake.ts';
import { listAll, MAX_WHOLE_BYTES, type StoredObject } from '../../src/lake/object-store.ts';
import { openObject } from '../../src/lake/random-access.ts';
import { drop, type FaultLake, fail, failureOf, openFaultLake } from './fault-lake.ts';
import { type Answer, startStallingS3 } from './stalling-s3.ts';

let rig: FaultLake;

beforeAll(async () => {
  rig = await openFaultLake({ attempts: 2 });
  await put('digits', '0123456789');
});

afterAll(() => rig.close());

async function put(Key: string, Body: string | Uint8Array): Promise<string> {
  const { ETag } = await rig.s3.send(
    new PutObjectCommand({ Bucket: rig.bucket, Key, Body: Buffer.from(Body), Metadata: { who: 'a test' } }),
  );
  return ETag!;
}

const remove = (Key: string) => rig.s3.send(new DeleteObjectCommand({ Bucket: rig.bucket, Key }));
const textOf = (object: StoredObject | undefined) =>
  object === undefined ? undefined : Buffer.from(object.bytes).toString();
const digits = () => rig.at('digits');

test('a lake that is held to buckets sends nothing to another, whatever names it', async () => {
  const settings = {
    region: 'us-east-1',
    forcePathStyle: true,
    connectTimeoutMs: 1_000,
    idleTimeoutMs: 1_000,
  };
  const sent: string[] = [];
  const observer = { request: () => void sent.push('a request'), conflict() {}, retry() {} };
  const lake = openLake({ ...settings, buckets: [rig.bucket] }, systemClock, observer);
  try {
    const location = { bucket: 'secret-lake', key: 'k' };
    const refusal = 'InvalidRequestError CONFIG_ERROR: the bucket "secret-lake" may not be reached';
    const upload = lake.openUpload(location, {});
    await upload.write(Buffer.from('x'));
    for (const work of [
      () => lake.store.get(location),
      () => lake.store.getRange(location, { suffix: 1 }),
      () => lake.store.head(location),
      () => lake.store.list(location),
      () => lake.store.delete(location),
      () => lake.writer.create(location, Buffer.from('x')),
      () => lake.writer.replace(location, Buffer.from('x'), '"etag"'),
      () => lake.checkBucket('secret-lake', new AbortController().signal),
      () => upload.finish(),
    ]) {
      expect(await failureOf(work())).toBe(refusal);
    }
    await upload.abort();
    expect(sent).toEqual([]);
    expect(textOf(await lake.store.get(digits()))).toBe('0123456789');
  } finally {
    lake.close();
  }
});

describe('an object', () => {
  test('is read whole, with what S3 says of it', async () => {
    rig.faults();
    const etag = await put('whole', 'abc');
    const object = (await rig.lake.store.get(rig.at('whole')))!;
    expect(textOf(object)).toBe('abc');
    expect(object).toMatchObject({ etag, size: 3, metadata: { who: 'a test' } });
    expect(Math.abs(object.lastModified! - Date.now())).toBeLessThan(60_000);
    const { bytes, ...facts } = object;
    expect(await rig.lake.store.head(rig.at('whole'))).toEqual(facts);
    expect(bytes).not.toBeInstanceOf(Buffer);
  });

  test.each([
    [{ start: 0, end: 10 }, '0123456789'],
    [{ start: 2, end: 5 }, '234'],
    [{ start: 9, end: 10 }, '9'],
    [{ start: 8, end: 100 }, '89'],
    [{ suffix: 3 }, '789'],
    [{ suffix: 10 }, '0123456789'],
    [{ suffix: 1_000 }, '0123456789'],
  ])('is read in part: %j', async (range, text) => {
    const object = await rig.lake.store.getRange(digits(), range);
    expect(textOf(object)).toBe(text);
    expect(object?.size).toBe(10);
  });

  test('of more bytes than may be taken into memory is refused before its body comes, and not tried again', async () => {
    const before = rig.lake.store.get(digits(), { maxBytes: 10 });
    expect(textOf(await before)).toBe('0123456789');
    expect(await failureOf(rig.lake.store.get(digits(), { maxBytes: 9 }))).toBe(
      `InvalidRequestError INPUT_READ_ERROR: Failed to read s3://${rig.bucket}/digits: it has 10 bytes, and 9 are allowed`,
    );
    expect(MAX_WHOLE_BYTES).toBe(64 * 1024 * 1024);
  });

  test('has no bytes past its end', async () => {
    expect(await failureOf(rig.lake.store.getRange(digits(), { start: 10, end: 12 }))).toBe(
      `InvalidRequestError INPUT_READ_ERROR: Failed to read s3://${rig.bucket}/digits: InvalidRange (HTTP 416)`,
    );
  });

  test('of an object without bytes is none of them', async () => {
    await put('nothing', '');
    const whole = await rig.lake.store.get(rig.at('nothing'));
    expect([whole?.size, whole?.bytes.length]).toEqual([0, 0]);
    for (const range of [{ suffix: 5 }, { start: 0, end: 5 }]) {
      expect(await rig.lake.store.getRange(rig.at('nothing'), range)).toEqual(whole);
    }
  });

  test('with odd characters in its key is found', async () => {
    const key = 'a b/ü+%2F/&=?#/..x/日本';
    await put(key, 'odd');
    expect(textOf(await rig.lake.store.get(rig.at(key)))).toBe('odd');
  });

  test('that is not there is undefined, to every way of reading it', async () => {
    const { store } = rig.lake;
    const nowhere = rig.at('nowhere');
    expect(await store.get(nowhere)).toBeUndefined();
    expect(await store.getRange(nowhere, { suffix: 5 })).toBeUndefined();
    expect(await store.head(nowhere)).toBeUndefined();
    await store.delete(nowhere);
  });

  test('in a bucket that is not there is an error', async () => {
    const location = { bucket: 'no-such-bucket', key: 'k' };
    const { store } = rig.lake;
    const nameless = 's3://no-such-bucket/k: NoSuchBucket (HTTP 404)';
    expect(await failureOf(store.get(location))).toBe(
      `InvalidRequestError INPUT_READ_ERROR: Failed to read ${nameless}`,
    );
    expect(await failureOf(store.list(location))).toBe(
      `InvalidRequestError INPUT_READ_ERROR: Failed to list ${nameless}`,
    );
  });

  test('is pinned to its ETag', async () => {
    const etag = await put('pinned', 'first');
    const pinned = rig.at('pinned');
    expect(textOf(await rig.lake.store.get(pinned, { etag }))).toBe('first');
    await put('pinned', 'second');
    expect(await failureOf(rig.lake.store.getRange(pinned, { suffix: 2 }, { etag }))).toBe(
      `RetryableError INPUT_READ_ERROR: s3://${rig.bucket}/pinned changed while it was being read`,
    );
    await remove('pinned');
    expect(await rig.lake.store.get(pinned, { etag })).toBeUndefined();
  });
});

const READS = ['get', 'getRange', 'head', 'list'] as const;
const OPERATIONS = { get: 'GetObject', getRange: 'GetObject', head: 'HeadObject', list: 'ListObjectsV2' };

function reading(read: (typeof READS)[number], signal?: AbortSignal): Promise<unknown> {
  const { store } = rig.lake;
  if (read === 'getRange') return store.getRange(digits(), { start: 1, end: 3 }, { signal });
  if (read === 'list') return store.list(digits(), { signal });
  return store[read](digits(), { signal });
}

describe.each(READS)('a %s', (read) => {
  const operation = OPERATIONS[read];

  test.each([
    ['a 500', fail(500, 'InternalError')],
    ['a 503', fail(503, 'SlowDown')],
    ['a dropped connection', drop],
  ])('that met %s once is tried again', async (_, verdict) => {
    rig.faults({ when: 'before', operation, verdict });
    await reading(read);
    expect(rig.wire()).toHaveLength(2);
    expect(rig.wire()[1]).toMatch(/ 20[06]$/);
  });

  test.each([
    ['RetryableError', 'a 500', fail(500, 'InternalError'), '500'],
    ['RetryableError', 'a 503', fail(503, 'SlowDown'), '503'],
    ['RetryableError', 'a 429', fail(429, 'TooManyRequests'), '429'],
    ['RetryableError', 'a dropped connection', drop, 'error'],
    ['InvalidRequestError', 'a 403', fail(403, 'AccessDenied'), '403'],
    ['InvalidRequestError', 'a 405', fail(405, 'MethodNotAllowed'), '405'],
  ])('is a %s when %s comes every time', async (kind, _, verdict, status) => {
    rig.faults({ when: 'before', operation, times: 99, verdict });
    const failure = await failureOf(reading(read));
    expect(failure).toMatch(
      new RegExp(`^${kind} INPUT_READ_ERROR: Failed to (read|list) s3://${rig.bucket}/digits: `),
    );
    expect(new Set(rig.wire())).toEqual(new Set([`${operation} ${status}`]));
    expect(rig.wire()).toHaveLength(kind === 'RetryableError' ? 2 : 1);
  });

  test('rejects with the reason of its signal, before it and while it waits', async () => {
    const reason = new Error('told to stop');
    rig.faults();
    expect(await failureOf(reading(read, AbortSignal.abort(reason)))).toBe('Error: told to stop');
    expect(rig.wire()).toEqual([]);
    const controller = new AbortController();
    rig.faults({
      when: 'before',
      operation,
      verdict: async () => {
        controller.abort(reason);
        return { kind: 'delay', ms: 100 };
      },
    });
    expect(await failureOf(reading(read, controller.signal))).toBe('Error: told to stop');
  });
});

describe('a body', () => {
  test('that breaks off is read again', async () => {
    rig.faults({ when: 'after', operation: 'GetObject', times: 3, verdict: { kind: 'cut', afterBytes: 4 } });
    expect(textOf(await rig.lake.store.get(digits()))).toBe('0123456789');
    expect(rig.wire()).toEqual(Array.from({ length: 4 }, () => 'GetObject 200'));
    expect(rig.watched.retries).toEqual(['s3_read_body', 's3_read_body', 's3_read_body']);
  });

  test('that breaks off every time is a RetryableError', async () => {
    rig.faults({ when: 'after', operation: 'GetObject', times: 99, verdict: { kind: 'cut', afterBytes: 0 } });
    const failure = await failureOf(rig.lake.store.getRange(digits(), { start: 2, end: 9 }));
    expect(failure).toMatch(/^RetryableError INPUT_READ_ERROR: .*the body broke off/);
    expect(rig.wire()).toHaveLength(4);
  });
});

describe('a server that falls silent', () => {
  async function withLake<T>(
    idleTimeoutMs: number,
    work: (
      server: Awaited<ReturnType<typeof startStallingS3>>,
      lake: ReturnType<typeof openLake>,
    ) => Promise<T>,
  ): Promise<T> {
    const server = await startStallingS3();
    const before = process.env.AWS_ENDPOINT_URL;
    process.env.AWS_ENDPOINT_URL = server.endpoint;
    const settings = { region: 'us-east-1', forcePathStyle: true, connectTimeoutMs: 500, idleTimeoutMs };
    const lake = openLake(settings, systemClock, { request() {}, conflict() {}, retry() {} });
    try {
      return await work(server, lake);
    } finally {
      process.env.AWS_ENDPOINT_URL = before;
      lake.close();
      await server.close();
    }
  }

  const there = { bucket: 'b', key: 'k' };

  test.each<[Answer, number]>([
    ['stalls at once', 2],
    ['stalls in mid-body', 2],
    ['promises too much', 2],
    ['has no length', 1],
  ])('and %s is left, and asked again', async (answer, requests) => {
    await withLake(500, async (server, lake) => {
      server.next(answer);
      const object = await lake.store.get(there);
      expect(object?.bytes).not.toBeInstanceOf(Buffer);
      expect(textOf(object)).toBe('0123456789');
      expect(object?.size).toBe(10);
      expect(server.count()).toBe(requests);
    });
  });

  test('every time is a RetryableError in good time', async () => {
    await withLake(60, async (server, lake) => {
      server.next(...Array.from({ length: 99 }, (): Answer => 'stalls in mid-body'));
      const failure = await failureOf(lake.store.get(there));
      expect(failure).toMatch(/^RetryableError INPUT_READ_ERROR: Failed to read s3:\/\/b\/k: .*broke off/);
      expect(server.count()).toBe(4);
    });
  });

  test('in mid-body does not keep a job that is told to stop', async () => {
    await withLake(20_000, async (server, lake) => {
      server.next('stalls in mid-body');
      const controller = new AbortController();
      const read = lake.store.get(there, { signal: controller.signal });
      const failure = failureOf(read);
      await systemClock.sleep(100);
      controller.abort(new Error('told to stop'));
      expect(await failure).toBe('Error: told to stop');
      expect(server.count()).toBe(1);
    });
  });
});

describe('deleting', () => {
  test('removes the object', async () => {
    await put('doomed', 'x');
    await rig.lake.store.delete(rig.at('doomed'));
    expect(await rig.lake.store.head(rig.at('doomed'))).toBeUndefined();
  });

  test.each([
    ['InvalidRequestError', 403, 'AccessDenied'],
    ['RetryableError', 500, 'InternalError'],
  ])('is a %s of writing when S3 answers %d', async (kind, status, code) => {
    rig.faults({ when: 'before', operation: 'DeleteObject', times: 99, verdict: fail(status, code) });
    expect(await failureOf(rig.lake.store.delete(digits()))).toBe(
      `${kind} OUTPUT_WRITE_ERROR: Failed to delete s3://${rig.bucket}/digits: ${code} (HTTP ${status})`,
    );
  });
});

describe('listing', () => {
  const keys = ['list/a', 'list/b/1', 'list/b/2', 'list/c', 'list/d/x/y', 'listing'];
  beforeAll(async () => {
    for (const key of keys) await put(key, key);
  });

  test('gives all below a prefix, page by page, in the order of their bytes', async () => {
    rig.faults();
    const found = [];
    for await (const object of listAll(rig.lake.store, rig.at('list/'), { maxKeys: 2 })) found.push(object);
    expect(found.map(({ key }) => key)).toEqual(keys.slice(0, 5));
    expect(found[0]).toMatchObject({ size: 6, etag: expect.stringMatching(/^"[0-9a-f]{32}"$/) });
    expect(rig.wire()).toHaveLength(3);
  });

  test('gives folders with a delimiter, and begins after a key', async () => {
    const page = await rig.lake.store.list(rig.at('list/'), { delimiter: '/', startAfter: 'list/a' });
    expect(page.objects.map(({ key }) => key)).toEqual(['list/c']);
    expect(page.prefixes).toEqual(['list/b/', 'list/d/']);
    expect(page.next).toBeUndefined();
  });
});

describe('an object opened for ranged reads', () => {
  test('has its end at once, and asks for the rest, pinned', async () => {
    rig.faults();
    const file = await openObject(rig.lake.store, digits(), { tailBytes: 4 });
    expect(file.size).toBe(10);
    expect(Buffer.from(file.tail).toString()).toBe('6789');
    expect(Buffer.from(await file.read(7, 9)).toString()).toBe('78');
    expect(rig.wire()).toEqual(['GetObject 206']);
    expect(Buffer.from(await file.read(5, 9)).toString()).toBe('5678');
    expect(rig.wire()).toEqual(['GetObject 206', 'GetObject 206']);
  });

  test('that is not there is INPUT_READ_ERROR', async () => {
    expect(await failureOf(openObject(rig.lake.store, rig.at('no one')))).toBe(
      `InvalidRequestError INPUT_READ_ERROR: s3://${rig.bucket}/no one does not exist`,
    );
  });

  test('that changes or goes while it is read is a RetryableError: its manifest may be newer next time', async () => {
    await put('moving', '0123456789');
    const file = await openObject(rig.lake.store, rig.at('moving'), { tailBytes: 4 });
    await put('moving', 'abcdefghij');
    expect(await failureOf(file.read(0, 3))).toMatch(/^RetryableError INPUT_READ_ERROR: .* changed while/);
    await remove('moving');
    expect(await failureOf(file.read(0, 3))).toMatch(
      /^RetryableError INPUT_READ_ERROR: .* was deleted while/,
    );
  });
});

test('every attempt on the wire is told: operation, status, time and bytes', async () => {
  rig.faults(
    { when: 'before', operation: 'GetObject', verdict: drop },
    { when: 'before', operation: 'PutObject', verdict: fail(500, 'InternalError') },
    { when: 'after', operation: 'HeadObject', verdict: { kind: 'delay', ms: 50 } },
  );
  const { store, writer } = rig.lake;
  await store.get(digits());
  await store.getRange(digits(), { start: 3, end: 7 });
  await store.head(digits());
  await writer.create(rig.at('told'), Buffer.from('twelve bytes'));
  const told = rig.watched.requests.map(({ operation, status, bytesIn, bytesOut }) =>
    [operation, status, bytesIn, bytesOut].join(' '),
  );
  expect(told.slice(0, 5)).toEqual([
    'GetObject error 0 0',
    'GetObject 200 10 0',
    'GetObject 206 4 0',
    'HeadObject 200 0 0',
    expect.stringMatching(/^PutObject 500 \d+ 12$/),
  ]);
  expect(told.slice(5)).toEqual(['PutObject 200 0 12']);
  const head = rig.watched.requests[3]!;
  expect(head.seconds).toBeGreaterThanOrEqual(0.045);
  expect(head.seconds).toBeLessThan(5);
});

test('a bucket is checked', async () => {
  const { signal } = new AbortController();
  await rig.lake.checkBucket(rig.bucket, signal);
  await expect(rig.lake.checkBucket('no-such-bucket', signal)).rejects.toThrow();
});
