/**
 * The S3 client as the lake uses it: timeouts set, and every request counted and timed below the
 * SDK's retries. Region, endpoint, credentials and roles are the SDK's own affair.
 */

import { S3Client } from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { Clock } from '../common/clock.ts';
import { InvalidRequestError } from '../common/errors.ts';
import { shortened } from '../common/tellable.ts';
import type { LakeObserver } from './request-observer.ts';

export interface S3Settings {
  readonly region: string;
  readonly forcePathStyle: boolean;
  /**
   * The buckets that may be reached; default no bound. Requests are held to them where they are parsed, with
   * errors that name the field. This is the last door of all, for what a manifest or a mistake might name.
   */
  readonly buckets?: readonly string[] | undefined;
  /** How long to wait for a connection, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** How long a socket may stay silent in mid-request, in milliseconds. */
  readonly idleTimeoutMs: number;
}

export const DEFAULT_S3_TIMEOUTS = { connectTimeoutMs: 5_000, idleTimeoutMs: 20_000 } as const;

const SHOWN_BUCKET = 64;

interface WireRequest {
  readonly body?: unknown;
}
interface WireResponse {
  readonly statusCode?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

function lengthOf(body: unknown): number {
  if (typeof body === 'string') return Buffer.byteLength(body);
  return body instanceof Uint8Array ? body.byteLength : 0;
}

export function createS3Client(settings: S3Settings, clock: Clock, observer: LakeObserver): S3Client {
  const client = new S3Client({
    region: settings.region,
    forcePathStyle: settings.forcePathStyle,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: new NodeHttpHandler({
      connectionTimeout: settings.connectTimeoutMs,
      socketTimeout: settings.idleTimeoutMs,
      requestTimeout: settings.idleTimeoutMs,
      throwOnRequestTimeout: true,
      httpAgent: { maxSockets: 64, keepAlive: true },
      httpsAgent: { maxSockets: 64, keepAlive: true },
    }),
  });
  const { buckets } = settings;
  if (buckets !== undefined) {
    client.middlewareStack.add(
      (next) => async (args) => {
        const { Bucket: bucket } = args.input as { readonly Bucket?: string };
        if (bucket === undefined || buckets.includes(bucket)) return await next(args);
        const shown = shortened(bucket, SHOWN_BUCKET);
        throw new InvalidRequestError('CONFIG_ERROR', `the bucket "${shown}" may not be reached`);
      },
      { step: 'initialize', priority: 'high', name: 'tidemillHoldBuckets' },
    );
  }
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const operation = String(context.commandName ?? 'unknown').replace(/Command$/, '');
      const started = clock.monotonic();
      const bytesOut = lengthOf((args.request as WireRequest).body);
      try {
        const result = await next(args);
        const response = result.response as WireResponse;
        observer.request({
          operation,
          status: String(response.statusCode ?? 'error'),
          seconds: (clock.monotonic() - started) / 1000,
          bytesOut,
          bytesIn: operation === 'HeadObject' ? 0 : Number(response.headers?.['content-length'] ?? 0),
        });
        return result;
      } catch (error) {
        const seconds = (clock.monotonic() - started) / 1000;
        observer.request({ operation, status: 'error', seconds, bytesOut, bytesIn: 0 });
        throw error;
      }
    },
    // Innermost: inside the retries, and before a status is turned into an error.
    { step: 'deserialize', priority: 'low', name: 'tidemillObserveRequest' },
  );
  return client;
}
