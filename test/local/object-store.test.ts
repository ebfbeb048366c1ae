import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandInput,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { normalRange } from '../../src/local/byte-range.ts';
import { isVirtualHost } from '../../src/local/host-style.ts';
import { type LocalAws, startLocalAws } from '../../src/local/local-aws.ts';
import { listPage } from '../../src/local/object-listing.ts';
import { type Clients, clientsOf, failureOf } from './clients.ts';

const Bucket = 'lake';
const MIB = 1024 * 1024;
let aws: LocalAws;
let clients: Clients;

beforeAll(async () => {
  aws = await startLocalAws();
  clients = clientsOf(aws.endpoint);
  await clients.s3.send(new CreateBucketCommand({ Bucket }));
});

afterAll(async () => {
  clients.destroy();
  await aws.stop();
});

async function read(Key: string, Range?: string) {
  const found = await clients.s3.send(new GetObjectCommand({ Bucket, Key, Range }));
  return { text: await found.Body?.transformToString(), range: found.ContentRange };
}

describe('a ranged read', () => {
  beforeAll(async () => {
    await clients.s3.send(new PutObjectCommand({ Bucket, Key: 'digits', Body: '0123456789' }));
    await clients.s3.send(new PutObjectCommand({ Bucket, Key: 'empty', Body: Buffer.alloc(0) }));
  });

  test.each([
    ['bytes=2-4', '234', 'bytes 2-4/10'],
    ['bytes=7-', '789', 'bytes 7-9/10'],
    ['bytes=7-99', '789', 'bytes 7-9/10'],
    ['bytes=-3', '789', 'bytes 7-9/10'],
    ['bytes=-10', '0123456789', 'bytes 0-9/10'],
    ['bytes=-99', '0123456789', 'bytes 0-9/10'],
    ['bytes=4-2', '0123456789', undefined],
    ['lines=1-2', '0123456789', undefined],
  ])('of %s gets %s', async (asked, text, range) => {
    expect(await read('digits', asked)).toEqual({ text, range });
  });

  test.each([
    ['digits', 'bytes=10-'],
    ['digits', 'bytes=-0'],
    ['empty', 'bytes=-8'],
  ])('of nothing in %s (%s) is refused', async (key, range) => {
    expect(await failureOf(read(key, range))).toBe('InvalidRange 416');
  });

  test.each([
    ['bytes=-11', 10, 'bytes=0-'],
    ['bytes=-10', 10, 'bytes=-10'],
    ['bytes=0-0', 10, 'bytes=0-0'],
    ['bytes=-', 10, undefined],
    ['bytes=1-2,4-5', 10, undefined],
  ])('%s of %d bytes means %s', (range, size, normal) => {
    expect(normalRange(range, size)).toBe(normal);
  });
});

describe('an object', () => {
  test('keeps its metadata and type from a put', async () => {
    const Metadata = { 'put-id': 'abc', other: 'x y' };
    const put = new PutObjectCommand({ Bucket, Key: 'meta', Body: 'x', Metadata, ContentType: 'text/csv' });
    const { ETag } = await clients.s3.send(put);
    const head = await clients.s3.send(new HeadObjectCommand({ Bucket, Key: 'meta' }));
    expect(head).toMatchObject({ Metadata, ETag, ContentLength: 1, ContentType: 'text/csv' });
    const got = await clients.s3.send(new GetObjectCommand({ Bucket, Key: 'meta' }));
    expect(got.Metadata).toEqual(Metadata);
    got.Body?.transformToString();
  });

  test('of more than fauxqs takes in one body arrives whole', async () => {
    const Body = Buffer.alloc(20 * MIB, 'abcdefg');
    await clients.s3.send(new PutObjectCommand({ Bucket, Key: 'large', Body }));
    const got = await clients.s3.send(new GetObjectCommand({ Bucket, Key: 'large' }));
    const bytes = await got.Body?.transformToByteArray();
    expect(Body.equals(bytes!)).toBe(true);
  });

  test('may be called anything', async () => {
    const keys = [
      'a b+c=d&e',
      'pct%20/%',
      'ünïcode/日本',
      `long/${'x'.repeat(300)}`,
      'q?x#y',
      "quote'<>",
      'a//b',
    ];
    for (const Key of keys) {
      await clients.s3.send(new PutObjectCommand({ Bucket, Key: `names/${Key}`, Body: Key }));
      expect((await read(`names/${Key}`)).text).toBe(Key);
    }
    const { Contents = [] } = await clients.s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'names/' }));
    expect(Contents.map(({ Key }) => Key?.slice(6)).toSorted()).toEqual(keys.toSorted());
    const Objects = Contents.map(({ Key }) => ({ Key }));
    await clients.s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    const after = await clients.s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'names/' }));
    expect(after.KeyCount).toBe(0);
  });

  test('made of parts has their bytes, and an upload is listed until completed or aborted', async () => {
    const Key = 'parts';
    const Metadata = { 'put-id': 'p' };
    const start = async () =>
      (await clients.s3.send(new CreateMultipartUploadCommand({ Bucket, Key, Metadata }))).UploadId;
    const [UploadId, abandoned] = [await start(), await start()];
    const bodies = [Buffer.alloc(12 * MIB, 'a'), Buffer.from('tail')];
    const Parts = [];
    for (const [index, Body] of bodies.entries()) {
      const PartNumber = index + 1;
      const sent = await clients.s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }));
      Parts.push({ PartNumber, ETag: sent.ETag });
    }
    await clients.s3.send(
      new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }),
    );
    const head = await clients.s3.send(new HeadObjectCommand({ Bucket, Key }));
    expect(head).toMatchObject({
      Metadata,
      ContentLength: 12 * MIB + 4,
      ETag: expect.stringMatching(/-2"$/),
    });
    expect((await read(Key, 'bytes=-5')).text).toBe('atail');
    const uploads = async () => {
      const { Uploads = [] } = await clients.s3.send(new ListMultipartUploadsCommand({ Bucket }));
      return Uploads.map((upload) => upload.UploadId);
    };
    expect(await uploads()).toEqual([abandoned]);
    await clients.s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId: abandoned }));
    expect(await uploads()).toEqual([]);
  });
});

