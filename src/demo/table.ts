/** A table of texts: a header, a rule, and rows; numbers to the right. */

import type { Terminal } from '../cli/terminal.ts';

export interface Column {
  readonly title: string;
  readonly align: 'left' | 'right';
}

/** A row of the table, or `gap` where rows were left out. */
export type Row = readonly string[] | 'gap';

const BETWEEN = '   ';

/** Its lines. A cell is as wide as its widest text. */
export function table(terminal: Terminal, columns: readonly Column[], rows: readonly Row[]): string[] {
  const texts = rows.filter((row) => row !== 'gap');
  const widths = columns.map(({ title }, i) =>
    Math.max(title.length, ...texts.map((row) => row[i]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    columns
      .map(({ align }, i) => {
        const cell = cells[i] ?? '';
        return align === 'right' ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!);
      })
      .join(BETWEEN)
      .trimEnd();
  const rule = widths.map((width) => '─'.repeat(width)).join(BETWEEN);
  return [
    terminal.paint('strong', line(columns.map(({ title }) => title))),
    terminal.paint('faint', rule),
    ...rows.map((row) => (row === 'gap' ? terminal.paint('faint', line(columns.map(() => '⋯'))) : line(row))),
  ];
}
