/** Writes a history down by hand, one call after the other, as a simulated run would have left it. */

import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Call, History, RequestKind } from '../history.ts';
import type { Json } from './facts.ts';

type Writable<T> = T extends readonly (infer E)[]
  ? Writable<E>[]
  : T extends object
    ? { -readonly [K in keyof T]: Writable<T[K]> }
    : T;

export type MadeHistory = Writable<History>;

export const WORKER = 'w1';
export const BUCKET = 'lake';
const REQUESTS = 'http://queue/000/requests.fifo';
const LETTERS = 'http://queue/000/letters.fifo';
const WALL = Date.parse('2026-01-02T00:00:00Z');
/** Each call takes so long, and the next begins so long after the one before, in milliseconds. */
const STEP_MS = 10;

export const etagOf = (bytes: Uint8Array | string): string =>
  `"${createHash('md5').update(bytes).digest('hex')}"`;

/** Writes down what happens, a call after the other. */
export class Scribe {
  readonly history: MadeHistory;
  #now = 0;
  #letters = 0;

  constructor(directory: string) {
    mkdirSync(join(directory, 'objects'), { recursive: true });
    this.history = {
      seed: 0,
      mix: 'made by hand',
      startedWall: WALL,
      directory,
      bucket: BUCKET,
      queues: { requests: REQUESTS, deadLetters: LETTERS },
      settings: {
        maxReceiveCount: 5,
        visibilitySeconds: 3,
        readerGraceSeconds: 1,
        clockStepSeconds: 0,
        memoryLimitKiB: 500_000,
        fifoTopic: false,
      },
      given: [],
      sent: [],
      calls: [],
      events: [],
      deadLetters: [],
      settled: { inTime: true, waiting: 0, inFlight: 0 },
      processes: [
        {
          name: WORKER,
          startedAt: 0,
          endedAt: 1_000_000,
          exitCode: 0,
          exitSignal: null,
          deeds: [{ at: 999_000, deed: 'drain' }],
          log: [{ level: 30, msg: 'request received' }],
          complaints: '',
          peakKiB: 200_000,
          leftovers: [],
        },
      ],
      objects: [],
      ledger: {},
      faults: {},
      timeline: [],
    };
  }

  /** Lets time go by, in milliseconds. */
  pause(ms: number): void {
    this.#now += ms;
  }

  call(
    call: Pick<Call, 'service' | 'operation'> & Partial<Omit<Call, 'service' | 'operation'>>,
  ): Writable<Call> {
    this.#now += STEP_MS;
    const { calls } = this.history;
    const usual = {
      seq: calls.length + 1,
      at: this.#now - 4,
      carriedOutAt: this.#now - 2,
      endedAt: this.#now,
      wall: WALL + this.#now,
      worker: WORKER,
      headers: {},
      bytes: 0,
      carriedOut: true,
      status: 200,
    };
    const made = { ...usual, ...call } as Writable<Call>;
    calls.push(made);
    return made;
  }

  give(key: string, body: Uint8Array | string): void {
    const text = typeof body === 'string' ? { text: body } : {};
    this.history.given.push({ key, etag: etagOf(body), at: this.#now, ...text });
    this.store(key, body);
  }

  /** An object as it lies in the bucket at the end; one that was there is replaced. */
  store(key: string, body: Uint8Array | string, metadata: Record<string, string> = {}): void {
    const { directory, objects } = this.history;
    const path = `objects/${objects.length}-${createHash('md5').update(key).update(body).digest('hex')}`;
    writeFileSync(join(directory, path), body);
    this.history.objects = objects.filter((object) => object.key !== key);
    const bytes = Buffer.byteLength(body);
    this.history.objects.push({ key, etag: etagOf(body), bytes, metadata, path });
  }

  /** A conditional PUT of the worker: a creation, or a replacement of what lies there. */
  put(key: string, body: Uint8Array | string, metadata: Record<string, string> = {}): void {
    const stored = this.history.objects.find((object) => object.key === key);
    const own = { 'tidemill-put-id': `put-${this.history.calls.length}`, ...metadata };
    const kept = Object.entries(own).map(([name, value]) => [`x-amz-meta-${name}`, value]);
    this.call({
      service: 's3',
      operation: 'PutObject',
      bucket: BUCKET,
      key,
      headers: {
        ...(stored === undefined ? { 'if-none-match': '*' } : { 'if-match': stored.etag }),
        ...Object.fromEntries(kept),
      },
      etag: etagOf(body),
      ...(typeof body === 'string' ? { body } : {}),
    });
    this.store(key, body, own);
  }

  remove(key: string): void {
    this.call({ service: 's3', operation: 'DeleteObject', bucket: BUCKET, key, status: 204 });
    this.history.objects = this.history.objects.filter((object) => object.key !== key);
  }

  publish(body: Json & { readonly type: string }): void {
    this.call({ service: 'sns', operation: 'Publish', body: JSON.stringify(body) });
    this.history.events.push({ at: this.#now, body });
  }

  /** A message that is sent, received, worked on by `work`, and deleted. */
  message(id: string, kind: RequestKind, body: string, groupId: string, work: () => void): void {
    const messageId = `message-${this.history.sent.length}`;
    const receiptHandle = `handle-${messageId}`;
    this.history.sent.push({ id, kind, body, messageId, groupId, deduplicationId: id, at: this.#now });
    const Messages = [{ MessageId: messageId, ReceiptHandle: receiptHandle, Body: body }];
    this.#sqs('ReceiveMessage', { QueueUrl: REQUESTS }, { Messages });
    work();
    this.#sqs('DeleteMessage', { QueueUrl: REQUESTS, ReceiptHandle: receiptHandle }, {});
  }

  deadLetter(body: string, reason: string): void {
    const sourceMessageId = this.history.sent.at(-1)!.messageId;
    const MessageAttributes = {
      reason: { StringValue: reason },
      sourceMessageId: { StringValue: sourceMessageId },
    };
    const messageId = `letter-${this.#letters++}`;
    this.#sqs(
      'SendMessage',
      { QueueUrl: LETTERS, MessageBody: body, MessageAttributes },
      { MessageId: messageId },
    );
    this.history.deadLetters.push({ messageId, body, attributes: { reason, sourceMessageId } });
  }

  #sqs(operation: string, asked: Json, answer: Json): void {
    this.call({ service: 'sqs', operation, body: JSON.stringify(asked), answer: JSON.stringify(answer) });
  }
}
