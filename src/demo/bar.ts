/** A progress bar: what is done heavy, what is left light, so that it reads without colour too. */

import type { Terminal } from '../cli/terminal.ts';

/** `fraction` from 0 to 1; `width` in characters. */
export function bar(terminal: Terminal, fraction: number, width: number): string {
  const done = Math.round(Math.min(1, Math.max(0, fraction)) * width);
  const left = '─'.repeat(width - done);
  return `${terminal.paint(fraction >= 1 ? 'good' : 'accent', '━'.repeat(done))}${terminal.paint('faint', left)}`;
}
