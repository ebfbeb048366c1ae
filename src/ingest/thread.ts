/** The thread's side of an ingest run: one file each time. */

import { defineTask } from '../lake/thread-context.ts';
import { type Loaded, type LoadInput, loadFile } from './load-file.ts';

export const task = defineTask<LoadInput, Loaded>(async (input, { lake, signal, progress }) => {
  return await loadFile(input, { lake, signal, progress });
});
