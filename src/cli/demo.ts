/** `tidemill demo`: shows the worker at work, with everything that it needs embedded. */

import { Option } from 'commander';
import { DEFAULT_DEMO, DEMOS } from '../demo/registry.ts';
import { CommandFailure, type CommandModule, prose, UsageError, wholeNumber } from './command.ts';
import type { Terminal } from './terminal.ts';

const ABOUT = prose(`Starts an embedded AWS (SQS, SNS, S3) and a real worker, and has it work on real data,
shown as it happens. Ends by itself, with exit code 0, and reaches nothing outside this
machine. With --keep it stays up, so that you can send requests of your own.`);

/** Development packages that every demo needs; the shipped image has none of them. */
const NEEDED = ['fauxqs', '@duckdb/node-api', 'vega-datasets'];

interface DemoOptions {
  readonly keep?: boolean;
  readonly port: number;
  readonly metricsPort: number;
}

function checkInstalled(): void {
  const missing = NEEDED.filter((name) => {
    try {
      import.meta.resolve(name);
      return false;
    } catch {
      return true;
    }
  });
  if (missing.length === 0) return;
  throw new CommandFailure(
    `error: the demo needs a development install; not installed here: ${missing.join(', ')}.\n` +
      'In a clone of the repository: npm ci && npm run demo',
  );
}

async function play(terminal: Terminal, name: string, options: DemoOptions): Promise<void> {
  checkInstalled();
  const demo = DEMOS.find((one) => one.name === name);
  if (demo === undefined) {
    throw new UsageError(`there is no demo "${name}". There are:\n${demoList()}`);
  }
  const { playDemo } = await import('../demo/play.ts');
  await playDemo(
    demo,
    { keep: options.keep === true, port: options.port, metricsPort: options.metricsPort },
    terminal,
  );
}

function demoList(): string {
  return DEMOS.map(({ name, summary }) => `  ${name.padEnd(12)} ${summary}`).join('\n');
}

function portOption(flags: string, about: string): Option {
  return new Option(flags, about)
    .argParser(wholeNumber(flags.split(' ', 1)[0] ?? '', 0, 65_535))
    .default(0, 'any free one');
}

export const addDemo: CommandModule = (program, terminal) => {
  program
    .command('demo')
    .summary('see it work, on real data, in a few seconds')
    .description(ABOUT)
    .argument('[name]', 'which demo', DEFAULT_DEMO)
    .option('-k, --keep', 'stay up afterwards, until Ctrl-C')
    .addOption(portOption('--port <port>', 'port of the embedded AWS'))
    .addOption(portOption('--metrics-port <port>', "port of the worker's /metrics"))
    .addHelpText('after', () => `\nDemos:\n${demoList()}`)
    .action(async (name: string, options: DemoOptions) => {
      await play(terminal, name, options);
    });
};
