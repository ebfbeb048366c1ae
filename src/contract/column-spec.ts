/** The kinds of columns that the tiers know: what a value of one is, whatever form it is stored in. */

/** Kinds of 64 bits a value. A timestamp is microseconds since the epoch, UTC. */
export type WideKind = 'timestamp' | 'int64' | 'float64';
export type ColumnKind = 'text' | WideKind | 'boolean';

export interface ColumnSpec {
  readonly name: string;
  readonly kind: ColumnKind;
}
