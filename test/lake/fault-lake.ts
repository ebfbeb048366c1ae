/** A lake on the embedded S3, whose requests a test may make fail, and which it can watch. */

import { S3Client } from '@aws-sdk/client-s3';
import { systemClock } from '../../src/common/clock.ts';
import type { ObjectLocation } from '../../src/contract/object-location.ts';
import { type Lake, openLake } from '../../src/lake/lake.ts';
import type { RequestObservation } from '../../src/lake/request-observer.ts';
import { startLocalAws } from '../../src/local/local-aws.ts';
import type { LocalRequest, Verdict } from '../../src/local/request-hooks.ts';
import { createResources, environment, LOCAL_CREDENTIALS, LOCAL_REGION } from '../../src/local/resources.ts';

export type When = 'before' | 'after';

export interface Fault {
  /** `before` the operation is carried out, or `after` it was. */
  readonly when: When;
  readonly operation: string;
  /** How many times; default once. */
  readonly times?: number;
  readonly verdict: Verdict | ((request: LocalRequest) => Promise<Verdict | undefined>);
}

export interface Watched {
  /** Every attempt on the wire, as `PutObject 200`, or `PutObject error`. */
  readonly requests: RequestObservation[];
  readonly conflicts: string[];
  readonly retries: string[];
}

export interface FaultLake {
  readonly lake: Lake;
  readonly bucket: string;
  readonly endpoint: string;
  /** What a worker thread or process needs to reach it. */
  readonly env: Readonly<Record<string, string>>;
  /** A client of the test's own, which meets no faults. */
  readonly s3: S3Client;
  readonly watched: Watched;
  at(key: string): ObjectLocation;
  /** From here on these faults, in place of those before, and nothing watched yet. */
  faults(...faults: Fault[]): void;
  /** `PutObject 200` and so on, in the order of their answers. */
  wire(): string[];
  close(): Promise<void>;
}

export interface FaultLakeOptions {
  /** How long a socket may be silent; default 20,000. */
  readonly idleTimeoutMs?: number;
  /** Of the SDK; default 3, as its own. */
  readonly attempts?: number;
}

const TEST_APP = 'the-test';

export const fail = (status: number, code: string): Verdict => ({ kind: 'fail', status, code });
export const drop: Verdict = { kind: 'drop' };

export async function openFaultLake(options: FaultLakeOptions = {}): Promise<FaultLake> {
  const { idleTimeoutMs = 20_000, attempts = 3 } = options;
  let faults: { readonly fault: Fault; left: number }[] = [];
  const judge = (when: When) => async (request: LocalRequest) => {
    if (String(request.headers['user-agent']).includes(TEST_APP)) return undefined;
    const due = faults.find(
      ({ fault, left }) => left > 0 && fault.when === when && fault.operation === request.operation,
    );
    if (due === undefined) return undefined;
    due.left--;
    const { verdict } = due.fault;
    return typeof verdict === 'function' ? await verdict(request) : verdict;
  };
  const aws = await startLocalAws({ hooks: { onRequest: judge('before'), onResponse: judge('after') } });
  const resources = await createResources(aws.endpoint);
  const { bucket, endpoint } = resources;
  const env = { ...environment(resources), AWS_MAX_ATTEMPTS: String(attempts) };
  Object.assign(process.env, env);
  const watched: Watched = { requests: [], conflicts: [], retries: [] };
  const lake = openLake(
    { region: LOCAL_REGION, forcePathStyle: true, connectTimeoutMs: 1_000, idleTimeoutMs },
    systemClock,
    {
      request: (observation) => void watched.requests.push(observation),
      conflict: (operation) => void watched.conflicts.push(operation),
      retry: (operation) => void watched.retries.push(operation),
    },
  );
  const s3 = new S3Client({
    endpoint,
    region: LOCAL_REGION,
    credentials: LOCAL_CREDENTIALS,
    forcePathStyle: true,
    userAgentAppId: TEST_APP,
  });
  return {
    lake,
    bucket,
    endpoint,
    env,
    s3,
    watched,
    at: (key) => ({ bucket, key }),
    faults(...next) {
      faults = next.map((fault) => ({ fault, left: fault.times ?? 1 }));
      for (const list of [watched.requests, watched.conflicts, watched.retries]) list.length = 0;
    },
    wire: () => watched.requests.map(({ operation, status }) => `${operation} ${status}`),
    async close() {
      lake.close();
      s3.destroy();
      await aws.stop();
    },
  };
}

/** `RetryableError OUTPUT_WRITE_ERROR: message`, or `Name: message`, of what `work` failed with. */
export async function failureOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    const { name, code, message } = error as { name: string; code?: string; message: string };
    return code === undefined ? `${name}: ${message}` : `${name} ${code}: ${message}`;
  }
  throw new Error('it succeeded');
}
