/** The thread's side of a hot upload. */

import type { HotUploadResult } from '../contract/tier-requests.ts';
import { defineTask } from '../lake/thread-context.ts';
import { type UploadInput, uploadHotFile } from './upload.ts';

export const task = defineTask<UploadInput, HotUploadResult>(uploadHotFile);
