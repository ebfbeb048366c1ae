/** The commands of `tidemill`, in the order in which --help lists them. New ones, and groups of them, are added here. */

import type { CommandModule } from './command.ts';
import { addDemo } from './demo.ts';
import { addIngest } from './ingest.ts';
import { addLedger } from './ledger.ts';
import { addSend } from './send.ts';
import { addTier } from './tier.ts';
import { addValidate } from './validate.ts';
import { addWorker } from './worker.ts';

export const COMMANDS: readonly CommandModule[] = [
  addWorker,
  addDemo,
  addSend,
  addIngest,
  addLedger,
  addTier,
  addValidate,
];
