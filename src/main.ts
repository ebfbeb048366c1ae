/**
 * The container's entry: runs the worker, and says on standard error why it could not start.
 *
 * It hears signals before it loads anything: a process 1 that has no handler yet is not stopped by them.
 */

import { setImmediate } from 'node:timers/promises';

/** As package.json says. An older one fails only where a thread loads what it lacks. */
const NODE = 24;

if (Number.parseInt(process.versions.node, 10) < NODE) {
  process.stderr.write(`tidemill needs Node ${NODE} or later, and this is ${process.version}\n`);
  process.exit(1);
}

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
let asked = false;
const ask = () => {
  asked = true;
};
for (const signal of SIGNALS) process.once(signal, ask);

const { messageOf } = await import('./common/errors.ts');
const { ConfigurationError } = await import('./config.ts');
const { runWorker } = await import('./worker-process.ts');

// A signal that came meanwhile is heard when the event loop turns.
await setImmediate();
if (!asked) {
  const running = runWorker();
  // It has handlers of its own by now.
  for (const signal of SIGNALS) process.off(signal, ask);
  running.catch((error: unknown) => {
    const reason = error instanceof ConfigurationError ? '' : 'tidemill could not start: ';
    process.stderr.write(`${reason}${messageOf(error)}\n`);
    process.exit(1);
  });
}
