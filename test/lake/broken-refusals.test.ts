/**
 * An S3 that refuses, and breaks off before it has said why: nothing is known then, and all may be well next
 * time. Outside of jest, in whose realm the SDK makes other errors of it.
 */

import { expect, test } from '@jest/globals';
import { runApart } from './apart/run-apart.ts';
import type { Answer } from './stalling-s3.ts';

const MODULE = new URL('apart/broken-refusals.ts', import.meta.url);

test.each<Answer>(['breaks off a 404', 'breaks off a 403'])(
  'an S3 that %s is asked again later',
  async (answer) => {
    const failures = await runApart<Record<string, string>>(MODULE, 'failures', answer);
    expect(Object.keys(failures)).toHaveLength(5);
    for (const failure of Object.values(failures))
      expect(failure).toMatch(/^RetryableError \w+_ERROR: Failed to/);
  },
);
