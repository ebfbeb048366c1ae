/** What an encoder thread is told, and what it answers: one answer for each order, buffers by transfer. */

import type { ErrorRecord } from '../common/errors.ts';
import type { EncodedColumn } from './column-encoder.ts';
import type { ColumnMessage } from './tier-table/column-message.ts';

export interface EncoderOrder {
  readonly column: ColumnMessage;
}

export type EncoderAnswer =
  | { readonly ok: true; readonly chunk: EncodedColumn }
  | { readonly ok: false; readonly error: ErrorRecord };
