/** What an encoder thread is told, and what it answers: one answer for each order, buffers by transfer. */

import type { ErrorRecord } from '../common/errors.ts';
import type { EncodedColumn } from './column-encoder.ts';
import type { ColumnMessage } from './tier-table/column-message.ts';

export interface EncoderOrder {
  readonly id: number;
  readonly column: ColumnMessage;
}

export type EncoderAnswer =
  | { readonly id: number; readonly ok: true; readonly chunk: EncodedColumn }
  | { readonly id: number; readonly ok: false; readonly error: ErrorRecord };
