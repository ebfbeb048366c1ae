/**
 * What form the rows of an upload have, told by the request or the object's name. Apart from their reading,
 * so that the main thread, which only checks requests, loads no decoder.
 */

import { InvalidRequestError } from '../common/errors.ts';
import { type BucketPolicy, parseLocation } from '../contract/object-location.ts';
import type { RowSource } from '../contract/tier-requests.ts';

export type SourceFormat = 'jsonl' | 'csv' | 'parquet';

const FORMATS = new Map<string, SourceFormat>([
  ['jsonl', 'jsonl'],
  ['ndjson', 'jsonl'],
  ['json', 'jsonl'],
  ['csv', 'csv'],
  ['parquet', 'parquet'],
  ['pq', 'parquet'],
]);

/** Throws CONFIG_ERROR for a source that could never be read, before anything is. */
export function checkSource(source: RowSource, name: string, policy: BucketPolicy): void {
  if ('rows' in source) return;
  parseLocation(source.uri, `${name}.uri`, policy);
  formatOf(source, name);
}

/** Throws CONFIG_ERROR where neither the request nor the name tells. */
export function formatOf({ uri, format }: Extract<RowSource, { uri: string }>, name: string): SourceFormat {
  if (format !== 'auto') return format;
  const [, extension = ''] = /\.([a-z]+)(?:\.(?:gz|gzip|zst|zstd))?$/i.exec(uri) ?? [];
  const told = FORMATS.get(extension.toLowerCase());
  if (told !== undefined) return told;
  const names = [...FORMATS.keys()].map((one) => `.${one}`).join(', ');
  throw new InvalidRequestError(
    'CONFIG_ERROR',
    `${name}.format: must be told, since the name of ${uri} does not end with ${names} (and .gz or .zst)`,
  );
}
