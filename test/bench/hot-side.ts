/** A hot upload's own work on a local file, as a side: JSON lines read and cast, sorted, encoded, written. */

import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AS_POOL_THREAD, ownPeakMb, type Side } from './case.ts';
import { modulesOf } from './modules.ts';
import { uploadFile } from './tier-data.ts';

type Access = typeof import('../../src/lake/random-access.ts');
type Discard = typeof import('../../src/common/discard.ts');
type HotFile = typeof import('../../src/hot-tier/hot-file.ts');
type Lines = typeof import('../../src/hot-tier/json-lines.ts');
type ObjectBytes = typeof import('../../src/hot-tier/object-bytes.ts');
type Provider = typeof import('../../src/contract/tier-provider.ts');
type Rows = typeof import('../../src/hot-tier/row-builder.ts');
type Tables = typeof import('../../src/lake/tier-table/table.ts');

const MAX_BYTES = 1 << 30;
const MAX_ROWS = 10_000_000;

/** A thread stays for the next slot, so the measured pass is not the first. */
export const HOT_WARM_UPS = 3;

export const hotSide: Side = {
  name: 'tidemill core',
  nodeOptions: AS_POOL_THREAD,
  async run(dist, dir) {
    const load = modulesOf(dist);
    const { openLocalFile } = await load<Access>('lake/random-access.ts');
    const { discard } = await load<Discard>('common/discard.ts');
    const { objectBytes } = await load<ObjectBytes>('hot-tier/object-bytes.ts');
    const { discardTable } = await load<Tables>('lake/tier-table/table.ts');
    const { encodeHotFile, hotRows } = await load<HotFile>('hot-tier/hot-file.ts');
    const { JsonLines } = await load<Lines>('hot-tier/json-lines.ts');
    const { RowBuilder } = await load<Rows>('hot-tier/row-builder.ts');
    const contract = await load<Provider>('contract/tier-provider.ts');
    const aws = contract.findProvider(contract.tierProviders(), 'aws');
    const input = uploadFile(dir);
    const output = join(dir, 'core-out.parquet');
    const { signal } = new AbortController();

    /** Seconds by step. */
    async function pass() {
      const builder = RowBuilder.of(aws, MAX_ROWS);
      const started = performance.now();
      builder.begin({ name: 'changed', ceased: false });
      const lines = new JsonLines(builder, statSync(input).size);
      const object = await openLocalFile(input);
      for await (const bytes of objectBytes(object, MAX_BYTES, signal)) {
        lines.push(bytes);
        discard(bytes);
      }
      await object.close();
      lines.end();
      builder.end();
      const read = performance.now();
      const { table } = builder.finish();
      const rows = hotRows(table, aws);
      const ordered = performance.now();
      writeFileSync(output, Buffer.concat(await encodeHotFile(table, rows, aws, 'tidemill')));
      discardTable(table);
      const done = performance.now();
      const steps = { 'read ms': read - started, 'sort ms': ordered - read, 'encode ms': done - ordered };
      return { seconds: (done - started) / 1000, rows: rows.length, steps };
    }

    for (let i = 0; i < HOT_WARM_UPS; i++) await pass();
    const cpu = process.cpuUsage();
    const { seconds, rows, steps } = await pass();
    const { user, system } = process.cpuUsage(cpu);
    const extra = { MB: statSync(output).size / 1e6, 'cpu ms': (user + system) / 1000, ...steps };
    return { seconds, rows, peakMb: ownPeakMb(), extra };
  },
};
