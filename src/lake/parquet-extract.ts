/**
 * A few columns of one row group as a Parquet file of their own: the chunks' bytes as they are, under a
 * new footer. What decodes it sees nothing else of the file, in one piece and at once: decoding needs no
 * I/O, and what is amiss elsewhere does not matter. Pure; throws RangeError for a footer that makes no sense.
 *
 * Only the fields that decoding needs are kept. The Arrow schema that some writers embed is kept only for
 * columns that Parquet alone does not explain (seconds since the epoch, say), since it also asks for types
 * that are slower to read (dictionaries, large text).
 */

import { DataType, Field, Schema, Table, tableFromIPC, tableToIPC, Utf8 } from 'apache-arrow';
import type { RowGroup } from './parquet-footer.ts';
import {
  encodeStruct,
  I32,
  I64,
  integerField,
  integerOf,
  onlyTextOf,
  structField,
  structOf,
  structsField,
  structsOf,
  type ThriftStruct,
  textField,
  textOf,
} from './thrift.ts';

export interface RowGroupExtractor {
  /** The file of `columns` of `group`; `bytesOf` gives the bytes of the original from `start` to `end`. */
  extract(
    group: RowGroup,
    columns: readonly string[],
    bytesOf: (start: number, end: number) => Uint8Array,
  ): Uint8Array;
}

// Ids of fields, as parquet.thrift has them.
const FILE = { version: 1, schema: 2, rows: 3, rowGroups: 4, keyValues: 5 } as const;
const ELEMENT = { type: 1, name: 4, children: 5, converted: 6, logical: 10 } as const;
const GROUP = { columns: 1, bytes: 2, rows: 3 } as const;
const CHUNK = { offset: 2, meta: 3 } as const;
const META = { path: 3, lastPlain: 7, data: 9, dictionary: 11 } as const;
const KEY_VALUE = { key: 1, value: 2 } as const;

const ARROW_SCHEMA = 'ARROW:schema';
const MAGIC = Buffer.from('PAR1');
const TYPE_INT64 = 2;

interface FileParts {
  /** The schema's elements for top-level columns without children, by name. */
  readonly leaves: ReadonlyMap<string, Uint8Array>;
  readonly groups: readonly Uint8Array[];
  readonly arrowSchema: string | undefined;
}

function partsOf(footer: Uint8Array): FileParts {
  const file = structOf(footer);
  const leaves = new Map<string, Uint8Array>();
  let inside = 0;
  for (const bytes of structsOf(file.get(FILE.schema)).slice(1)) {
    const element = structOf(bytes);
    const children = integerOf(element.get(ELEMENT.children));
    if (inside === 0 && children === undefined) leaves.set(textOf(element.get(ELEMENT.name)) ?? '', bytes);
    inside = Math.max(0, inside - 1) + (children ?? 0);
  }
  const keyValues = file.has(FILE.keyValues) ? structsOf(file.get(FILE.keyValues)).map(structOf) : [];
  const arrow = keyValues.find((pair) => textOf(pair.get(KEY_VALUE.key)) === ARROW_SCHEMA);
  return {
    leaves,
    groups: structsOf(file.get(FILE.rowGroups)),
    arrowSchema: textOf(arrow?.get(KEY_VALUE.value)),
  };
}

/** Whether Parquet's own types leave open what the column is: 64 bits, and no more said. */
function isBare(element: ThriftStruct): boolean {
  const described = element.has(ELEMENT.converted) || element.has(ELEMENT.logical);
  return integerOf(element.get(ELEMENT.type)) === TYPE_INT64 && !described;
}

/** The embedded Arrow schema for `columns` alone, text as plain text; undefined where it can not be had. */
function arrowSchemaOf(embedded: string, columns: readonly string[]): string | undefined {
  try {
    const { fields } = tableFromIPC(Buffer.from(embedded, 'base64')).schema;
    const wanted = columns.map((name) => {
      const field = fields.find((candidate) => candidate.name === name)!;
      const { type } = field;
      const text = DataType.isDictionary(type) || DataType.isLargeUtf8(type) || DataType.isUtf8View(type);
      return text ? new Field(name, new Utf8(), field.nullable) : field;
    });
    return Buffer.from(tableToIPC(new Table(new Schema(wanted)), 'stream')).toString('base64');
  } catch {
    return undefined;
  }
}

