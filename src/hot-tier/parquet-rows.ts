/** Rows as columns of a Parquet file. */

import type { TierFile } from '../lake/tier-file-reader.ts';
import type { RowBuilder } from './row-builder.ts';

/**
 * Puts all rows of an opened file whose columns can be read (`TierFile.unreadable`). Throws
 * INPUT_READ_ERROR, naming row and column.
 */
export async function putParquetRows(builder: RowBuilder, file: TierFile): Promise<void> {
  const indices = file.footer.columns
    .map(({ name }) => builder.columnIndex(name))
    .filter((index) => index >= 0);
  file.select(indices.map((index) => builder.columns[index]!.name));
  for (let rows = await file.available(); rows > 0; rows = await file.available()) {
    const at = builder.startRows(rows);
    const columns = indices.map((index) => builder.columns[index]!);
    file.read(columns, at, rows);
  }
}
