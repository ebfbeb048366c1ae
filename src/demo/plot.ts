/** A plot of time series in text, with labelled axes: dates below, values to the left. */

import type { Terminal, Tone } from '../cli/terminal.ts';
import { across, dots, down, type Frame, type Grid, line, type Points } from './plot-marks.ts';
import { timeTicks } from './time-ticks.ts';

/** Times are milliseconds since the epoch. */
export interface PlotLayer extends Points {
  readonly mark: 'dots' | 'line';
  readonly tone: Tone;
}

export interface PlotOptions {
  /** Characters and lines in all, axes included. */
  readonly width: number;
  readonly height: number;
  /** Stands above the value axis. */
  readonly unit: string;
}

/** Columns that a label of the time axis takes up, with air. */
const TICK_ROOM = 12;
const VALUE_TICKS = 5;
/** Lines that are not the grid's: the unit, the rule, the dates. */
const AROUND = 3;

/** Round numbers that cover `low` to `high` in at most about `most` steps, and their digits after the point. */
function valueTicks(low: number, high: number, most: number): { ticks: number[]; digits: number } {
  const span = high - low || Math.abs(high) || 1;
  const power = 10 ** Math.floor(Math.log10(span / most));
  const step = [1, 2, 5].map((factor) => factor * power).find((one) => span / one <= most) ?? power * 10;
  const first = Math.floor(low / step);
  const last = Math.max(first + 1, Math.ceil(high / step));
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  return { ticks, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

function extent(layers: readonly PlotLayer[], of: 'times' | 'values'): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const layer of layers) {
    for (const one of layer[of]) {
      if (one < low) low = one;
      if (one > high) high = one;
    }
  }
  return low <= high ? [low, high] : [0, 1];
}

/** One line of the grids, later ones above earlier ones, painted in runs of one tone. */
function gridLine(
  terminal: Terminal,
  layers: readonly PlotLayer[],
  grids: readonly Grid[],
  row: number,
): string {
  const cells =
    grids[0]?.[row]?.map((_, column) => grids.findLastIndex((grid) => grid[row]![column] !== '')) ?? [];
  const last = cells.findLastIndex((top) => top !== -1);
  let text = '';
  for (let start = 0, end = 0; start <= last; start = end) {
    const top = cells[start]!;
    while (end <= last && cells[end] === top) end++;
    const run = top === -1 ? ' '.repeat(end - start) : grids[top]![row]!.slice(start, end).join('');
    text += top === -1 ? run : terminal.paint(layers[top]!.tone, run);
  }
  return text;
}

function timeAxis(frame: Frame): { rule: string; labels: string } {
  const { from, to, columns } = frame;
  const rule = Array<string>(columns).fill('─');
  let labels = '';
  for (const { at, label } of timeTicks(from, to, Math.max(2, Math.floor(columns / TICK_ROOM)))) {
    const column = across(frame, at, columns);
    const start = Math.min(column, columns - label.length);
    if (labels !== '' && start <= labels.length) continue;
    rule[column] = '┬';
    labels = labels.padEnd(start) + label;
  }
  return { rule: rule.join(''), labels };
}

/** Its lines; a later layer is drawn over the earlier ones. */
export function plot(terminal: Terminal, layers: readonly PlotLayer[], options: PlotOptions): string[] {
  const { paint } = terminal;
  const [from, to] = extent(layers, 'times');
  const rows = options.height - AROUND;
  const most = Math.min(VALUE_TICKS, Math.ceil(rows / 2));
  const { ticks, digits } = valueTicks(...extent(layers, 'values'), most);
  const labels = ticks.map((tick) => tick.toFixed(digits));
  const margin = Math.max(options.unit.length, ...labels.map(({ length }) => length));
  const columns = options.width - margin - 2;
  const frame: Frame = { columns, rows, from, to, low: ticks[0]!, high: ticks.at(-1)! };

  const grids = layers.map((layer) => (layer.mark === 'dots' ? dots(layer, frame) : line(layer, frame)));
  const labelOfRow = new Map(ticks.map((tick, i) => [down(frame, tick, rows), labels[i]!]));
  const { rule, labels: dates } = timeAxis(frame);
  return [
    paint('faint', options.unit.padStart(margin)),
    ...Array.from({ length: rows }, (_, row) => {
      const label = labelOfRow.get(row);
      const axis = `${(label ?? '').padStart(margin)} ${label === undefined ? '│' : '┤'}`;
      return `${paint('faint', axis)}${gridLine(terminal, layers, grids, row)}`;
    }),
    paint('faint', `${' '.repeat(margin)} └${rule}`),
    paint('faint', `${' '.repeat(margin + 2)}${dates}`),
  ];
}
