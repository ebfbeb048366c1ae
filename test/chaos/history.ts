/**
 * What one simulated run leaves behind for its checker: only what is seen from outside the workers, as
 * plain data. The simulator writes it, the checker reads it, and neither knows the other. Everything in
 * `directory` and in this record can be kept, so that a failed seed is looked at again without a rerun.
 *
 * Times (`at`, `…At`) are milliseconds on one monotonic clock, from the start of the run; `wall` times
 * are milliseconds since the epoch by the simulator's own clock, which no fault touches.
 */

export type RequestKind = 'metric' | 'upload' | 'compaction' | 'ingest' | 'poison';

/** One message that the simulator sent. */
export interface SentRequest {
  /** `runId` or `requestId`; of poison, a name of its own. Messages sent twice have it in common. */
  readonly id: string;
  readonly kind: RequestKind;
  readonly body: string;
  readonly messageId: string;
  readonly groupId: string;
  readonly deduplicationId: string;
  /** The message attribute `type`, where it had one. */
  readonly typeAttribute?: string;
  readonly at: number;
}

/** One version of an object that the simulator itself put into the bucket: a source file, a dataset's file. */
export interface GivenObject {
  readonly key: string;
  readonly etag: string;
  readonly at: number;
  /** Of a text file, what is in it. Of others see `StoredObject`: they have one version only. */
  readonly text?: string;
}

/**
 * A request of a worker as it came through the proxy, with what became of it. In order of `seq`, the order
 * of arrival; what was carried out is ordered by `carriedOutAt`.
 */
export interface Call {
  readonly seq: number;
  readonly at: number;
  /** When the service carried it out, by the service's own word; of what was never sent on, as `endedAt`. */
  readonly carriedOutAt: number;
  /** When the worker had its answer, or the end of its connection. */
  readonly endedAt: number;
  readonly wall: number;
  /** The name of the worker process; `proxy` of what the proxy sent on its own, as a fault. */
  readonly worker: string;
  readonly service: 's3' | 'sqs' | 'sns';
  /** As the API reference has it: `PutObject`, `ReceiveMessage`, `Publish`, … */
  readonly operation: string;
  readonly bucket?: string;
  readonly key?: string;
  /** S3: `if-match`, `if-none-match` and user metadata, as sent. */
  readonly headers: Readonly<Record<string, string>>;
  /** S3 PUT of JSON: the text. SNS: the message. SQS: the call's own JSON. */
  readonly body?: string;
  /** Bytes of the request's body. */
  readonly bytes: number;
  /** Whether the service carried it out and said 2xx, whatever the worker heard of it. */
  readonly carriedOut: boolean;
  /** The service's status, 0 where it was never asked; and its ETag and JSON answer where there is one. */
  readonly status: number;
  readonly etag?: string;
  /** Of SQS: the answer's JSON. */
  readonly answer?: string;
  /** What the proxy did to it, by the name in the table of faults. */
  readonly fault?: string;
}

/** One event, as a subscriber got it from the topic. */
export interface ReceivedEvent {
  readonly at: number;
  readonly body: Readonly<Record<string, unknown>> & { readonly type: string };
}

export interface DeadLetter {
  readonly messageId: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** The life of one worker process. */
export interface ProcessLife {
  readonly name: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly exitCode: number | null;
  readonly exitSignal: string | null;
  /** What the simulator did to it: `kill`, `stop` (SIGSTOP), `continue`, `drain` (SIGTERM), `clock`. */
  readonly deeds: readonly { readonly at: number; readonly deed: string; readonly value?: number }[];
  /** Its log lines, and what it wrote to standard error. */
  readonly log: readonly Readonly<Record<string, unknown>>[];
  readonly complaints: string;
  /** The highest resident memory seen, in KiB (`VmHWM`). */
  readonly peakKiB: number;
  /** Names that it left in its own temporary directory. */
  readonly leftovers: readonly string[];
}

/** One object that lies in the bucket at the end; its bytes are the file `path`. */
export interface StoredObject {
  readonly key: string;
  readonly etag: string;
  readonly bytes: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** Relative to `History.directory`. */
  readonly path: string;
}

export interface History {
  readonly seed: number;
  /** The name of the seed's mix of faults. */
  readonly mix: string;
  /** When the run began, by the simulator's clock: what `at` 0 is as `wall`. */
  readonly startedWall: number;
  /** Where the objects' bytes lie. */
  readonly directory: string;
  readonly bucket: string;
  /** URLs of the queues as the simulator knows them; a worker's differ in the host, not in the path. */
  readonly queues: { readonly requests: string; readonly deadLetters: string };
  /** The workers' settings that a rule depends on. */
  readonly settings: {
    readonly maxReceiveCount: number;
    readonly visibilitySeconds: number;
    readonly readerGraceSeconds: number;
    /** The furthest that any worker's clock was ever moved from the true one, in seconds. */
    readonly clockStepSeconds: number;
    readonly memoryLimitKiB: number;
    /** Whether events went out on a FIFO topic, which drops what comes twice. */
    readonly fifoTopic: boolean;
  };
  /** What the simulator put into the bucket, in the order of time. */
  readonly given: readonly GivenObject[];
  readonly sent: readonly SentRequest[];
  readonly calls: readonly Call[];
  readonly events: readonly ReceivedEvent[];
  readonly deadLetters: readonly DeadLetter[];
  /** Messages that wait or are in flight when all has settled; and whether it settled in time. */
  readonly settled: { readonly inTime: boolean; readonly waiting: number; readonly inFlight: number };
  readonly processes: readonly ProcessLife[];
  readonly objects: readonly StoredObject[];
  /** The ledger's tables at the end, by name; rows with Postgres's column names. */
  readonly ledger: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>;
  /** How often each fault struck, by name. */
  readonly faults: Readonly<Record<string, number>>;
  /** The simulator's own story, a line each, for people. */
  readonly timeline: readonly string[];
}

/** What the checker found wrong. */
export interface Violation {
  /** The rule's short name: `one-outcome`, `metric-oracle`, `tier-union`, … */
  readonly rule: string;
  /** What was expected and what was seen, with the ids and keys to look for. */
  readonly detail: string;
}
