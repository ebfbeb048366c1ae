/** What a file is: decided by its name, and where that does not tell by its first bytes. Pure. */

import type { IngestFormat } from '../contract/ingest-run.ts';
import { fileFault } from './rows.ts';

export type FileFormat = Exclude<IngestFormat, 'auto'>;

const BY_EXTENSION: Readonly<Record<string, FileFormat>> = {
  csv: 'csv',
  tsv: 'csv',
  tab: 'csv',
  txt: 'csv',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  parquet: 'parquet',
  xlsx: 'xlsx',
  xlsm: 'xlsx',
};
const PACKED: ReadonlySet<string> = new Set(['gz', 'gzip', 'zst', 'zstd']);

/** The extensions of a key's last segment, lower case, the last one first. */
function extensions(key: string): string[] {
  return key
    .slice(key.lastIndexOf('/') + 1)
    .toLowerCase()
    .split('.')
    .slice(1)
    .reverse();
}

/** The format by the name, or undefined where the name does not tell. */
export function formatOfName(key: string): FileFormat | undefined {
  const [first = '', second = ''] = extensions(key);
  return BY_EXTENSION[PACKED.has(first) ? second : first];
}

/** The format by the first bytes, unpacked. */
export function formatOfHead(head: Uint8Array): FileFormat {
  const text = Buffer.from(head.subarray(0, 256)).toString('latin1');
  if (text.startsWith('PAR1')) return 'parquet';
  if (text.startsWith('PK\u0003\u0004')) return 'xlsx';
  if (text.startsWith('\u00d0\u00cf\u0011\u00e0')) return 'xlsx';
  return /^(?:\u00ef\u00bb\u00bf)?\s*\{/.test(text) ? 'jsonl' : 'csv';
}

/** A fault where the bytes of a file are plainly something else than its format. */
export function checkHead(format: FileFormat, head: Uint8Array): void {
  if (format !== 'csv' && format !== 'jsonl') return;
  const found = formatOfHead(head);
  if (found === 'parquet' || found === 'xlsx') {
    throw fileFault(`it is ${found === 'xlsx' ? 'a workbook or ZIP file' : 'a Parquet file'}, not ${format}`);
  }
}

/** The delimiter of a CSV whose request names none. */
export function delimiterOfName(key: string): string {
  const names = extensions(key).slice(0, 2);
  return names.includes('tsv') || names.includes('tab') ? '\t' : ',';
}
