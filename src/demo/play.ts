/** Plays a demo from beginning to end: stage, scenario, staying up on wish, and clearing away whatever happens. */

import { mkdtempSync } from 'node:fs';
import { join, relative } from 'node:path';
import { CommandFailure } from '../cli/command.ts';
import { findRunningDemo, makeStateDirectory } from '../cli/state-directory.ts';
import { type Terminal, wrap } from '../cli/terminal.ts';
import { systemClock } from '../common/clock.ts';
import { causesOf, messageOf } from '../common/errors.ts';
import { Releasers } from '../common/releasers.ts';
import { keepUp } from './keep.ts';
import { DEFAULT_DEMO, type DemoEntry } from './registry.ts';
import { headline, INDENT, remark, section } from './script.ts';
import { logFileOf, openStage } from './stage.ts';
import { logTail } from './worker-child.ts';

export interface PlayOptions {
  readonly keep: boolean;
  readonly port: number;
  readonly metricsPort: number;
}

/** Told to stop by a signal: no failure of the demo. */
class InterruptedError extends Error {}

const LOG_LINES = 15;
const COMMAND_WIDTH = 30;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** 128 and SIGINT's number, as shells have it. */
const INTERRUPTED = 130;

/** `.tidemill/`, or a directory of its own in it where a kept demo lives there already. */
function directoryFor(keep: boolean): string {
  const directory = makeStateDirectory();
  const other = findRunningDemo();
  if (other === undefined) return directory;
  if (keep)
    throw new CommandFailure(`error: a demo is kept up here already (process ${other.pid}); end it first`);
  return mkdtempSync(join(directory, 'demo-'));
}

function reportFailure(terminal: Terminal, error: unknown, directory: string): void {
  const reasons = [messageOf(error), ...causesOf(error).map((cause) => `because of ${cause}`)];
  terminal.complain(`\n${terminal.paint('bad', '✗ the demo failed')}`);
  for (const reason of reasons) {
    for (const line of wrap(reason, terminal.width - INDENT.length)) terminal.complain(`${INDENT}${line}`);
  }
  const logFile = logFileOf(directory);
  const tail = logTail(logFile, LOG_LINES);
  if (tail.length === 0) return;
  terminal.complain(`\n  The end of the worker's log, ${relative('.', logFile)}:`);
  for (const line of tail) terminal.complain(`    ${line}`);
}

function tellWhatNext(terminal: Terminal, { name }: DemoEntry): void {
  const again = name === DEFAULT_DEMO ? 'npm run demo -- --keep' : `npm run demo -- ${name} --keep`;
  const next = [
    [again, 'stay up, and send requests of your own'],
    ['npx tidemill --help', 'all that the command can do'],
  ] as const;
  terminal.line();
  for (const [command, about] of next) {
    terminal.line(`${INDENT}${terminal.paint('strong', command.padEnd(COMMAND_WIDTH))}  ${about}`);
  }
}

/** @throws CommandFailure, having told what went wrong, or having been interrupted */
export async function playDemo(entry: DemoEntry, options: PlayOptions, terminal: Terminal): Promise<void> {
  const started = systemClock.monotonic();
  const directory = directoryFor(options.keep);
  const ending = new AbortController();
  const releasers = new Releasers();
  const interrupt = (signal: NodeJS.Signals) => {
    // A second one does not wait for anything; children go with the process.
    process.once(signal, () => process.exit(INTERRUPTED));
    ending.abort(new InterruptedError(signal));
  };
  for (const signal of SIGNALS) process.once(signal, interrupt);
  let kept = false;
  try {
    const demo = await entry.load();
    headline(terminal, demo.title);
    remark(terminal, 'On this machine alone: an embedded AWS, and the real worker beside it.');
    section(terminal, 'Setting the stage');
    const settings = (await demo.prepare?.(terminal, directory, releasers)) ?? {};
    const stageOptions = { ...options, directory, settings };
    const stage = await openStage(terminal, stageOptions, ending, releasers);
    await demo.play(stage);
    const seconds = ((systemClock.monotonic() - started) / 1000).toFixed(1);
    terminal.line(`\n${INDENT}${terminal.paint('good', `✓ all of this in ${seconds} s`)}`);
    if (options.keep) {
      kept = true;
      await keepUp(stage, demo.samples(stage));
    } else tellWhatNext(terminal, entry);
  } catch (error) {
    const reason = ending.signal.aborted ? ending.signal.reason : error;
    if (!(reason instanceof InterruptedError)) {
      // The worker's last words are in its log once it has ended.
      await releasers.release();
      reportFailure(terminal, reason, directory);
      throw new CommandFailure();
    }
    terminal.line(kept ? '\nstopped' : '\ninterrupted');
    if (!kept) throw new CommandFailure('', INTERRUPTED);
  } finally {
    await releasers.release();
    for (const signal of SIGNALS) process.removeListener(signal, interrupt);
  }
}
