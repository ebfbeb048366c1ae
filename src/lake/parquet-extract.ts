/**
 * A few columns of one row group as a Parquet file of their own: the chunks' bytes as they are, under a
 * new footer. What decodes it sees nothing else of the file, in one piece and at once: decoding needs no
 * I/O, and what is amiss elsewhere does not matter. Pure; throws where a footer makes no sense.
 *
 * The Arrow schema that some writers embed is kept only for columns that Parquet alone does not explain
 * (seconds since the epoch, say), since it also asks for types that are slower to read (large text).
 * Who wants texts as dictionaries (`dictionaryText`) gets them so for every column that may hold text,
 * whatever its writer said, and the others as Parquet's own types say.
 */

import {
  DataType,
  Dictionary,
  Field,
  Int32,
  Null,
  Schema,
  Table,
  tableFromIPC,
  tableToIPC,
  Utf8,
} from 'apache-arrow';
import type {
  ColumnMetaData,
  ConvertedType,
  Encoding,
  FileMetaData,
  KeyValue,
  SchemaElement,
} from 'hyparquet';
import { ByteWriter } from 'hyparquet-writer';
import { writeMetadata } from 'hyparquet-writer/src/metadata.js';
import { checkPageClaims } from './page-headers.ts';
import type { RowGroup } from './parquet-footer.ts';
import { isText, leavesOf } from './parquet-schema.ts';

export interface ExtractOptions {
  /** Texts are decoded as dictionaries with 32-bit indices. Default false. */
  readonly dictionaryText?: boolean;
}

export interface RowGroupExtractor {
  /** The file of `columns` of `group`; `bytesOf` gives the bytes of the original from `start` to `end`. */
  extract(
    group: RowGroup,
    columns: readonly string[],
    bytesOf: (start: number, end: number) => Uint8Array,
  ): Uint8Array;
}

const ARROW_SCHEMA = 'ARROW:schema';
const MAGIC = 'PAR1';
/** Room for the new footer; it grows where that is not enough. */
const FOOTER_BYTES = 4096;

/** Whether Parquet's own types leave open what the column is: 64 bits, and no more said. */
function isBare({ type, converted_type, logical_type }: SchemaElement): boolean {
  return type === 'INT64' && converted_type === undefined && logical_type === undefined;
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
    return schemaText(wanted);
  } catch {
    return undefined;
  }
}

function schemaText(fields: readonly Field[]): string {
  return Buffer.from(tableToIPC(new Table(new Schema([...fields])), 'stream')).toString('base64');
}

/** The Arrow schema that asks for texts as dictionaries; of other columns it says nothing (null). */
function dictionarySchemaOf(elements: readonly SchemaElement[]): string {
  return schemaText(
    elements.map((element, i) => {
      const type = isText(element) ? new Dictionary(new Utf8(), new Int32(), i) : new Null();
      return new Field(element.name, type, true);
    }),
  );
}

/**
 * An integer column with its width in the older form: hyparquet-writer writes the newer one's width as
 * another Thrift type than the format says, and parquet-wasm reads 16 bits for 8.
 */
function asInteger(element: SchemaElement): SchemaElement {
  const { logical_type: logical, ...rest } = element;
  if (logical?.type !== 'INTEGER') return element;
  const { bitWidth, isSigned } = logical;
  return { ...rest, converted_type: `${isSigned ? '' : 'U'}INT_${bitWidth}` as ConvertedType };
}

/** A text column as every reader takes it for text. */
function asText({ name, repetition_type }: SchemaElement): SchemaElement {
  const text: SchemaElement = {
    name,
    type: 'BYTE_ARRAY',
    converted_type: 'UTF8',
    logical_type: { type: 'STRING' },
  };
  return repetition_type === undefined ? text : { ...text, repetition_type };
}

