/** The container's entry: runs the worker, and says on standard error why it could not start. */

import { messageOf } from './common/errors.ts';
import { ConfigurationError } from './config.ts';
import { runWorker } from './worker-process.ts';

runWorker().catch((error: unknown) => {
  const reason = error instanceof ConfigurationError ? '' : 'tidemill could not start: ';
  process.stderr.write(`${reason}${messageOf(error)}\n`);
  process.exit(1);
});
