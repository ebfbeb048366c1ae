/**
 * The embedded AWS: SQS, SNS and S3 of one process on one port, for demo, development and tests.
 * fauxqs does the work; what it gets wrong is put right by the shims installed here, each of which
 * names its flaw. Hooks run in the order of installation; the guard of conditional writes is last.
 */

import type { AddressInfo } from 'node:net';
import { installByteRanges } from './byte-range.ts';
import { installCarriedOut } from './carried-out.ts';
import { enforceConditionalWrites } from './conditional-writes.ts';
import { buildFauxqs, moveQueuesTo } from './fauxqs.ts';
import { installHostStyle } from './host-style.ts';
import { installLargeBodies } from './large-body.ts';
import { installLongPolls } from './long-poll.ts';
import { installObjectListing } from './object-listing.ts';
import { installReceiptHandles } from './receipt-handle.ts';
import { installRequestHooks, type RequestHooks } from './request-hooks.ts';
import { installSqsErrorNames } from './sqs-error-name.ts';

export interface LocalAwsOptions {
  /** Default 0: any free one. */
  readonly port?: number | undefined;
  /** Default 127.0.0.1; 0.0.0.0 in a container. */
  readonly host?: string | undefined;
  /** Keeps everything here across restarts; default: in memory. */
  readonly dataDir?: string | undefined;
  /** Called around every request; see request-hooks.ts. */
  readonly hooks?: RequestHooks | undefined;
}

export interface LocalAws {
  /** For `AWS_ENDPOINT_URL` and the SDK's `endpoint`; reachable from this machine. */
  readonly endpoint: string;
  readonly port: number;
  /** Drops open connections, long polls among them, and closes the stores. Safe to call twice. */
  stop(): Promise<void>;
}

/**
 * Starts it, with conditional writes proven to hold before the port is opened.
 * @throws Error when they do not, or the port is taken
 */
export async function startLocalAws(options: LocalAwsOptions = {}): Promise<LocalAws> {
  const { port = 0, host = '127.0.0.1', dataDir, hooks } = options;
  const fauxqs = await buildFauxqs(dataDir);
  const { app, stores } = fauxqs;
  installCarriedOut(app);
  installHostStyle(app, stores.s3Store);
  installLargeBodies(app);
  installSqsErrorNames(app);
  if (hooks !== undefined) installRequestHooks(app, hooks);
  installObjectListing(app, stores.s3Store);
  installByteRanges(app, stores.s3Store);
  installReceiptHandles(app, stores.sqsStore);
  installLongPolls(app, stores.sqsStore);
  try {
    await enforceConditionalWrites(fauxqs);
    await app.listen({ port, host });
  } catch (error) {
    await app.close();
    throw error;
  }
  const address = app.server.address() as AddressInfo;
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const endpoint = `http://${reachable}:${address.port}`;
  moveQueuesTo(stores.sqsStore, endpoint);
  return {
    endpoint,
    port: address.port,
    stop: async () => {
      await app.close();
    },
  };
}
