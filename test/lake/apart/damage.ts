/** Reads damaged files by the thousand, and tells what came of it. */

import { messageOf, TidemillError } from '../../../src/common/errors.ts';
import { readBytes } from '../memory-file.ts';

export interface DamageInput {
  readonly files: readonly Uint8Array[];
  /** Flipped files to read, in all. */
  readonly flips: number;
  /** Lengths to cut each file to, in all. */
  readonly cuts: number;
  readonly seed: number;
}

export interface DamageReport {
  /** Reads that gave rows, in order of time. */
  readonly rows: number;
  /** Reads that gave an INPUT_READ_ERROR which names the file. */
  readonly refused: number;
  /** Of these, panics of the decoder. */
  readonly panics: number;
  /** What must not be: other errors, rows out of order, reads that took long, errors nobody caught. */
  readonly wrong: string[];
  /** Rows of the files as they were, read at the end. */
  readonly rowsOfGoodFiles: number;
}

const CODE = 'S1';
/** Of the processor, since the machine may be busy. */
const SLOW_MS = 2_000;

/** A generator of the numbers from 0 to 1 that depends on its seed alone. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return state / 0x8000_0000;
  };
}

/** `bytes` with one to three bits flipped, half of the time in the footer. */
function flipped(bytes: Uint8Array, random: () => number): Uint8Array {
  const copy = bytes.slice();
  const footer =
    bytes.length - 8 - new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 8, true);
  const from = random() < 0.5 ? footer : 0;
  for (let n = 1 + Math.floor(random() * 3); n > 0; n--) {
    const at = from + Math.floor(random() * (bytes.length - from));
    copy[at]! ^= 1 << Math.floor(random() * 8);
  }
  return copy;
}

export async function readDamaged({ flips, cuts, seed, ...input }: DamageInput): Promise<DamageReport> {
  const files = input.files.map((bytes) => new Uint8Array(bytes)); // They come as Buffers, whose slices are views.
  const report = { rows: 0, refused: 0, panics: 0, wrong: [] as string[], rowsOfGoodFiles: 0 };
  process.on('uncaughtException', (error) => report.wrong.push(`nobody caught ${error.stack}`));
  const random = randomFrom(seed);
  const goodFiles = async () => {
    let rows = 0;
    for (const file of files) rows += (await readBytes(file, { named: false, code: CODE })).length;
    return rows;
  };

  async function read(what: string, bytes: Uint8Array): Promise<void> {
    const started = process.cpuUsage().user;
    try {
      const rows = await readBytes(bytes, { named: false, code: CODE });
      if (rows.every(([time], i) => i === 0 || time > rows[i - 1]![0])) report.rows++;
      else
        report.wrong.push(
          `${what}: rows out of order ${rows.findIndex(([t], i) => i > 0 && !(t > rows[i - 1]![0]))} ${rows.length}`,
        );
    } catch (error) {
      const text = messageOf(error);
      const refused = error instanceof TidemillError && error.code === 'INPUT_READ_ERROR';
      if (refused && text.includes('a.parquet') && text.length < 400) report.refused++;
      else report.wrong.push(`${what}: ${error instanceof Error ? error.stack : text}`);
      if (text.includes('unreachable')) {
        report.panics++;
        const rows = await goodFiles();
        if (rows !== files.length * 1000) report.wrong.push(`${what}: then good files had ${rows} rows`);
      }
    }
    const took = (process.cpuUsage().user - started) / 1_000;
    if (took > SLOW_MS) report.wrong.push(`${what}: took ${took} ms`);
  }

  for (let i = 0; i < flips; i++) await read(`flip ${i}`, flipped(files[i % files.length]!, random));
  for (let i = 0; i < cuts; i++) {
    const file = files[i % files.length]!;
    const length = Math.floor((i / cuts) * file.length);
    await read(`cut to ${length}`, file.slice(0, length));
  }
  report.rowsOfGoodFiles = await goodFiles();
  return { ...report, wrong: report.wrong.slice(0, 20) };
}