/** The parts of the new footer that are the same for all row groups. */
function headOf(metadata: FileMetaData, columns: readonly string[], dictionaryText: boolean) {
  const leaves = leavesOf(metadata.schema);
  const elements = columns.map((name) => {
    const element = leaves.get(name);
    if (element === undefined) throw new RangeError(`column "${name}" is not a plain column`);
    return dictionaryText && isText(element) ? asText(element) : asInteger(element);
  });
  const root: SchemaElement = { name: 'schema', num_children: columns.length };
  if (dictionaryText) {
    const keyValues: KeyValue[] = [{ key: ARROW_SCHEMA, value: dictionarySchemaOf(elements) }];
    return { schema: [root, ...elements], keyValues };
  }
  const embedded = metadata.key_value_metadata?.find(({ key }) => key === ARROW_SCHEMA)?.value;
  const arrow =
    embedded !== undefined && elements.some(isBare) ? arrowSchemaOf(embedded, columns) : undefined;
  const keyValues: KeyValue[] = arrow === undefined ? [] : [{ key: ARROW_SCHEMA, value: arrow }];
  return { schema: [root, ...elements], keyValues };
}

/** The chunk's metadata for where it lies now: what decoding needs, its offsets moved by `shift`. */
function movedChunk(meta: ColumnMetaData, shift: number): ColumnMetaData {
  const { type, path_in_schema, codec, num_values } = meta;
  // Of no use to a reader, but it must be there, and an empty list would be written as one of bytes.
  const encodings: Encoding[] = ['PLAIN'];
  const { total_uncompressed_size, total_compressed_size, dictionary_page_offset: dictionary } = meta;
  const moved = { type, encodings, path_in_schema, codec, num_values, total_uncompressed_size };
  const data = meta.data_page_offset + BigInt(shift);
  const places = { total_compressed_size, data_page_offset: data };
  const known = dictionary !== undefined && dictionary > 0n;
  return { ...moved, ...places, ...(known ? { dictionary_page_offset: dictionary + BigInt(shift) } : {}) };
}

export function createExtractor(
  metadata: FileMetaData,
  { dictionaryText = false }: ExtractOptions = {},
): RowGroupExtractor {
  const heads = new Map<string, ReturnType<typeof headOf>>();

  return {
    extract(group, columns, bytesOf) {
      const key = columns.join('\n');
      const head = heads.get(key) ?? headOf(metadata, columns, dictionaryText);
      heads.set(key, head);
      const known = metadata.row_groups[group.index]?.columns ?? [];
      const size = columns.reduce((sum, name) => {
        const place = group.columns.get(name);
        return place === undefined ? sum : sum + place.end - place.start;
      }, FOOTER_BYTES);
      const file = new ByteWriter(size);
      file.appendBytes(Buffer.from(MAGIC));
      const chunks = columns.map((name) => {
        const path = (meta: ColumnMetaData | undefined) => meta?.path_in_schema;
        const chunk = known.find(
          ({ meta_data: meta }) => path(meta)?.length === 1 && path(meta)?.[0] === name,
        );
        const place = group.columns.get(name);
        if (chunk?.meta_data === undefined || place === undefined) {
          throw new RangeError(`row group ${group.index} has no column "${name}"`);
        }
        const meta_data = movedChunk(chunk.meta_data, file.offset - place.start);
        const bytes = bytesOf(place.start, place.end);
        checkPageClaims(bytes, Number(meta_data.total_uncompressed_size));
        file.appendBytes(bytes);
        return { file_offset: 0n, meta_data };
      });
      const rows = BigInt(group.rows);
      writeMetadata(file, {
        version: 1,
        schema: head.schema,
        num_rows: rows,
        row_groups: [{ columns: chunks, total_byte_size: BigInt(file.offset), num_rows: rows }],
        ...(head.keyValues.length > 0 ? { key_value_metadata: head.keyValues } : {}),
        metadata_length: 0,
      });
      file.appendBytes(Buffer.from(MAGIC));
      return new Uint8Array(file.buffer.transfer(file.index));
    },
  };
}
