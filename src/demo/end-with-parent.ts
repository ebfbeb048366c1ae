/** Loaded into the worker of a demo before all else (`--import`): a demo that is killed takes its worker along. */

import { isMainThread } from 'node:worker_threads';

if (isMainThread) process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
