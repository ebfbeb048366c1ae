/**
 * What a command of `tidemill` is. A module src/cli/<name>.ts exports one `CommandModule`; commands.ts
 * lists them. A module imports what it needs when its command runs (`await import`), so that `--help`
 * is quick and an image without development packages can start every command that does not need them.
 *
 * Exit codes: 0 done, 1 failed, 2 used wrongly.
 */

import type { Command } from 'commander';
import type { Terminal } from './terminal.ts';

/** Adds a command, or a group of commands, to `program`. */
export type CommandModule = (program: Command, terminal: Terminal) => void;

/** The command was called wrongly: exit code 2. */
export class UsageError extends Error {}

/** The command failed, and has said why or says it in `message`: exit code 1 unless told otherwise. */
export class CommandFailure extends Error {
  readonly exitCode: number;

  constructor(message = '', exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** A whole number of an option, for commander's parser. */
export function wholeNumber(name: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new UsageError(`${name} must be a whole number from ${min} to ${max}, got "${text}"`);
    }
    return value;
  };
}

/** A text that the source breaks where it likes, as one paragraph: help breaks it to the terminal's width. */
export function prose(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, ' ');
}
