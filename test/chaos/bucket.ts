/** A run's bucket: what the simulator puts into it, and all that lies in it at the end. */

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { parquetOf, seriesSql } from '../support/parquet.ts';
import type { GivenObject, StoredObject } from './history.ts';
import type { PlannedDataset } from './plan.ts';

/** Puts an object; `at` is the time to be told. */
export async function give(
  s3: S3Client,
  bucket: string,
  key: string,
  body: Uint8Array | string,
  at: () => number,
): Promise<GivenObject> {
  const { ETag = '' } = await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
  return { key, etag: ETag, at: at(), ...(typeof body === 'string' ? { text: body } : {}) };
}

/** The objects of a dataset: one Parquet file for each series, and the manifest. */
export async function datasetObjects({
  id,
  series,
}: PlannedDataset): Promise<(readonly [key: string, body: Uint8Array | string])[]> {
  const files = await Promise.all(
    Object.entries(series).map(
      async ([code, rows]) => [`${code}/part.parquet`, await parquetOf(seriesSql(rows))] as const,
    ),
  );
  const manifest = {
    version_id: 'v1',
    dataset_id: id,
    partition_strategy: 'series',
    series_codes: Object.keys(series),
    parquet_files: files.map(([path]) => path),
  };
  return [
    ...files.map(([path, bytes]) => [`datasets/${id}/projections/${path}`, bytes] as const),
    [`datasets/${id}/current/manifest.json`, JSON.stringify(manifest)],
  ];
}

async function* keysOf(s3: S3Client, bucket: string): AsyncGenerator<string> {
  let token: string | undefined;
  do {
    const page = await s3.send(new ListObjectsV2Command({ Bucket: bucket, ContinuationToken: token }));
    for (const { Key } of page.Contents ?? []) if (Key !== undefined) yield Key;
    token = page.NextContinuationToken;
  } while (token !== undefined);
}

/** Writes every object to a file below `<directory>/objects`. */
export async function dumpBucket(s3: S3Client, bucket: string, directory: string): Promise<StoredObject[]> {
  const objects: StoredObject[] = [];
  for await (const key of keysOf(s3, bucket)) {
    const {
      Body,
      ETag = '',
      Metadata = {},
    } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
    const path = join('objects', key);
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), bytes);
    objects.push({ key, etag: ETag, bytes: bytes.length, metadata: Metadata, path });
  }
  return objects;
}

/** Removes all objects of a bucket. */
export async function removeAll(s3: S3Client, bucket: string): Promise<void> {
  const keys: string[] = [];
  for await (const key of keysOf(s3, bucket)) keys.push(key);
  for (let from = 0; from < keys.length; from += 1_000) {
    const Objects = keys.slice(from, from + 1_000).map((Key) => ({ Key }));
    await s3.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } }));
  }
}