describe('a listing', () => {
  const keys = ['a', 'a/1', 'a/2', 'a_b', 'aB', 'b/x/1', 'b/x/2', 'b/y', 'c', 'd/1', 'Z'].map(
    (key) => `list/${key}`,
  );

  beforeAll(async () => {
    for (const Key of keys) await clients.s3.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }));
  });

  async function pages(options: Partial<ListObjectsV2CommandInput>): Promise<string[][]> {
    const found: string[][] = [];
    let ContinuationToken: string | undefined;
    do {
      const page = await clients.s3.send(
        new ListObjectsV2Command({ Bucket, Prefix: 'list/', ...options, ContinuationToken }),
      );
      const entries = [
        ...(page.Contents ?? []).map(({ Key }) => Key),
        ...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix),
      ];
      expect(page.KeyCount).toBe(entries.length);
      expect(page.IsTruncated).toBe(page.NextContinuationToken !== undefined);
      found.push(entries.map((entry) => entry?.slice('list/'.length) ?? ''));
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
    return found;
  }

  test('is in order of bytes, however it is cut into pages', async () => {
    const inOrder = keys.map((key) => key.slice(5)).toSorted();
    for (const MaxKeys of [1, 2, 3, 1000]) {
      expect((await pages({ MaxKeys })).flat()).toEqual(inOrder);
    }
  });

  test('rolls keys up below a delimiter, each prefix once', async () => {
    const wanted = ['Z', 'a', 'a/', 'aB', 'a_b', 'b/', 'c', 'd/'];
    for (const MaxKeys of [1, 2, 3, 1000]) {
      expect((await pages({ MaxKeys, Delimiter: '/' })).flat().toSorted()).toEqual(wanted);
    }
  });

  test('begins after a key, also inside a common prefix', async () => {
    expect((await pages({ StartAfter: 'list/b/x/1', Delimiter: '/', MaxKeys: 1 })).flat()).toEqual([
      'b/',
      'c',
      'd/',
    ]);
    expect((await pages({ StartAfter: 'list/b/x/1', MaxKeys: 2 })).flat()).toEqual([
      'b/x/2',
      'b/y',
      'c',
      'd/1',
    ]);
  });

  test('refuses a token that is not its own, and knows no bucket that is not there', async () => {
    const list = (input: ListObjectsV2CommandInput) =>
      failureOf(clients.s3.send(new ListObjectsV2Command(input)));
    expect(await list({ Bucket, ContinuationToken: 'bm9uc2Vuc2U' })).toBe('InvalidArgument 400');
    expect(await list({ Bucket: 'nowhere' })).toBe('NoSuchBucket 404');
  });

  test('of no keys at all is a page without a next one', () => {
    const request = { prefix: '', delimiter: '', startAfter: '', maxKeys: 0 };
    expect(listPage(['a', 'b'], request)).toEqual({ keys: [], commonPrefixes: [] });
  });
});

test.each([
  ['lake.s3.localhost:4566', true],
  ['new.s3.localhost:4566', true],
  ['lake.example.internal', true],
  ['new.localhost', true],
  ['s3.localhost:4566', false],
  ['host.docker.internal:4566', false],
  ['local-aws:4566', false],
  ['127.0.0.1:4566', false],
])('the host %s holds a bucket: %s', (host, expected) => {
  expect(isVirtualHost(host, (name) => name === 'lake')).toBe(expected);
});
