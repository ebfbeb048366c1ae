/** A month of the warm tier as lines of text: its levels as bars, its files as a table. Pure. */

import { countSlots } from '../contract/slot-ranges.ts';
import { slotsInMonth } from '../contract/tier-keys.ts';
import type { WarmManifest } from '../contract/warm-manifest.ts';
import type { SnapshotFile } from '../warm-tier/snapshot.ts';
import { bytesText, count, plural, type Terminal } from './terminal.ts';
import { monthText } from './tier-lake.ts';

/** Neighbouring files are told apart by their shade. */
const SHADES = ['█', '▒'] as const;
const LABEL = 'L0  ';
const FACTS_WIDTH = 34;

/** The sum of what is known; undefined when nothing is. */
export function sumOf(values: readonly (number | null)[]): number | undefined {
  const known = values.filter((value) => value !== null);
  return known.length === 0 && values.length > 0 ? undefined : known.reduce((sum, value) => sum + value, 0);
}

export function rowsText(files: readonly SnapshotFile[]): string {
  const rows = sumOf(files.map((file) => file.rows));
  return rows === undefined ? '? rows' : plural(rows, 'row');
}

export function sizeText(files: readonly SnapshotFile[]): string {
  const bytes = sumOf(files.map((file) => file.bytes));
  return bytes === undefined ? '? B' : bytesText(bytes);
}

/** `23 14:20`: day of the month and time, UTC. */
export function timeText(micros: number | null): string {
  return micros === null ? '?' : new Date(micros / 1_000).toISOString().slice(8, 16).replace('T', ' ');
}

export function headLine(terminal: Terminal, manifest: WarmManifest, files: readonly SnapshotFile[]): string {
  const { paint } = terminal;
  const slots = `${count(countSlots(manifest.processed))} of ${count(slotsInMonth(manifest))} slots`;
  const facts = `revision ${manifest.revision}  ${slots}  ${rowsText(files)}  ${sizeText(files)} in ${plural(files.length, 'file')}`;
  return `${paint('strong', `${manifest.provider} ${monthText(manifest)}`)}  ${paint('faint', facts)}`;
}

/**
 * The levels, highest first, over the hot files in their order of arrival: each bar is a file, as wide as
 * the share of the arrivals whose rows it has.
 */
export function levelLines(
  terminal: Terminal,
  manifest: WarmManifest,
  files: readonly SnapshotFile[],
  width: number,
): string[] {
  const { paint } = terminal;
  const columns = Math.max(10, width - LABEL.length - FACTS_WIDTH - 2);
  const arrivals = manifest.lastHotIndex + 1;
  const lines: string[] = [];
  for (let level = manifest.levels.length - 1; level >= 0; level--) {
    const own = files.filter((file) => file.level === level);
    const bar = Array<string>(columns).fill(' ');
    own.forEach(({ hotRange: [first, last] }, i) => {
      const from = Math.min(columns - 1, Math.floor((first / arrivals) * columns));
      const to = Math.max(from + 1, Math.floor(((last + 1) / arrivals) * columns));
      bar.fill(SHADES[i % 2]!, from, Math.min(columns, to));
    });
    const tone = level === 0 ? 'second' : 'accent';
    const facts = [
      plural(own.length, 'file').padStart(9),
      rowsText(own).padStart(15),
      sizeText(own).padStart(8),
    ];
    const told = own.length === 0 ? '·'.padStart(9) : facts.join(' ');
    lines.push(`L${level}  ${paint(tone, bar.join(''))}  ${paint('faint', told)}`.trimEnd());
  }
  const scale = '0'.padEnd(columns - String(arrivals - 1).length) + String(arrivals - 1);
  lines.push(`${' '.repeat(LABEL.length)}${paint('faint', `${scale}  hot files by arrival`)}`);
  return lines;
}

/** A table's row: level, name, rows, bytes, times. */
export function fileCells({ level, key, rows, bytes, minTime, maxTime }: SnapshotFile): string[] {
  const name = level === 0 ? key.split('/').slice(-2).join('/') : key.slice(key.lastIndexOf('/') + 1);
  return [
    `L${level}`,
    name,
    rows === null ? '?' : count(rows),
    bytes === null ? '?' : bytesText(bytes),
    timeText(minTime),
    timeText(maxTime),
  ];
}

export const FILE_COLUMNS = [
  { title: '', align: 'left' },
  { title: 'file', align: 'left' },
  { title: 'rows', align: 'right' },
  { title: 'bytes', align: 'right' },
  { title: 'from', align: 'left' },
  { title: 'to', align: 'left' },
] as const;

/** What waits for its deletion, in one line; undefined when nothing does. */
export function pendingLine({ pending }: WarmManifest, now: number): string | undefined {
  if (pending.length === 0) return undefined;
  const due = pending.filter(({ notBefore }) => notBefore !== null && notBefore <= now).length;
  const times = pending.flatMap(({ notBefore }) => (notBefore === null ? [] : [notBefore]));
  const last = times.length === 0 ? undefined : new Date(Math.max(...times)).toISOString().slice(0, 16);
  const until = last === undefined || due === pending.length ? '' : `, all by ${last.replace('T', ' ')} UTC`;
  return `${plural(pending.length, 'superseded file')} to be deleted by the next compactions: ${due} now${until}`;
}
