/** Streaming uploads against a real S3: one PUT for what fits a part, a conditional multipart upload for more. */

import { GetObjectCommand, PutObjectCommand, UploadPartCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { PUT_ID } from '../../src/lake/conditional-write.ts';
import { PART_BYTES, type Upload } from '../../src/lake/upload.ts';
import type { LocalRequest } from '../../src/local/request-hooks.ts';
import { drop, type FaultLake, fail, failureOf, openFaultLake } from './fault-lake.ts';

let rig: FaultLake;

beforeAll(async () => {
  rig = await openFaultLake({ attempts: 2 });
});

afterAll(() => rig.close());

let keys = 0;
const freshKey = () => `upload-${++keys}`;

async function stored(Key: string): Promise<Uint8Array | undefined> {
  try {
    const { Body } = await rig.s3.send(new GetObjectCommand({ Bucket: rig.bucket, Key }));
    return await Body?.transformToByteArray();
  } catch {
    return undefined;
  }
}

/** Bytes that tell where they are. */
function patterned(length: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i, 2_654_435_761);
  return new Uint8Array(words.buffer, 0, length);
}

const LARGE = patterned(PART_BYTES + 12_345);

async function writeAll(upload: Upload, bytes: Uint8Array, step = 1_000_003): Promise<void> {
  for (let at = 0; at < bytes.length; at += step) await upload.write(bytes.subarray(at, at + step));
}

/** Starts a large upload and tells its upload id, which S3 knows until it is completed or aborted. */
async function startLarge(key: string): Promise<{ upload: Upload; isOpen: () => Promise<boolean> }> {
  const id = Promise.withResolvers<string>();
  rig.faults({
    when: 'before',
    operation: 'UploadPart',
    times: 99,
    verdict: async ({ query }: LocalRequest) => {
      id.resolve(query.uploadId!);
      return undefined;
    },
  });
  const upload = rig.lake.openUpload(rig.at(key));
  await writeAll(upload, LARGE);
  const UploadId = await id.promise;
  const part = { Bucket: rig.bucket, Key: key, PartNumber: 99, Body: 'x' };
  return {
    upload,
    isOpen: async () => {
      const sent = rig.s3.send(new UploadPartCommand({ ...part, UploadId }));
      return await sent.then(
        () => true,
        (error: Error) => {
          if (error.name === 'NoSuchUpload') return false;
          throw error;
        },
      );
    },
  };
}

describe('what fits a part', () => {
  test.each([0, 1, 65_536, 65_537, PART_BYTES])('is one conditional PUT: %d bytes', async (size) => {
    const key = freshKey();
    const bytes = patterned(size);
    rig.faults();
    const upload = rig.lake.openUpload(rig.at(key), { contentType: 'x/y', metadata: { run: 'r' } });
    await writeAll(upload, bytes);
    expect(rig.wire()).toEqual([]);
    const outcome = await upload.finish();
    expect(outcome).toMatchObject({ outcome: 'written', size });
    expect(rig.wire()).toEqual(['PutObject 200']);
    expect(Buffer.compare((await stored(key))!, bytes)).toBe(0);
    expect((await rig.lake.store.head(rig.at(key)))?.metadata).toMatchObject({ run: 'r' });
    await upload.abort();
    expect(await stored(key)).toBeDefined();
  });

  test('is a conflict where another is there', async () => {
    const key = freshKey();
    await rig.s3.send(new PutObjectCommand({ Bucket: rig.bucket, Key: key, Body: 'theirs' }));
    const upload = rig.lake.openUpload(rig.at(key));
    await upload.write(Buffer.from('ours'));
    expect((await upload.finish()).outcome).toBe('conflict');
  });

  test('that is given up leaves nothing, and asks for nothing', async () => {
    rig.faults();
    const upload = rig.lake.openUpload(rig.at(freshKey()));
    await upload.write(Buffer.from('ours'));
    await upload.abort();
    expect(rig.wire()).toEqual([]);
  });
});

