/**
 * What people read: text on standard output and standard error. Colour only where a terminal shows it
 * and NO_COLOR is not set; everything says the same without it.
 */

import { styleText } from 'node:util';

/** What a piece of text is for; how that looks is decided here alone. */
export type Tone = 'title' | 'strong' | 'faint' | 'good' | 'bad' | 'warn' | 'accent' | 'second';

const FORMATS = {
  title: ['bold', 'cyan'],
  strong: ['bold'],
  faint: ['dim'],
  good: ['green'],
  bad: ['red'],
  warn: ['yellow'],
  accent: ['cyan'],
  second: ['yellow'],
} as const satisfies Record<Tone, readonly string[]>;

export interface Terminal {
  /** Whether a person watches it happen: lines may be redrawn. */
  readonly live: boolean;
  /** Columns to use, 60 to 100; 80 where there is no terminal. */
  readonly width: number;
  line(text?: string): void;
  /** Text as it is, without a line end. */
  write(text: string): void;
  /** A line on standard error. */
  complain(text: string): void;
  paint(tone: Tone, text: string): string;
}

const NARROWEST = 60;
const WIDEST = 100;
const USUAL = 80;

export function openTerminal(stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream): Terminal {
  const paint = (tone: Tone, text: string) => styleText([...FORMATS[tone]], text, { stream: stdout });
  return {
    live: stdout.isTTY === true,
    get width() {
      // The last column is left free: some terminals wrap when it is written to.
      return Math.min(WIDEST, Math.max(NARROWEST, (stdout.columns || USUAL) - 1));
    },
    line: (text = '') => {
      stdout.write(`${text}\n`);
    },
    write: (text) => {
      stdout.write(text);
    },
    complain: (text) => {
      stderr.write(`${text}\n`);
    },
    paint,
  };
}

/** 1,461 */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** `a file`, `3 files`. */
export function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`;
}

/** Bytes as `214 kB`, in thousands, as S3's bills and `ls -h --si` count them. */
export function bytesText(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(bytes < 10_000 ? 1 : 0)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** `text` within `width` characters, its end cut off where it is longer. */
export function clip(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

/** `text` on lines of at most `width` characters, broken at blanks where there are any; its own lines stay. */
export function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap((line) => wrapLine(line, width));
}

function wrapLine(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
