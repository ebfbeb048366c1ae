/** `tidemill validate`: is this request, or this settings file, right? */

import { CommandFailure, type CommandModule, prose } from './command.ts';
import { plural, type Terminal } from './terminal.ts';

const ABOUT = prose(`Checks requests (JSON; of any type, bare or in an SNS notification) and settings (a JSON
object of variables, or a .env file), without reaching for AWS. Prints every error with
its path. Exit code 0: all are valid, 1: one is not, 2: a file can not be read.`);

interface Finding {
  /** What it is, as `metric_run_requested, run 42`. */
  readonly what: string;
  readonly problems: readonly string[];
  readonly notes: readonly string[];
}

async function find(path: string): Promise<Finding> {
  const { parseDocument, readText } = await import('./document.ts');
  const document = parseDocument(readText(path));
  if (document.kind === 'request') {
    const { seeRequest } = await import('./request-kinds.ts');
    const { type = 'no request', ids, problems } = seeRequest(document.text);
    const what = ids === undefined ? type : `${type} ${ids.id}, group ${ids.group}`;
    return { what, problems, notes: [] };
  }
  const { likelySlips, settingsProblems } = await import('./settings-check.ts');
  const { values, problems } = document;
  const notes = likelySlips(values).map(({ name, meant }) => `${name}: no such setting; is ${meant} meant?`);
  return {
    what: `settings, ${plural(Object.keys(values).length, 'variable')}`,
    problems: [...problems, ...settingsProblems(values)],
    notes,
  };
}

function report(terminal: Terminal, path: string, { what, problems, notes }: Finding): void {
  const { paint } = terminal;
  const name = path === '-' ? 'standard input' : path;
  if (problems.length === 0) terminal.line(`${name}: ${paint('good', 'valid')} (${what})`);
  else terminal.line(`${name}: ${paint('bad', plural(problems.length, 'error'))} (${what})`);
  for (const problem of problems) {
    const [where = '', ...rest] = problem.split(/(?=: )/);
    terminal.line(`  ${paint('strong', where)}${rest.join('')}`);
  }
  for (const note of notes) terminal.line(`  ${paint('warn', 'note')} ${note}`);
}

export const addValidate: CommandModule = (program, terminal) => {
  program
    .command('validate')
    .summary('check a request or a settings file')
    .description(ABOUT)
    .argument('<file...>', 'the files to check; - reads standard input')
    .action(async (paths: string[]) => {
      let invalid = 0;
      for (const path of paths) {
        const finding = await find(path);
        report(terminal, path, finding);
        if (finding.problems.length > 0) invalid++;
      }
      if (invalid > 0) throw new CommandFailure();
    });
};
