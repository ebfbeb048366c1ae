/** The merge of hot files on the local disk, as a side: read, merged, and encoded in threads. */

import { createWriteStream, statSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { AS_POOL_THREAD, ownPeakMb, type Side } from './case.ts';
import { modulesOf } from './modules.ts';
import { tierFiles } from './tier-data.ts';

type Access = typeof import('../../src/lake/random-access.ts');
type Encoders = typeof import('../../src/lake/encoder-threads.ts');
type Merging = typeof import('../../src/warm-tier/merge.ts');
type MergingFiles = typeof import('../../src/warm-tier/merge-files.ts');
type Provider = typeof import('../../src/contract/tier-provider.ts');
type Reader = typeof import('../../src/lake/tier-file-reader.ts');
type Writer = typeof import('../../src/lake/tier-file-writer.ts');

export interface TierSideOptions {
  /** Whether a pass goes before the measured one. Default true. */
  readonly warmUp?: boolean;
}

export function tierSide({ warmUp = true }: TierSideOptions = {}): Side {
  return {
    name: 'tidemill core',
    nodeOptions: AS_POOL_THREAD,
    async run(dist, dir) {
      const load = modulesOf(dist);
      const { openLocalFile } = await load<Access>('lake/random-access.ts');
      const { createEncoderThreads } = await load<Encoders>('lake/encoder-threads.ts');
      const { Merge } = await load<Merging>('warm-tier/merge.ts');
      const { openFile } = await load<Reader>('lake/tier-file-reader.ts');
      const { ROW_GROUP_ROWS, TierFileWriter } = await load<Writer>('lake/tier-file-writer.ts');
      const contract = await load<Provider>('contract/tier-provider.ts');
      const aws = contract.findProvider(contract.tierProviders(), 'aws');
      const columns = contract.canonicalColumns(aws);
      // Not all commits that may be the base have pools.
      const { MANY_ROWS, columnsWithDictionaries } = await load<
        Partial<Pick<MergingFiles, 'columnsWithDictionaries'>> & MergingFiles
      >('warm-tier/merge-files.ts');
      const encoders = createEncoderThreads(1);

      async function pass(output: string): Promise<number> {
        const files = await Promise.all(tierFiles(dir).map(openLocalFile));
        const runs = await Promise.all(files.map(openFile));
        for (const run of runs) run.select(columns.map(({ name }) => name));
        const spec = { columns, keys: aws.keyColumns, time: aws.timeColumn, ceased: contract.CEASED };
        const pooled = columnsWithDictionaries?.(columns, runs) ?? new Set();
        const merge = new Merge(runs, { ...spec, pooled, rowGroupRows: ROW_GROUP_ROWS });
        const sortedBy = contract.sortColumns(aws);
        const rowsIn = runs.reduce((sum, { footer }) => sum + footer.rows, 0);
        const encode = rowsIn < MANY_ROWS ? undefined : encoders.encode;
        const writer = new TierFileWriter({ columns, sortedBy, createdBy: 'tidemill' }, encode);
        const stream = createWriteStream(output);
        const put = async (parts: readonly Uint8Array[]) => {
          for (const part of parts) {
            await new Promise<void>((resolve, reject) => {
              stream.write(part, (error) => (error ? reject(error) : resolve()));
            });
          }
        };
        // One row group is encoded while the next one is merged.
        let underWay: Promise<void> = Promise.resolve();
        for await (const table of merge.tables()) {
          const encoded = writer.rowGroup(table);
          const before = underWay;
          underWay = before.then(async () => put(await encoded));
          await before;
        }
        await underWay;
        await put(writer.finish());
        stream.end();
        await finished(stream);
        for (const file of files) await file.close();
        return merge.counts.rowsWritten;
      }

      const output = join(dir, 'core-out.parquet');
      if (warmUp) await pass(output);
      const cpu = process.cpuUsage();
      const started = performance.now();
      const rows = await pass(output);
      const seconds = (performance.now() - started) / 1000;
      const { user, system } = process.cpuUsage(cpu);
      await encoders.close();
      const extra = { MB: statSync(output).size / 1e6, 'cpu ms': (user + system) / 1000 };
      return { seconds, rows, peakMb: ownPeakMb(), extra };
    },
  };
}
