/** What becomes of each kind of call to an S3 that breaks off what it answers. */

import { systemClock } from '../../../src/common/clock.ts';
import { openLake } from '../../../src/lake/lake.ts';
import { failureOf } from '../fault-lake.ts';
import { type Answer, startStallingS3 } from '../stalling-s3.ts';

const AT = { bucket: 'b', key: 'k' };
/** More than the SDK and we try together. */
const TRIES = 100;

/** The failure of each call, by its name. */
export async function failures(answer: Answer): Promise<Record<string, string>> {
  const server = await startStallingS3();
  process.env.AWS_ENDPOINT_URL = server.endpoint;
  process.env.AWS_ACCESS_KEY_ID = 'test';
  process.env.AWS_SECRET_ACCESS_KEY = 'test';
  const settings = { region: 'us-east-1', forcePathStyle: true, connectTimeoutMs: 500, idleTimeoutMs: 500 };
  const lake = openLake(settings, systemClock, { request() {}, conflict() {}, retry() {} });
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    read: () => lake.store.get(AT),
    'ranged read': () => lake.store.getRange(AT, { suffix: 4 }),
    listing: () => lake.store.list(AT),
    deletion: () => lake.store.delete(AT),
    write: () => lake.writer.create(AT, Buffer.from('x')),
  };
  const found: Record<string, string> = {};
  try {
    for (const [name, call] of Object.entries(calls)) {
      server.next(...Array.from({ length: TRIES }, () => answer));
      found[name] = await failureOf(call());
    }
    return found;
  } finally {
    lake.close();
    await server.close();
  }
}
