/**
 * The one door to fauxqs: its Fastify app and its three stores, typed.
 *
 * fauxqs exports `buildApp` but not the stores that must be handed to it for persistence, so their
 * modules are imported by file, beside the entry that `exports` names. Stores are single-threaded
 * and synchronous: a check and a write in one tick cannot be interleaved, on which the guards rely.
 */

import { join } from 'node:path';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { buildApp } from 'fauxqs';
import { BodyCache } from './body-cache.ts';

export type FauxqsApp = ReturnType<typeof buildApp>;
export type { FastifyReply, FastifyRequest };

export type Stores = NonNullable<NonNullable<Parameters<typeof buildApp>[0]>['stores']>;
export type S3Store = Stores['s3Store'];
export type SqsStore = Stores['sqsStore'];
export type SqsQueue = NonNullable<ReturnType<SqsStore['getQueue']>>;
export type S3Object = ReturnType<S3Store['headObject']>;
export type MultipartUpload = Parameters<S3Store['restoreMultipartUpload']>[0];

export interface Fauxqs {
  readonly app: FauxqsApp;
  readonly stores: Stores;
}

interface StoresPersistence {
  loadSqsAndSns(sqs: Stores['sqsStore'], sns: Stores['snsStore']): void;
  updateMessageReady(messageId: string): void;
  close(): void;
  readonly db: { prepare(sql: string): { run(...values: string[]): unknown } };
}

interface ObjectsPersistence {
  loadS3(store: S3Store): void;
  readBody(bucket: string, key: string): Buffer;
  close(): void;
}

interface Modules {
  readonly SqsStore: new () => SqsStore;
  readonly SnsStore: new () => Stores['snsStore'];
  readonly S3Store: new () => S3Store;
  readonly PersistenceManager: new (directory: string) => StoresPersistence;
  readonly FileS3Persistence: new (directory: string) => ObjectsPersistence;
  /** The characters a message body must not hold; only its `test` is used. */
  readonly INVALID_MESSAGE_BODY_CHAR: { test(text: string): boolean };
}

const BODY_CACHE_BYTES = 256 * 1024 * 1024;

const MODULES = [
  './sqs/sqsStore.js',
  './sqs/sqsTypes.js',
  './sns/snsStore.js',
  './s3/s3Store.js',
  './s3/fileS3Persistence.js',
  './persistence.js',
];

/** What SQS accepts: #x9, #xA, #xD and all of Unicode but controls, surrogates and the last two. */
const INVALID_BODY = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;

async function loadModules(): Promise<Modules> {
  const entry = import.meta.resolve('fauxqs');
  const loaded = await Promise.all(MODULES.map((file) => import(new URL(file, entry).href)));
  return Object.assign({}, ...loaded) as Modules;
}

/**
 * Builds the app over fresh stores; with `dataDir` over what was left there: SQS and SNS in SQLite
 * (`fauxqs.db`), S3 objects as files (`s3/buckets/<bucket>/objects/<key>.data`). Does not listen yet.
 */
export async function buildFauxqs(dataDir?: string): Promise<Fauxqs> {
  const modules = await loadModules();
  // fauxqs forgets the characters beyond U+FFFF, which SQS allows (an emoji in a name, say).
  modules.INVALID_MESSAGE_BODY_CHAR.test = (text) => INVALID_BODY.test(text);
  const stores: Stores = {
    sqsStore: new modules.SqsStore(),
    snsStore: new modules.SnsStore(),
    s3Store: new modules.S3Store(),
  };
  // Without a host of its own the store takes the caller's: queue URLs that any client can reach.
  stores.sqsStore.host = '';
  const close = dataDir === undefined ? undefined : attachPersistence(modules, stores, dataDir);
  const app = buildApp({ logger: false, stores });
  if (close !== undefined) {
    app.addHook('onClose', (_app, done) => {
      close();
      done();
    });
  }
  return { app, stores };
}

/** The objects of an existing bucket by key, in no order; bodies may be empty where they lie on disk. */
export function objectsOf(store: S3Store, bucket: string): ReadonlyMap<string, S3Object> {
  const { buckets } = store as unknown as { buckets: ReadonlyMap<string, ReadonlyMap<string, S3Object>> };
  return buckets.get(bucket) ?? new Map();
}

/** The multipart uploads of a bucket that are neither completed nor aborted, ordered by key. */
export function multipartUploadsOf(store: S3Store, bucket: string): MultipartUpload[] {
  const { multipartUploads } = store as unknown as { multipartUploads: ReadonlyMap<string, MultipartUpload> };
  return [...multipartUploads.values()]
    .filter((upload) => upload.bucket === bucket)
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** Gives queues that were loaded from disk the URL they now have: fauxqs keeps that of their creation. */
export function moveQueuesTo(store: SqsStore, endpoint: string): void {
  const { queues } = store as unknown as { queues: Map<string, SqsQueue> };
  for (const queue of [...queues.values()]) {
    queues.delete(queue.url);
    Object.assign(queue, { url: new URL(new URL(queue.url).pathname, endpoint).href });
    queues.set(queue.url, queue);
  }
}

function attachPersistence(modules: Modules, stores: Stores, dataDir: string): () => void {
  const { sqsStore, snsStore, s3Store } = stores;
  const messages = new modules.PersistenceManager(dataDir);
  const objects = new modules.FileS3Persistence(join(dataDir, 's3'));
  // fauxqs would null the receive count here, which its own schema refuses: ChangeMessageVisibility
  // to 0 would answer 500.
  const ready = messages.db.prepare(
    'UPDATE sqs_messages SET receipt_handle = NULL, visibility_deadline = NULL WHERE message_id = ?',
  );
  messages.updateMessageReady = (messageId) => {
    ready.run(messageId);
  };
  const bodies = new BodyCache(BODY_CACHE_BYTES);
  const readBody = objects.readBody.bind(objects);
  objects.readBody = (bucket, key) => {
    const { etag } = s3Store.headObject(bucket, key);
    return bodies.get(`${bucket}/${key}`, etag, () => readBody(bucket, key));
  };
  // Loaded before the stores write through, or loading would write again what it reads.
  messages.loadSqsAndSns(sqsStore, snsStore);
  objects.loadS3(s3Store);
  sqsStore.persistence = messages as unknown as NonNullable<SqsStore['persistence']>;
  snsStore.persistence = messages as unknown as NonNullable<Stores['snsStore']['persistence']>;
  s3Store.persistence = objects as unknown as NonNullable<S3Store['persistence']>;
  for (const queue of sqsStore.allQueues()) {
    queue.persistence = messages as unknown as NonNullable<SqsQueue['persistence']>;
  }
  return () => {
    messages.close();
    objects.close();
  };
}
