/** The process of one side: `node side-process.ts <case> <side> <dist> <dir>` prints its result as JSON. */

import { BENCH_CASES } from './cases.ts';

const [caseName, sideName, dist, dir] = process.argv.slice(2);
const side = BENCH_CASES.find(({ name }) => name === caseName)?.sides.find(({ name }) => name === sideName);
if (side === undefined || dist === undefined || dir === undefined) {
  throw new Error(`no side "${sideName}" of case "${caseName}"`);
}
const result = await side.run(dist, dir);
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);
