/** Parquet files: as series of a metric run, and as files of the tiers. */

import { crc32 } from 'node:zlib';
import { openFile } from '../../../src/lake/tier-file-reader.ts';
import { allocateColumn } from '../../../src/lake/tier-table/table.ts';
import { TextPool } from '../../../src/lake/tier-table/text-pool.ts';
import { memoryFile, readBytes } from '../../lake/memory-file.ts';
import { hold, type OpenTarget, outcomeOf } from '../target.ts';

const CODES = ['A', 'S1', ''];
/** Rows that are read of a file at most: a footer may claim any number, and who reads one bounds it. */
const MAX_ROWS = 200_000;

export async function openSeriesFiles(): Promise<OpenTarget> {
  return {
    async run(input) {
      return await outcomeOf(async () => {
        const pick = crc32(input);
        const rows = await readBytes(input, {
          named: pick % 2 === 0,
          code: CODES[(pick >>> 1) % CODES.length]!,
        });
        hold(
          rows.every(([time], i) => i === 0 || time > rows[i - 1]![0]),
          'rows out of the order of time',
        );
        return rows.length > 0 ? 'rows' : 'no rows';
      });
    },
    close: async () => {},
  };
}

/** Every column that can be read, as a compaction reads its inputs. */
export async function openTierFiles(): Promise<OpenTarget> {
  return {
    async run(input) {
      return await outcomeOf(async () => {
        const file = await openFile(memoryFile('a.parquet', input, 1 << 20));
        try {
          const readable = file.footer.columns.filter(({ name }) => file.unreadable([name]) === undefined);
          file.select(readable.map(({ name }) => name));
          let rows = 0;
          for (let some = await file.available(); some > 0; some = await file.available()) {
            const now = Math.min(some, 8_192);
            const columns = readable.map(({ name, kind }) =>
              allocateColumn({ name, kind: kind ?? 'text' }, now, () => new TextPool()),
            );
            file.read(columns, 0, now);
            rows += now;
            if (rows > MAX_ROWS) return 'more rows than are read';
          }
          hold(rows === file.footer.rows || file.footer.rowGroups.length > 0, 'rows that no group has');
          return rows > 0 ? 'rows' : 'no rows';
        } finally {
          file.close();
        }
      });
    },
    close: async () => {},
  };
}