describe('what is larger', () => {
  test('is sent in parts, and in sight only when it is finished', async () => {
    const key = freshKey();
    const { upload, isOpen } = await startLarge(key);
    expect(await isOpen()).toBe(true);
    expect(await stored(key)).toBeUndefined();
    const outcome = await upload.finish();
    expect(outcome).toMatchObject({ outcome: 'written', size: LARGE.length });
    expect(Buffer.compare((await stored(key))!, LARGE)).toBe(0);
    const facts = (await rig.lake.store.head(rig.at(key)))!;
    expect(outcome).toMatchObject({ etag: facts.etag });
    expect(facts.metadata[PUT_ID]).toMatch(/^[0-9a-f]{32}$/);
    expect(rig.wire().slice(0, -2).toSorted()).toEqual([
      'CreateMultipartUpload 200',
      'UploadPart 200',
      'UploadPart 200',
    ]);
    await upload.abort();
    expect(await stored(key)).toBeDefined();
  });

  test('may be written in one piece, or in very many', async () => {
    for (const step of [LARGE.length, 4_097]) {
      const key = freshKey();
      rig.faults();
      const upload = rig.lake.openUpload(rig.at(key));
      await writeAll(upload, LARGE, step);
      await upload.finish();
      expect(Buffer.compare((await stored(key))!, LARGE)).toBe(0);
    }
  });

  test('belongs to the upload once it is written: what the caller does to its bytes then does not matter', async () => {
    const key = freshKey();
    rig.faults();
    const upload = rig.lake.openUpload(rig.at(key));
    const bytes = LARGE.slice();
    await upload.write(bytes);
    bytes.fill(0);
    await upload.finish();
    expect(Buffer.compare((await stored(key))!, LARGE)).toBe(0);
  });

  test('is a conflict where another came first, and leaves no upload behind', async () => {
    const key = freshKey();
    const { upload, isOpen } = await startLarge(key);
    await rig.s3.send(new PutObjectCommand({ Bucket: rig.bucket, Key: key, Body: 'theirs' }));
    expect(await upload.finish()).toMatchObject({ outcome: 'conflict', found: { size: 6 } });
    expect(rig.watched.conflicts).toEqual(['create']);
    await upload.abort();
    expect(await isOpen()).toBe(false);
    expect(Buffer.from((await stored(key))!).toString()).toBe('theirs');
  });

  test('that is given up leaves nothing', async () => {
    const key = freshKey();
    const { upload, isOpen } = await startLarge(key);
    await upload.abort();
    await upload.abort();
    expect(await isOpen()).toBe(false);
    expect(await stored(key)).toBeUndefined();
  });

  test.each([
    ['a 500', fail(500, 'InternalError')],
    ['a dropped connection', drop],
    ['a 500 at every try', fail(500, 'InternalError'), 9],
  ])('and was completed, but answered by %s, is written', async (_, verdict, times = 1) => {
    const key = freshKey();
    rig.faults({ when: 'after', operation: 'CompleteMultipartUpload', times, verdict });
    const upload = rig.lake.openUpload(rig.at(key));
    await writeAll(upload, LARGE);
    const outcome = await upload.finish();
    expect(outcome).toMatchObject({ outcome: 'written', size: LARGE.length });
    expect(rig.watched.conflicts).toEqual([]);
    expect(Buffer.compare((await stored(key))!, LARGE)).toBe(0);
  });

  test.each([
    ['a 409', 'CompleteMultipartUpload', fail(409, 'ConditionalRequestConflict')],
    ['a 500', 'CompleteMultipartUpload', fail(500, 'InternalError')],
    ['an error in a 200', 'CompleteMultipartUpload', fail(200, 'InternalError')],
    ['a dropped connection', 'CompleteMultipartUpload', drop],
    ['a 500', 'UploadPart', fail(500, 'InternalError')],
    ['a dropped connection', 'UploadPart', drop],
    ['a 500', 'CreateMultipartUpload', fail(500, 'InternalError')],
  ])('and met %s at %s is tried again', async (_, operation, verdict) => {
    const key = freshKey();
    rig.faults({ when: 'before', operation, times: operation.startsWith('Create') ? 1 : 3, verdict });
    const upload = rig.lake.openUpload(rig.at(key));
    await writeAll(upload, LARGE);
    expect((await upload.finish()).outcome).toBe('written');
    expect(Buffer.compare((await stored(key))!, LARGE)).toBe(0);
  });

  test.each(['CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload'])(
    'and was refused at %s fails for good, and leaves nothing',
    async (operation) => {
      const key = freshKey();
      const ids: string[] = [];
      rig.faults(
        { when: 'before', operation, times: 99, verdict: fail(403, 'AccessDenied') },
        {
          when: 'after',
          operation: 'AbortMultipartUpload',
          verdict: async ({ query }) => {
            ids.push(query.uploadId ?? '');
            return undefined;
          },
        },
      );
      const upload = rig.lake.openUpload(rig.at(key));
      const writing = writeAll(upload, LARGE).then(() => upload.finish());
      expect(await failureOf(writing)).toBe(
        `InvalidRequestError OUTPUT_WRITE_ERROR: Failed to write s3://${rig.bucket}/${key}: AccessDenied (HTTP 403)`,
      );
      await upload.abort();
      expect(await stored(key)).toBeUndefined();
      expect(ids).toHaveLength(operation.startsWith('Create') ? 0 : 1);
    },
  );

  test('stops where its signal aborts, with the reason, and can be given up then', async () => {
    const key = freshKey();
    const controller = new AbortController();
    rig.faults({
      when: 'before',
      operation: 'UploadPart',
      times: 99,
      verdict: async () => {
        controller.abort(new Error('told to stop'));
        return { kind: 'delay', ms: 200 };
      },
    });
    const upload = rig.lake.openUpload(rig.at(key), { signal: controller.signal });
    const writing = writeAll(upload, LARGE).then(() => upload.finish());
    expect(await failureOf(writing)).toBe('Error: told to stop');
    await upload.abort();
    expect(rig.wire()).toContain('AbortMultipartUpload 204');
    expect(await stored(key)).toBeUndefined();
  });

  test('waits for its parts: no more than two are on their way', async () => {
    const key = freshKey();
    let underWay = 0;
    let most = 0;
    const two = Promise.withResolvers<void>();
    rig.faults(
      {
        when: 'before',
        operation: 'UploadPart',
        times: 99,
        verdict: async (request) => {
          if (request.key !== key) return undefined; // Of a test before, given up.
          most = Math.max(most, ++underWay);
          // The first part is held until the second is there; then a third would have time to come.
          if (most >= 2) two.resolve();
          await two.promise;
          return { kind: 'delay', ms: 100 };
        },
      },
      {
        when: 'after',
        operation: 'UploadPart',
        times: 99,
        verdict: async (request) => {
          if (request.key === key) underWay--;
          return undefined;
        },
      },
    );
    const upload = rig.lake.openUpload(rig.at(key));
    for (let i = 0; i < 4; i++) await writeAll(upload, LARGE);
    await upload.finish();
    expect(most).toBe(2);
    expect((await stored(key))?.length).toBe(4 * LARGE.length);
  });
});

test('of many uploads of one object exactly one wins', async () => {
  const key = freshKey();
  rig.faults(
    { when: 'after', operation: 'CompleteMultipartUpload', times: 3, verdict: drop },
    { when: 'before', operation: 'CompleteMultipartUpload', times: 3, verdict: fail(500, 'InternalError') },
  );
  const outcomes = await Promise.all(
    Array.from({ length: 4 }, async (_, writer) => {
      const upload = rig.lake.openUpload(rig.at(key));
      await upload.write(LARGE);
      await upload.write(Buffer.from(`writer ${writer}`));
      const outcome = await upload.finish();
      await upload.abort();
      return outcome.outcome;
    }),
  );
  const winners = outcomes.flatMap((outcome, writer) => (outcome === 'written' ? [writer] : []));
  expect(winners).toHaveLength(1);
  const bytes = (await stored(key))!;
  expect(Buffer.from(bytes.subarray(LARGE.length)).toString()).toBe(`writer ${winners[0]}`);
});
