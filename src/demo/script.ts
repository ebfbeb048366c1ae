/** What a demo says: its headline, numbered sections, ticked-off steps and remarks, all with one look. */

import { clip, type Terminal } from '../cli/terminal.ts';
import { isJsonObject } from '../contract/envelope.ts';

export const INDENT = '  ';
/** Widest label of a step, and widest name of a fact. */
const LABEL = 16;
const NAME = 13;

export function headline(terminal: Terminal, title: string): void {
  terminal.line();
  terminal.line(`${INDENT}${terminal.paint('title', 'tidemill')} ${terminal.paint('faint', '·')} ${title}`);
}

/** A heading with air above it. */
export function section(terminal: Terminal, title: string): void {
  const rule = '─'.repeat(Math.max(3, terminal.width - INDENT.length - title.length - 4));
  terminal.line();
  terminal.line(
    `${terminal.paint('faint', `${INDENT}──`)} ${terminal.paint('strong', title)} ${terminal.paint('faint', rule)}`,
  );
}

/** `✓ label   text       0.5 s`: something is there, or holds. Further lines of `text` stand below the first. */
export function done(terminal: Terminal, label: string, text: string, ms?: number): void {
  const time = ms === undefined ? '' : `${(ms / 1000).toFixed(1)} s`;
  const head = `${INDENT}${terminal.paint('good', '✓')} ${label.padEnd(LABEL)} `;
  const room = terminal.width - INDENT.length - LABEL - 3 - (time === '' ? 0 : time.length + 2);
  const below = `\n${' '.repeat(INDENT.length + LABEL + 3)}`;
  const body = time === '' ? text.replaceAll('\n', below) : clip(text, room).padEnd(room);
  terminal.line(`${head}${body}${time === '' ? '' : `  ${terminal.paint('faint', time)}`}`);
}

/** A quiet line. */
export function remark(terminal: Terminal, text: string): void {
  terminal.line(`${INDENT}${terminal.paint('faint', text)}`);
}

/** `value` as JSON on as many lines as it needs, broken after commas. */
export function jsonLines(value: unknown, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const part of spacedJson(value).split(/(?<=, )/)) {
    if (line !== '' && line.length + part.trimEnd().length > width) {
      lines.push(line.trimEnd());
      line = INDENT;
    }
    line += part;
  }
  return [...lines, line];
}

/** JSON on one line, with the blanks that people put. */
export function spacedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spacedJson).join(', ')}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  const fields = Object.entries(value).map(([name, inner]) => `"${name}": ${spacedJson(inner)}`);
  return `{ ${fields.join(', ')} }`;
}

/** `name   value`, under one another. */
export function fact(terminal: Terminal, name: string, value: string): void {
  terminal.line(`${INDENT}${terminal.paint('faint', name.padEnd(NAME))} ${value}`);
}
