/**
 * When a request was carried out, in a header of its answer: milliseconds of the machine's monotonic clock,
 * which all its processes share. So whoever watches from outside can put the requests of many clients into
 * the order in which they took effect, however late their answers were read.
 */

import { machineMonotonic } from '../common/clock.ts';
import type { FauxqsApp } from './fauxqs.ts';

export const CARRIED_OUT_HEADER = 'x-tidemill-carried-out';

/** Must be installed before every other hook: its own runs first when an answer is made. */
export function installCarriedOut(app: FauxqsApp): void {
  app.addHook('onSend', (_request, reply, _payload, done) => {
    reply.header(CARRIED_OUT_HEADER, String(machineMonotonic()));
    done();
  });
}
