/**
 * Our core path on local files, as a side: series decoded in threads, evaluated and encoded, from and
 * to the local disk. Warmed up on the first rows, so that both sides are measured compiled.
 */

import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { ownPeakMb, type Side } from './case.ts';
import { modulesOf } from './modules.ts';
import { seriesFile } from './series-data.ts';

type Decoders = typeof import('../../src/lake/decoder-threads.ts');
type Encoder = typeof import('../../src/lake/series-encoder.ts');
type Evaluate = typeof import('../../src/metric-run/expression/evaluate.ts');
type Parse = typeof import('../../src/metric-run/expression/parse.ts');

const SETTINGS = {
  s3: { region: 'us-east-1', forcePathStyle: true, connectTimeoutMs: 1_000, idleTimeoutMs: 1_000 },
} as const;

export function coreSide(type: string, expression: unknown): Side {
  return {
    name: 'tidemill core',
    async run(dist, dir) {
      const load = modulesOf(dist);
      const { createDecoderThreads } = await load<Decoders>('lake/decoder-threads.ts');
      const { encodeSeries } = await load<Encoder>('lake/series-encoder.ts');
      const { evaluate } = await load<Evaluate>('metric-run/expression/evaluate.ts');
      const { parseExpression } = await load<Parse>('metric-run/expression/parse.ts');
      const decoders = createDecoderThreads(SETTINGS, { request() {}, conflict() {}, retry() {} });
      const parsed = parseExpression(type, expression);

      async function pass(output: string): Promise<number> {
        const evaluation = evaluate(parsed, (code) => {
          const file = { kind: 'local', path: seriesFile(dir, code) } as const;
          return decoders.open([{ file, named: true }], code, new AbortController().signal);
        });
        const stream = createWriteStream(output);
        const write = (bytes: Uint8Array) =>
          new Promise<void>((resolve, reject) => {
            stream.write(bytes, (error) => (error ? reject(error) : resolve()));
          });
        const rows = await encodeSeries(evaluation, 'snappy', write);
        stream.end();
        await finished(stream);
        await evaluation.close();
        return rows;
      }

      const output = join(dir, 'core-out.parquet');
      await pass(output);
      const started = performance.now();
      const rows = await pass(output);
      const seconds = (performance.now() - started) / 1000;
      await decoders.close();
      return { seconds, rows, peakMb: ownPeakMb() };
    },
  };
}
