/** What an encoder thread is told, and what it answers: one answer for each order, buffers by transfer. */

import type { ErrorRecord } from '../common/errors.ts';
import type { ColumnParts } from './tier-table/column-parts.ts';

export interface EncoderOrder {
  readonly parts: ColumnParts;
}

export type EncoderAnswer =
  | { readonly ok: true; readonly file: Uint8Array }
  | { readonly ok: false; readonly error: ErrorRecord };
