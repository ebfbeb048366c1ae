/** Workbooks made by hand, good ones and bad ones: a ZIP of a few small XML files. */

import { crc32, deflateRawSync } from 'node:zlib';

/** A ZIP of these entries; `lie` sets the unpacked size that its headers claim. */
export function zip(entries: Readonly<Record<string, Buffer | string>>, lie?: number): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, body] of Object.entries(entries)) {
    const bytes = Buffer.from(body);
    const packed = deflateRawSync(bytes, { level: 9 });
    const head = Buffer.alloc(26);
    head.writeUInt16LE(20, 0);
    head.writeUInt16LE(8, 4);
    head.writeUInt32LE(crc32(bytes), 10);
    head.writeUInt32LE(packed.length, 14);
    head.writeUInt32LE(lie ?? bytes.length, 18);
    head.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from('PK\u0003\u0004'), head, Buffer.from(name)]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from('PK\u0001\u0002\u0014\u0000'), head, tail, Buffer.from(name)]));
    parts.push(local, packed);
    offset += local.length + packed.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\u0005\u0006', 0, 'latin1');
  end.writeUInt16LE(directory.length, 8);
  end.writeUInt16LE(directory.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, central, end]);
}

export interface SheetCell {
  readonly text?: string;
  readonly shared?: number;
  readonly number?: number;
  /** 0: plain, 1: a date. */
  readonly style?: number;
}

function cellXml(reference: string, { text, shared, number, style = 0 }: SheetCell): string {
  if (shared !== undefined) return `<c r="${reference}" t="s"><v>${shared}</v></c>`;
  if (text !== undefined) return `<c r="${reference}" t="inlineStr"><is><t>${text}</t></is></c>`;
  return `<c r="${reference}" s="${style}"><v>${number}</v></c>`;
}

/** A workbook of one sheet, "Data". Undefined cells are left out, as Excel does. */
export function workbook(
  rows: readonly (readonly (SheetCell | undefined)[])[],
  strings: readonly string[] = [],
  more: Readonly<Record<string, Buffer | string>> = {},
): Buffer {
  const sheet = rows
    .map((cells, r) => {
      const body = cells.map((cell, c) =>
        cell === undefined ? '' : cellXml(`${String.fromCharCode(65 + c)}${r + 1}`, cell),
      );
      return `<row r="${r + 1}">${body.join('')}</row>`;
    })
    .join('');
  return zip({
    'xl/workbook.xml':
      '<?xml version="1.0"?><workbook xmlns:r="r"><workbookPr/><sheets><sheet name="Data" sheetId="1" r:id="rId1"/></sheets></workbook>',
    'xl/_rels/workbook.xml.rels':
      '<?xml version="1.0"?><Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/></Relationships>',
    'xl/styles.xml':
      '<?xml version="1.0"?><styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>',
    'xl/sharedStrings.xml': `<?xml version="1.0"?><sst>${strings.map((text) => `<si><t>${text}</t></si>`).join('')}</sst>`,
    'xl/worksheets/sheet1.xml': `<?xml version="1.0"?><worksheet><sheetData>${sheet}</sheetData></worksheet>`,
    ...more,
  });
}
