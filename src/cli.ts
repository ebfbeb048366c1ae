#!/usr/bin/env node
/** The `tidemill` command: wires the commands of src/cli/ together and turns their outcome into an exit code. */

import { Command, CommanderError } from 'commander';
import { buildInfo } from './build-info.ts';
import { CommandFailure, UsageError } from './cli/command.ts';
import { COMMANDS } from './cli/commands.ts';
import { openTerminal } from './cli/terminal.ts';
import { causesOf, messageOf } from './common/errors.ts';
import { ConfigurationError } from './config.ts';

const ABOUT = 'A queue-driven worker for a Parquet lake: requests from SQS, Parquet on S3, events on SNS.';

const terminal = openTerminal(process.stdout, process.stderr);
// A reader that has seen enough (`| head`) is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

function withVersion(command: Command, version: string): void {
  command.version(version, '-v, --version', 'print the version').helpOption('-h, --help', 'print this help');
  for (const inner of command.commands) withVersion(inner, version);
}

function program(): Command {
  const root = new Command('tidemill')
    .description(ABOUT)
    .helpCommand('help [command]', 'print the help of a command')
    .configureHelp({ helpWidth: terminal.width })
    .showHelpAfterError('Run it with --help to see how it is used.')
    .exitOverride();
  for (const add of COMMANDS) add(root, terminal);
  withVersion(root, buildInfo(process.env).version);
  return root;
}

/** The exit code of what was thrown, having told it. */
function tell(error: unknown): number {
  // Commander has told its own already; help and version are no errors.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof UsageError) {
    terminal.complain(`error: ${error.message}`);
    return 2;
  }
  if (error instanceof CommandFailure) {
    if (error.message !== '') terminal.complain(error.message);
    return error.exitCode;
  }
  terminal.complain(error instanceof ConfigurationError ? error.message : `error: ${messageOf(error)}`);
  for (const cause of causesOf(error)) terminal.complain(`  because of ${cause}`);
  return 1;
}

try {
  await program().parseAsync();
} catch (error) {
  // Something may still be open: what failed ends here.
  process.exit(tell(error));
}