/** The footer's fields that are the same for all row groups. */
function headOf(parts: FileParts, columns: readonly string[]) {
  const elements = columns.map((name) => {
    const element = parts.leaves.get(name);
    if (element === undefined) throw new RangeError(`column "${name}" is not a plain column`);
    return element;
  });
  const root = encodeStruct([
    textField(ELEMENT.name, 'schema'),
    integerField(ELEMENT.children, I32, columns.length),
  ]);
  const fields = [integerField(FILE.version, I32, 1), structsField(FILE.schema, [root, ...elements])];
  if (parts.arrowSchema !== undefined && elements.some((element) => isBare(structOf(element)))) {
    const arrow = arrowSchemaOf(parts.arrowSchema, columns);
    if (arrow !== undefined) {
      const pair = [textField(KEY_VALUE.key, ARROW_SCHEMA), textField(KEY_VALUE.value, arrow)];
      fields.push(structsField(FILE.keyValues, [encodeStruct(pair)]));
    }
  }
  return fields;
}

/** The chunk metadata of the top-level columns, by name. */
function chunksOf(group: Uint8Array): Map<string, ThriftStruct> {
  const chunks = new Map<string, ThriftStruct>();
  for (const bytes of structsOf(structOf(group).get(GROUP.columns))) {
    const field = structOf(bytes).get(CHUNK.meta);
    if (field === undefined) continue;
    const meta = structOf(field.bytes);
    const name = onlyTextOf(meta.get(META.path));
    if (name !== undefined) chunks.set(name, meta);
  }
  return chunks;
}

/** The chunk's metadata for where it lies now: what decoding needs, its offsets moved by `shift`. */
function movedChunk(meta: ThriftStruct, shift: number): Uint8Array {
  const fields = [...meta.values()].filter(({ id }) => id <= META.lastPlain);
  for (const id of [META.data, META.dictionary]) {
    const offset = integerOf(meta.get(id));
    if (offset !== undefined && offset > 0) fields.push(integerField(id, I64, offset + shift));
  }
  return encodeStruct([integerField(CHUNK.offset, I64, 0), structField(CHUNK.meta, encodeStruct(fields))]);
}

/** `footer`: the footer's bytes, from the first of its metadata on. */
export function createExtractor(footer: Uint8Array): RowGroupExtractor {
  const parts = partsOf(footer);
  const heads = new Map<string, ReturnType<typeof headOf>>();

  return {
    extract(group, columns, bytesOf) {
      const key = columns.join('\n');
      const head = heads.get(key) ?? headOf(parts, columns);
      heads.set(key, head);
      const raw = parts.groups[group.index];
      if (raw === undefined) throw new RangeError(`there is no row group ${group.index}`);
      const known = chunksOf(raw);
      const body: Uint8Array[] = [MAGIC];
      let size = MAGIC.length;
      const chunks = columns.map((name) => {
        const meta = known.get(name);
        const place = group.columns.get(name);
        if (meta === undefined || place === undefined) {
          throw new RangeError(`row group ${group.index} has no column "${name}"`);
        }
        const bytes = bytesOf(place.start, place.end);
        const moved = movedChunk(meta, size - place.start);
        body.push(bytes);
        size += bytes.length;
        return moved;
      });
      const only = encodeStruct([
        structsField(GROUP.columns, chunks),
        integerField(GROUP.bytes, I64, size),
        integerField(GROUP.rows, I64, group.rows),
      ]);
      const rows = integerField(FILE.rows, I64, group.rows);
      const tail = encodeStruct([...head, rows, structsField(FILE.rowGroups, [only])]);
      const end = Buffer.alloc(8);
      end.writeUInt32LE(tail.length);
      end.set(MAGIC, 4);
      return concat([...body, tail, end], size + tail.length + end.length);
    },
  };
}

function concat(parts: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
