/** Which columns of a file are read straight from their pages, and those columns read so. */

import { ChunkReader } from '../../src/lake/chunk-reader.ts';
import { readFooter } from '../../src/lake/parquet-footer.ts';
import { leavesOf } from '../../src/lake/parquet-schema.ts';
import { memoryFile } from './memory-file.ts';
import { encodeStruct, I32, integerField, structField, type ThriftField } from './thrift.ts';

export interface OpenedChunk {
  readonly name: string;
  readonly group: number;
  readonly rows: number;
  /** Undefined where parquet-wasm is to read it. */
  readonly reader: ChunkReader | undefined;
}

/** All chunks of a file, opened. */
export async function chunksOf(bytes: Uint8Array): Promise<OpenedChunk[]> {
  const { metadata, rowGroups } = await readFooter(memoryFile('a.parquet', bytes));
  const elements = [...leavesOf(metadata.schema)];
  return rowGroups.flatMap(({ index, rows, columns }) =>
    elements.map(([name, element]) => {
      const { start, end, codec } = columns.get(name)!;
      const reader = ChunkReader.open(bytes.subarray(start, end), element, codec, rows);
      return { name, group: index, rows, reader };
    }),
  );
}

/** The columns that parquet-wasm reads, in any of the row groups. */
export async function othersOf(bytes: Uint8Array): Promise<string[]> {
  const chunks = await chunksOf(bytes);
  return [...new Set(chunks.filter(({ reader }) => reader === undefined).map(({ name }) => name))];
}

export interface HandmadePage {
  readonly values: number;
  readonly body: Uint8Array;
  /** Default PLAIN. */
  readonly encoding?: 'PLAIN' | 'RLE_DICTIONARY';
  /** Whether it is the dictionary. */
  readonly dictionary?: boolean;
  /** What the header says of the body's length, where that is a lie. */
  readonly stored?: number;
  readonly raw?: number;
  /** Fields of the header beside those that are read. */
  readonly more?: readonly ThriftField[];
}

/** A page of the first version with its header, as it is stored. */
export function pageOf(page: HandmadePage): Uint8Array {
  const { values, body, encoding = 'PLAIN', dictionary = false, more = [] } = page;
  const { stored = body.length, raw = body.length } = page;
  const inner = [integerField(1, I32, values), integerField(2, I32, encoding === 'PLAIN' ? 0 : 8)];
  const levels = [integerField(3, I32, 3), integerField(4, I32, 3)];
  const header = encodeStruct([
    integerField(1, I32, dictionary ? 2 : 0),
    integerField(2, I32, raw),
    integerField(3, I32, stored),
    dictionary ? structField(7, inner) : structField(5, [...inner, ...levels]),
    ...more,
  ]);
  return Buffer.concat([header, body]);
}
