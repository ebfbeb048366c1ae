import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createLocalhostHandler } from 'fauxqs';
import { refusalOfWrite } from '../../src/local/conditional-writes.ts';
import { type LocalAws, startLocalAws } from '../../src/local/local-aws.ts';
import { LOCAL_CREDENTIALS, LOCAL_REGION } from '../../src/local/resources.ts';
import { type Clients, clientsOf, failureOf } from './clients.ts';

const Bucket = 'lake';
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

function put(Key: string, Body: string, conditions: { IfMatch?: string; IfNoneMatch?: string } = {}) {
  return clients.s3.send(new PutObjectCommand({ Bucket, Key, Body, ...conditions }));
}

async function bodyOf(Key: string): Promise<string | undefined> {
  const found = await clients.s3.send(new GetObjectCommand({ Bucket, Key }));
  return await found.Body?.transformToString();
}

test('the proof at startup leaves nothing behind', async () => {
  const { Buckets } = await clients.s3.send(new ListBucketsCommand({}));
  expect(Buckets?.map(({ Name }) => Name)).toEqual([Bucket]);
});

describe('a put', () => {
  test('with If-None-Match creates once and is refused afterwards', async () => {
    await put('once', 'first', { IfNoneMatch: '*' });
    expect(await failureOf(put('once', 'second', { IfNoneMatch: '*' }))).toBe('PreconditionFailed 412');
    expect(await bodyOf('once')).toBe('first');
  });

  test('with If-Match replaces only what it names', async () => {
    const { ETag } = await put('cas', 'first');
    await put('cas', 'second', { IfMatch: ETag! });
    expect(await failureOf(put('cas', 'third', { IfMatch: ETag! }))).toBe('PreconditionFailed 412');
    expect(await bodyOf('cas')).toBe('second');
  });

  test('with If-Match on a missing object is told so', async () => {
    expect(await failureOf(put('absent', 'x', { IfMatch: '"abc"' }))).toBe('NoSuchKey 404');
  });

  test('that creates has one winner among many', async () => {
    for (let round = 0; round < 5; round++) {
      const Key = `race-${round}`;
      const outcomes = await Promise.allSettled(
        Array.from({ length: 12 }, (_, writer) => put(Key, `writer ${writer}`, { IfNoneMatch: '*' })),
      );
      const winners = outcomes.flatMap(({ status }, writer) => (status === 'fulfilled' ? [writer] : []));
      expect(winners).toHaveLength(1);
      expect(await bodyOf(Key)).toBe(`writer ${winners[0]}`);
    }
  });

  test('loses no update in a chain of compare-and-sets by several writers', async () => {
    await put('counter', '0');
    const increment = async () => {
      for (;;) {
        const found = await clients.s3.send(new GetObjectCommand({ Bucket, Key: 'counter' }));
        const next = Number(await found.Body?.transformToString()) + 1;
        try {
          await put('counter', String(next), { IfMatch: found.ETag! });
          return;
        } catch (error) {
          if ((error as Error).name !== 'PreconditionFailed') throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: 10 }, increment));
    expect(await bodyOf('counter')).toBe('10');
  });

  test('is guarded in the virtual-host style too', async () => {
    const s3 = new S3Client({
      endpoint: `http://s3.localhost:${aws.port}`,
      region: LOCAL_REGION,
      credentials: LOCAL_CREDENTIALS,
      requestHandler: createLocalhostHandler(),
    });
    const create = () => s3.send(new PutObjectCommand({ Bucket, Key: 'a/b c', Body: 'x', IfNoneMatch: '*' }));
    await create();
    expect(await failureOf(create())).toBe('PreconditionFailed 412');
    expect(await bodyOf('a/b c')).toBe('x');
    s3.destroy();
  });
});

test('a multipart completion is conditional, and a refused one can still be aborted or completed', async () => {
  const Key = 'multi';
  const { UploadId } = await clients.s3.send(
    new CreateMultipartUploadCommand({ Bucket, Key, Metadata: { 'put-id': 'p1' } }),
  );
  const part = await clients.s3.send(
    new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: 'the part' }),
  );
  const complete = (conditions: { IfMatch?: string; IfNoneMatch?: string }) =>
    clients.s3.send(
      new CompleteMultipartUploadCommand({
        Bucket,
        Key,
        UploadId,
        MultipartUpload: { Parts: [{ PartNumber: 1, ETag: part.ETag }] },
        ...conditions,
      }),
    );
  const { ETag } = await put(Key, 'there before');
  expect(await failureOf(complete({ IfNoneMatch: '*' }))).toBe('PreconditionFailed 412');
  expect(await failureOf(complete({ IfMatch: '"other"' }))).toBe('PreconditionFailed 412');
  await complete({ IfMatch: ETag! });
  expect(await bodyOf(Key)).toBe('the part');
  const head = await clients.s3.send(new HeadObjectCommand({ Bucket, Key }));
  expect(head.Metadata).toEqual({ 'put-id': 'p1' });
});

test('a copy and a delete are conditional', async () => {
  await put('source', 'x');
  await put('target', 'y');
  const copy = new CopyObjectCommand({
    Bucket,
    Key: 'target',
    CopySource: `${Bucket}/source`,
    IfNoneMatch: '*',
  });
  expect(await failureOf(clients.s3.send(copy))).toBe('PreconditionFailed 412');
  const remove = new DeleteObjectCommand({ Bucket, Key: 'target', IfMatch: '"other"' });
  expect(await failureOf(clients.s3.send(remove))).toBe('PreconditionFailed 412');
  expect(await bodyOf('target')).toBe('y');
});

test('reads pin an ETag', async () => {
  const { ETag } = await put('pinned', '0123456789');
  const get = (IfMatch: string) =>
    clients.s3.send(new GetObjectCommand({ Bucket, Key: 'pinned', IfMatch, Range: 'bytes=2-4' }));
  expect(await (await get(ETag!)).Body?.transformToString()).toBe('234');
  expect(await (await get(ETag!.replaceAll('"', ''))).Body?.transformToString()).toBe('234');
  expect(await failureOf(get('"other"'))).toBe('PreconditionFailed 412');
  const head = new HeadObjectCommand({ Bucket, Key: 'pinned', IfMatch: '"other"' });
  expect(await failureOf(clients.s3.send(head))).toMatch(/412$/);
  expect(
    await failureOf(clients.s3.send(new GetObjectCommand({ Bucket, Key: 'nothing', IfMatch: ETag! }))),
  ).toBe('NoSuchKey 404');
});

describe('a write is refused', () => {
  test.each([
    [{ ifNoneMatch: '*' }, undefined, undefined],
    [{ ifNoneMatch: '*' }, '"a"', 412],
    [{ ifNoneMatch: '"a"' }, '"a"', 501],
    [{ ifMatch: '"a"' }, '"a"', undefined],
    [{ ifMatch: 'a' }, '"a"', undefined],
    [{ ifMatch: '*' }, '"a"', undefined],
    [{ ifMatch: '"b"' }, '"a"', 412],
    [{ ifMatch: '"a"' }, undefined, 404],
    [{}, '"a"', undefined],
  ])('or not: %j over %s answers %s', (conditions, etag, status) => {
    expect(refusalOfWrite(conditions, etag)?.status).toBe(status);
  });
});
