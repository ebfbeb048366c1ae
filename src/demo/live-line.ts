/**
 * The last line of a terminal, redrawn as things move on: a bar, a clock. Where no person watches
 * (a pipe, a file) only its final text is written.
 */

import type { Terminal } from '../cli/terminal.ts';

const ERASE = '\r\u001b[2K';

export interface LiveLine {
  /** Redraws the line. Must fit the terminal's width. */
  show(text: string): void;
  /** Puts a line of its own above the live one. */
  above(text: string): void;
  /** The final text, or none; the live line is done with. Further calls do nothing. */
  settle(text?: string): void;
}

export function openLiveLine(terminal: Terminal): LiveLine {
  let current = '';
  let settled = false;
  const draw = (text: string) => {
    current = text;
    if (terminal.live) terminal.write(`${ERASE}${text}`);
  };
  return {
    show(text) {
      if (!settled && text !== current) draw(text);
    },
    above(text) {
      const shown = current;
      draw('');
      terminal.line(text);
      draw(shown);
    },
    settle(text) {
      if (settled) return;
      draw('');
      settled = true;
      if (text !== undefined) terminal.line(text);
    },
  };
}
